// @ts-check
/** The load on the stack and the verdict on it, with the generator, the oracle and the comparison of the chaos runs. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createConversations, TOPICS } from '../../test/chaos/conversations.mjs';
import { createGenerator } from '../../test/chaos/generator.mjs';
import { createQueues } from '../../test/chaos/queues.mjs';
import { createRandom } from '../../test/chaos/random.mjs';
import { QUEUE, QUEUES, RETRY_DELAYS } from '../../test/chaos/system.mjs';
import { compare, countRows, untilQuiet } from '../../test/chaos/verdict.mjs';
import { poll } from '../processes.mjs';

/** What can never be found is given up after seconds, not after a quarter of an hour. */
export const SERVICE_SETTINGS = { RETRY_DELAYS };

const CONVERSATIONS_PER_CHILD = 25;

const PROGRESS_MS = 10_000;

/** How long everything may take to settle after the last post, milliseconds: the sweeper's second look at an event comes after two minutes. */
const QUIET_LIMIT_MS = 6 * 60_000;

/**
 * @param {object} options
 * @param {import('./stack.mjs').Stack} options.stack
 * @param {string} options.folder for findings
 * @param {number} options.events
 * @param {number} options.rate conversations a second
 * @param {string} options.seed
 * @param {(() => Promise<unknown>)[]} options.midway done one after the other, spread evenly over the load
 * @param {(text: string) => void} options.onFinding
 * @param {(name: string, seconds: number) => void} options.onTime
 * @param {import('../progress.mjs').Progress} options.progress
 * @param {AbortSignal} options.signal
 * @param {import('../command.mjs').CommandContext['onExit']} options.onExit
 */
export async function runLoad({
  stack,
  folder,
  events,
  rate,
  seed,
  midway,
  onFinding,
  onTime,
  progress,
  signal,
  onExit,
}) {
  await importTopics(stack);
  const { default: pg } = await import('pg');
  const database = new pg.Pool({ connectionString: stack.databaseUrl, max: 2, connectionTimeoutMillis: 10_000 });
  database.on('error', () => undefined); // reported by the query that needs it
  onExit('the observer', () => database.end());
  const queues = await createQueues({ url: () => stack.rabbitmqUrl, signal });
  onExit('the publisher', queues.close);

  const random = createRandom(seed);
  const children = Math.max(10, Math.round(events / CONVERSATIONS_PER_CHILD));
  const apiUrls = [stack.apiUrl];
  const generator = createGenerator({
    conversations: createConversations({ run: `e${seed}`, children, random: random.fork('conversations') }),
    random: random.fork('generator'),
    apiUrls,
    queues,
    queue: QUEUE,
    events,
    rate,
    signal,
  });
  const { ledger } = generator;
  const timer = setInterval(() => {
    countRows(database).then(
      ({ processed, pending, letters }) =>
        progress.note(
          `${ledger.accepted} of ${events} accepted, ${processed} processed, ${pending} pending, ${letters} dead letters`,
        ),
      () => progress.note(`${ledger.accepted} of ${events} accepted, the database does not answer`),
    );
  }, PROGRESS_MS);
  onExit('the progress lines', async () => clearInterval(timer));

  progress.note(`${events} conversations of ${children} children at ${rate} a second`);
  const startedAt = performance.now();
  const generated = generator.run();
  const faults = (async () => {
    for (const [index, act] of midway.entries()) {
      const share = (index + 1) / (midway.length + 1);
      await poll(async () => (ledger.accepted >= events * share ? true : undefined), { timeoutMs: 2 ** 31, signal });
      await act();
      if (ledger.accepted >= events) onFinding('the load was over before all was done to it: take more events');
    }
  })();
  await Promise.all([generated, faults]);
  onTime('load', (performance.now() - startedAt) / 1000);

  const settlingFrom = performance.now();
  const waiting = () => queues.waiting(QUEUES);
  const quiet = await untilQuiet({ ledger, database, waiting, limitMs: QUIET_LIMIT_MS, signal });
  if (!quiet) onFinding(`not everything was settled ${QUIET_LIMIT_MS / 60_000} minutes after the load`);
  onTime('settling', (performance.now() - settlingFrom) / 1000);
  clearInterval(timer);

  const { numbers, findings } = await progress.step('comparing with the oracle', () =>
    compare({ ledger, database, apiUrls, logs: folder, signal }),
  );
  writeFileSync(join(folder, 'findings.json'), JSON.stringify(findings, null, 1));
  const audit = await stack.exec(['node', 'dist/cli.js', 'audit', '--json']);
  const left = Object.values((await waiting()) ?? { unknown: 1 });
  return {
    numbers: {
      ...numbers,
      unexpectedAnswers: ledger.unexpectedAnswers.length,
      posted: ledger.posted,
      sent: ledger.sent,
      children,
    },
    leftInQueues: left.reduce((sum, messages) => sum + messages, 0),
    /** @type {{ users: number, events: number, differences: number }} */
    audit: JSON.parse(audit.trim().split('\n').at(-1) ?? ''),
  };
}

/** With the service's own command line, in a container, as an operator does. @param {import('./stack.mjs').Stack} stack */
async function importTopics(stack) {
  const csv = ['agent_tag,topic_id', ...[...TOPICS].map(([tag, topic]) => `${tag},${topic}`), ''].join('\n');
  await stack.exec(['sh', '-c', 'cat > /tmp/topics.csv && node dist/cli.js topics import /tmp/topics.csv'], csv);
}
