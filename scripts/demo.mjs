// @ts-check
/**
 * `npm run demo`: the whole service, from a fresh clone to a friendship, checked against samples/expected.json.
 *
 *   npm run demo               stays up afterwards, to be looked at; Ctrl-C drains it
 *   npm run demo -- --exit     ends by itself; its last line on stdout is JSON with the totals
 *   npm run demo -- --keep     the database, PostgreSQL and RabbitMQ stay when it ends (KEEP_SERVICES=1 does the same)
 */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.mjs';
import { connectBroker } from './demo/broker.mjs';
import { createDatabase } from './demo/database.mjs';
import { RETRY_DELAYS, createNames } from './demo/names.mjs';
import { liveLine } from './demo/live-line.mjs';
import { play, totalsOf } from './demo/play.mjs';
import { childrenTable, differences, oddTable } from './demo/report.mjs';
import { recordRun, removeKilledRuns, removeRun } from './demo/run-record.mjs';
import { readSamples, topicsFile } from './demo/samples.mjs';
import { createClient, runNode } from './demo/service-client.mjs';
import { lastWord, startService, whenReady } from './demo/service-process.mjs';
import { ensureBuilt, ensureInstalled } from './prepare.mjs';
import { provideServices } from './services.mjs';
import { checkoutDir } from './services/checkout.mjs';
import { withLock } from './services/lock.mjs';
import { isFree } from './services/ports.mjs';

/** The port that people try first. */
const USUAL_PORT = 3000;

/** @type {import('./command.mjs').Command} */
async function main({ args, progress, signal: interrupted, onExit }) {
  const startedAt = Date.now();
  const unknown = args.find((arg) => arg !== '--exit' && arg !== '--keep');
  if (unknown) throw new Error(`Expected --exit, --keep or nothing, got "${unknown}".`);
  const exit = args.includes('--exit');
  const keep = args.includes('--keep') || process.env.KEEP_SERVICES === '1';
  const { steps, expected } = readSamples();
  /** @type {import('./demo/samples.mjs').Totals | undefined} */
  let totals;
  // Registered first, so done last: nothing may follow this line.
  onExit('the summary', async () => {
    if (exit && totals) print(JSON.stringify({ ...totals, seconds: Math.round((Date.now() - startedAt) / 100) / 10 }));
  });

  await ensureInstalled({ progress, signal: interrupted });
  await ensureBuilt({ progress, signal: interrupted });
  const services = await provideServices({ progress, signal: interrupted, keep });
  onExit('services', services.stop);
  await removeKilledRuns(services, progress);

  const names = createNames();
  const record = recordRun(names);
  onExit('database and queues', async () => {
    await removeRun(services, names, { keepDatabase: keep });
    record.forget();
    if (keep) progress.note(`kept the database ${names.database}`);
  });
  const databaseUrl = await createDatabase(services.databaseUrl, names.database);
  const env = serviceEnvironment({ databaseUrl, rabbitmqUrl: services.rabbitmqUrl, names });
  await progress.step('creating the schema and the topics', async () => {
    await runNode(['dist/database/migrate.js'], { env, signal: interrupted });
    await runNode(['dist/cli.js', 'topics', 'import', topicsFile], { env, signal: interrupted });
  });

  // From here on a service process that dies ends the demo just as Ctrl-C does.
  const running = new AbortController();
  interrupted.addEventListener('abort', () => running.abort(interrupted.reason), { once: true });
  const signal = running.signal;
  const logs = join(checkoutDir, '.local', 'demo-logs', names.run);
  mkdirSync(logs, { recursive: true });
  /** @param {'api' | 'worker'} role @param {number} port */
  const start = (role, port) => {
    const service = startService({
      role,
      env: { ...env, PORT: String(port) },
      log: join(logs, `${role}.log`),
      onDeath: (error) => running.abort(error),
    });
    record.add(service.process);
    onExit(`the ${role} process`, async () => {
      await progress.step(`draining the ${role}`, service.drain);
      progress.note(`${role}: ${lastWord(service.log)}`);
    });
    return service;
  };
  const [workerUrl, apiUrl] = await progress.step('starting worker and api', () =>
    // One demo at a time: between finding the usual port free and listening on it, another would find it free too.
    withLock(
      join(checkoutDir, '.local', 'demo-start-lock'),
      async () => {
        const both = [start('worker', 0), start('api', (await isFree(USUAL_PORT)) ? USUAL_PORT : 0)]; // drained the other way round
        return Promise.all(both.map((service) => whenReady(service, signal)));
      },
      { signal },
    ),
  );

  const broker = await connectBroker(services.rabbitmqUrl, names.queue);
  const client = createClient({ apiUrl: apiUrl ?? '', env, signal });
  const live = liveLine();
  const sent = await progress.step(`playing ${steps.length} samples`, async () => {
    try {
      return await play(steps, { client, broker, signal, show: live.show });
    } finally {
      live.end();
      await broker.close().catch(() => undefined); // after an outage it is closed already
    }
  });
  const children = await Promise.all(
    expected.children.map(async ({ user_id }) => ({ ...(await client.friendship(user_id)), user_id })),
  );
  totals = totalsOf(sent);
  const found = differences(expected, { children, sent, totals });
  print('', childrenTable(children), '', oddTable(sent), '', totalsLine(totals), verdict(found), '');

  if (!exit) {
    print(
      ...addresses({
        apiUrl: apiUrl ?? '',
        workerUrl: workerUrl ?? '',
        userId: expected.children[0]?.user_id ?? '',
        logs,
      }),
    );
    if (!signal.aborted) await once(signal, 'abort');
    if (!interrupted.aborted) signal.throwIfAborted(); // a process died
  }
  return found.length === 0 ? 0 : 1;
}

/**
 * The caller's settings of size and speed count; what decides the result is fixed.
 * @param {{ databaseUrl: string, rabbitmqUrl: string, names: import('./demo/names.mjs').RunNames }} options
 * @returns {NodeJS.ProcessEnv}
 */
function serviceEnvironment({ databaseUrl, rabbitmqUrl, names }) {
  return {
    ...process.env,
    NODE_ENV: 'development',
    HOST: '127.0.0.1',
    DATABASE_URL: databaseUrl,
    RABBITMQ_URL: rabbitmqUrl,
    RABBITMQ_EXCHANGE: names.exchange,
    RABBITMQ_QUEUE: names.queue,
    RABBITMQ_RPC_QUEUE: names.rpcQueue,
    RETRY_DELAYS,
    API_KEYS: '',
    SCORING_SKIP_BOT_TYPES: 'NEXT_LESSON',
    BUSINESS_TIME_ZONE: 'Asia/Ho_Chi_Minh',
    MESSAGE_CONCURRENCY_PER_WORKER: process.env.MESSAGE_CONCURRENCY_PER_WORKER || '10',
    RABBITMQ_CHANNELS: process.env.RABBITMQ_CHANNELS || '2',
    LOG_FORMAT: 'json',
    LOG_LEVEL: process.env.LOG_LEVEL || 'info',
  };
}

/** @param {import('./demo/samples.mjs').Totals} totals */
function totalsLine({ posted, direct, processed, skipped, deadLettered, duplicates, rejected }) {
  return `${posted} posted + ${direct} put on the queue = ${processed} processed + ${skipped} skipped + ${deadLettered} dead-lettered + ${duplicates} duplicates + ${rejected} rejected`;
}

/** @param {string[]} found */
function verdict(found) {
  if (found.length === 0) return 'All as expected in samples/expected.json.';
  return [`${found.length} differences from samples/expected.json:`, ...found.map((line) => `  ${line}`)].join('\n');
}

/** @param {{ apiUrl: string, workerUrl: string, userId: string, logs: string }} options */
function addresses({ apiUrl, workerUrl, userId, logs }) {
  return [
    `API docs   ${apiUrl}/docs`,
    `Health     ${apiUrl}/health/ready and ${workerUrl}/health/ready`,
    `Try        curl ${apiUrl}/v1/friendship/${userId}`,
    `Logs       ${logs}`,
    'Ctrl-C drains and ends it.',
  ];
}

function print(/** @type {string[]} */ ...lines) {
  process.stdout.write(`${lines.join('\n')}\n`);
}

await runCommand(main);
