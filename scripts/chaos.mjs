// @ts-check
/**
 * `npm run chaos`: a real system under load, with servers and processes that die, and a verdict on every event. docs/reliability.md tells
 * what the words mean.
 *
 *   npm run chaos -- --events 1000 --minutes 1 --seed 7 [--rate 20] [--workers 3] [--cluster] [--json]
 *   npm run chaos -- --mutant ack-before-commit | no-idempotence | read-modify-write | drop-bad-messages | no-sweeper
 *                                                                            a broken service, which must be found out
 *
 * The last line on stdout is JSON. The exit code is 0 only when nothing was lost, duplicated or wrong.
 */
import { randomInt } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createConversations } from '../test/chaos/conversations.mjs';
import { createFaults } from '../test/chaos/faults.mjs';
import { createGenerator } from '../test/chaos/generator.mjs';
import { createRandom } from '../test/chaos/random.mjs';
import { QUEUE, QUEUES, startSystem } from '../test/chaos/system.mjs';
import { compare, countRows, untilQuiet } from '../test/chaos/verdict.mjs';
import { runCommand } from './command.mjs';

const MUTANTS = ['ack-before-commit', 'no-idempotence', 'read-modify-write', 'drop-bad-messages', 'no-sweeper'];

const APIS = 2;

/** Conversations of one child on average; the busy ones have several times as many. */
const CONVERSATIONS_PER_CHILD = 25;

const PROGRESS_MS = 5_000;

/** How long it may take after the last fault until everything is settled, milliseconds: the sweeper's second look at an event comes after two minutes. */
const QUIET_LIMIT_MS = 8 * 60_000;

/** @param {string[]} args */
function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      events: { type: 'string', default: '1000' },
      minutes: { type: 'string', default: '1' },
      rate: { type: 'string' },
      workers: { type: 'string', default: '3' },
      seed: { type: 'string' },
      mutant: { type: 'string' },
      cluster: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const number = (/** @type {'events' | 'minutes' | 'rate' | 'workers'} */ name, /** @type {number} */ least) => {
    const value = Number(values[name]);
    if (!(value >= least)) throw new Error(`--${name}: expected a number from ${least} on, got "${values[name]}".`);
    return value;
  };
  if (values.mutant !== undefined && !MUTANTS.includes(values.mutant))
    throw new Error(`--mutant: expected one of ${MUTANTS.join(', ')}, got "${values.mutant}".`);
  const events = number('events', 1);
  const minutes = number('minutes', 0.1);
  return {
    events,
    minutes,
    rate: values.rate === undefined ? events / (minutes * 60) : number('rate', 0.1),
    workers: number('workers', 3),
    seed: values.seed ?? String(randomInt(1_000_000)),
    mutant: values.mutant,
    cluster: values.cluster,
  };
}

/** @type {import('./command.mjs').Command} */
async function main({ args, progress, signal: interrupted, onExit }) {
  const options = readOptions(args);
  const { events, minutes, rate, seed } = options;
  const startedAt = Date.now();
  /** @type {string | undefined} */
  let summary;
  // Registered first, so done last: nothing may follow this line.
  onExit('the summary', async () => void (summary && process.stdout.write(`${summary}\n`)));

  // Whatever goes on beside, one failure ends it all.
  const running = new AbortController();
  const { signal } = running;
  setMaxListeners(0, signal);
  interrupted.addEventListener('abort', () => running.abort(interrupted.reason), { once: true });
  onExit('what goes on', async () => running.abort(new Error('the run is over')));

  const system = await startSystem({
    progress,
    signal,
    onExit,
    apis: APIS,
    workers: options.workers,
    nodes: options.cluster ? 3 : 1,
    preload: ['preload/witness', ...(options.mutant ? [`mutants/${options.mutant}`] : [])],
  });
  const { folder, servers, fleet, database, queues, apiUrls } = system;

  const random = createRandom(seed);
  const children = Math.max(10, Math.round(events / CONVERSATIONS_PER_CHILD));
  const generator = createGenerator({
    conversations: createConversations({ run: `c${seed}`, children, random: random.fork('conversations') }),
    random: random.fork('generator'),
    apiUrls,
    queues,
    queue: QUEUE,
    events,
    rate,
    signal,
  });
  const { ledger } = generator;
  /** @type {Record<string, number>} */
  const faultCounts = {};
  const faults = createFaults({
    random: random.fork('faults'),
    servers,
    fleet,
    queue: QUEUE,
    leastWorkers: Math.max(2, options.workers - 1),
    onFault: (kind, what) => {
      if (what === 'begins') faultCounts[kind] = (faultCounts[kind] ?? 0) + 1;
      appendFileSync(join(folder, 'faults.log'), `${new Date().toISOString()} ${kind} ${what}\n`);
    },
    signal,
  });

  let phase = 'faults';
  const progressTimer = setInterval(() => {
    const faultCount = Object.values(faultCounts).reduce((sum, count) => sum + count, 0);
    countRows(database).then(
      ({ processed, pending, letters }) => tell(`${processed} processed, ${pending} pending, ${letters} dead letters`),
      () => tell('the database is away'),
    );
    const tell = (/** @type {string} */ rows) =>
      progress.note(
        `${phase} ${Math.round((Date.now() - startedAt) / 1000)} s: ${ledger.posted} posts, ${ledger.accepted} of ${events} accepted, ${rows}, ${faultCount} faults`,
      );
  }, PROGRESS_MS);
  onExit('the progress lines', async () => clearInterval(progressTimer));

  progress.note(
    `seed ${seed}: ${events} conversations of ${children} children at ${rate.toFixed(1)} a second${options.mutant ? `, mutant ${options.mutant}` : ''}`,
  );
  const faultsUntil = Date.now() + minutes * 60_000;
  const generated = generator.run();
  generated.catch((error) => running.abort(error));
  await Promise.race([faults.run(() => Date.now() >= faultsUntil), aborted(signal)]);
  phase = 'restoring';
  await fleet.restore(signal);
  phase = 'sending';
  await generated;
  phase = 'settling';
  const waiting = () => queues.waiting(QUEUES);
  const quiet = await untilQuiet({ ledger, database, waiting, limitMs: QUIET_LIMIT_MS, signal });

  phase = 'comparing';
  const { numbers, findings } = await compare({ ledger, database, apiUrls, logs: folder, signal });
  await fleet.drainWorkers();
  const leftInQueues = Object.entries((await waiting()) ?? { unknown: 1 }).filter(([, messages]) => messages > 0);
  clearInterval(progressTimer);

  const result = {
    ...numbers,
    crashes: fleet.crashes.length,
    lateStops: fleet.lateStops.length,
    stuck: fleet.stuck.length,
    unexpectedAnswers: ledger.unexpectedAnswers.length,
    leftInQueues: leftInQueues.reduce((sum, [, messages]) => sum + messages, 0),
    quiet,
    posted: ledger.posted,
    sent: ledger.sent,
    faults: faultCounts,
    seconds: Math.round((Date.now() - startedAt) / 1000),
    seed,
    ...(options.mutant ? { mutant: options.mutant } : {}),
    ...(options.cluster ? { cluster: true } : {}),
  };
  summary = JSON.stringify(result);
  const clean = isClean(result);
  if (clean) system.forgetLogs();
  else {
    const everything = {
      ...findings,
      crashes: fleet.crashes,
      lateStops: fleet.lateStops,
      stuck: fleet.stuck,
      leftInQueues,
    };
    writeFileSync(join(folder, 'findings.json'), JSON.stringify(everything, null, 1));
    writeFileSync(join(folder, 'ledger.json'), JSON.stringify([...ledger.entries.values()]));
    for (const [what, list] of Object.entries(everything)) {
      if (list.length > 0)
        progress.note(`${what} (${list.length}): ${JSON.stringify(list.slice(0, 3)).slice(0, 1_500)}`);
    }
  }
  progress.note(clean ? 'nothing lost, nothing duplicated, every status as it must be' : 'NOT AS IT MUST BE');
  return clean ? 0 : 1;
}

/** @param {Record<string, any>} result */
function isClean(result) {
  const zero = [
    'lost',
    'duplicated',
    'statusMismatches',
    'eventMismatches',
    'crashes',
    'lateStops',
    'stuck',
    'unexpectedAnswers',
    'leftInQueues',
  ];
  return (
    zero.every((name) => result[name] === 0) && result.deadLettered === result.expectedDeadLettered && result.quiet
  );
}

/** @param {AbortSignal} signal @returns {Promise<never>} */
function aborted(signal) {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

await runCommand(main);
