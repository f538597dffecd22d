// @ts-check
/** A real system of one run's own: PostgreSQL and RabbitMQ, the build's schema, api and worker processes, and two who look at it from outside. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled } from '../../scripts/prepare.mjs';
import { lastLines, run as runProgram } from '../../scripts/processes.mjs';
import { checkoutDir } from '../../scripts/services/checkout.mjs';
import { TOPICS } from './conversations.mjs';
import { createFleet, SHUTDOWN_TIMEOUT_MS } from './fleet.mjs';
import { createQueues } from './queues.mjs';
import { createRunFolder, removeKilledRuns } from './run-folder.mjs';
import { createServers } from './servers.mjs';

export const QUEUE = 'conversation_events_processing';
const RETRY_DELAYS_MS = [1_000, 2_000, 4_000, 8_000];

/** As the service is told. */
export const RETRY_DELAYS = RETRY_DELAYS_MS.map((wait) => `${wait}ms`).join(',');

/** Every queue in which a message may wait. */
export const QUEUES = [QUEUE, ...RETRY_DELAYS_MS.map((wait) => `${QUEUE}.retry.${wait}ms`), `${QUEUE}.dead-letters`];

/**
 * Starts everything, and has it ended when the command ends.
 * @param {object} options
 * @param {import('../../scripts/progress.mjs').Progress} options.progress
 * @param {AbortSignal} options.signal
 * @param {import('../../scripts/command.mjs').CommandContext['onExit']} options.onExit
 * @param {number} options.apis
 * @param {number} options.workers
 * @param {number} [options.places] for workers: as many as may run at once, draining ones included
 * @param {number} [options.nodes] of RabbitMQ: 1, or 3 for a cluster
 * @param {string[]} [options.preload] scripts of test/chaos that every process loads first
 * @param {NodeJS.ProcessEnv} [options.settings] of the service, beside those of {@link serviceEnvironment}
 * @param {{ plugins: string[], settings: string[], ctl: string[] }} [options.broker] of RabbitMQ: plugins, further lines of rabbitmq.conf, and
 *   a command of rabbitmqctl that comes before any queue
 */
export async function startSystem(options) {
  const { progress, signal, onExit, apis, workers, places, nodes = 1, preload = [], settings = {}, broker } = options;
  await ensureInstalled({ progress, signal });
  await ensureBuilt({ progress, signal });
  await removeKilledRuns(progress.note);
  const run = `${new Date().toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}-${process.pid}`;
  const folder = createRunFolder(run);
  let clean = false;
  onExit('the folder of the run', async () => {
    if (clean) folder.remove();
    else {
      folder.keepLogs();
      progress.note(`logs and findings: ${folder.path}`);
    }
  });
  const dist = folder.copyBuild();

  const servers = await createServers({
    progress,
    run,
    logs: folder.path,
    nodes,
    plugins: broker?.plugins,
    brokerSettings: broker?.settings,
    signal,
    onProcess: folder.note,
  });
  onExit('the servers', () => progress.step('stopping the servers', servers.stop));
  await progress.step(
    `starting PostgreSQL and ${nodes > 1 ? `${nodes} nodes of RabbitMQ` : 'RabbitMQ'}`,
    servers.start,
  );
  if (broker) await servers.broker.ctl(broker.ctl);
  const env = { ...serviceEnvironment(servers, apis, workers), ...settings };
  await createSchema(dist, env, folder.path, signal);

  const fleet = await createFleet({
    dist,
    env,
    logs: folder.path,
    database: servers.database,
    broker: servers.broker,
    apis,
    workers,
    places,
    preload: preload.map((script) => join(checkoutDir, 'test', 'chaos', `${script}.cjs`)),
    onProcess: folder.note,
    note: progress.note,
  });
  onExit('the processes', fleet.end);
  await progress.step(`starting ${apis} api and ${workers} worker processes`, () => fleet.start(signal));

  const { default: pg } = await import('pg');
  const database = new pg.Pool({
    connectionString: servers.database.url,
    max: 2,
    connectionTimeoutMillis: 5_000,
    query_timeout: 30_000,
  });
  database.on('error', () => undefined); // it is killed now and then
  onExit('the observer', () => database.end());
  const queues = await createQueues({ url: () => servers.broker.url, signal });
  onExit('the publisher', queues.close);
  return {
    folder: folder.path,
    servers,
    fleet,
    database,
    queues,
    apiUrls: fleet.apis.map(({ url }) => url),
    /** Nothing of the run needs to be looked at. */
    forgetLogs: () => void (clean = true),
  };
}

/**
 * Short waits, so that much happens in a minute.
 * @param {import('./servers.mjs').Servers} servers @param {number} apis @param {number} workers
 * @returns {NodeJS.ProcessEnv}
 */
function serviceEnvironment(servers, apis, workers) {
  return {
    PATH: process.env.PATH,
    NODE_ENV: 'test',
    HOST: '127.0.0.1',
    LOG_FORMAT: 'json',
    LOG_LEVEL: 'debug', // the verdict reads who processed what
    DATABASE_URL: servers.database.url,
    RABBITMQ_URL: servers.broker.url,
    RABBITMQ_QUEUE: QUEUE,
    RETRY_DELAYS,
    // The sweeper's grace time is twice this.
    DATABASE_STATEMENT_TIMEOUT: '2s',
    // Logins are slow while a busy machine brings everything back at once.
    DATABASE_TIMEOUT: '4s',
    DATABASE_POOL_SIZE: '10',
    SHUTDOWN_TIMEOUT: `${SHUTDOWN_TIMEOUT_MS}ms`,
    MESSAGE_CONCURRENCY_PER_WORKER: '10',
    RABBITMQ_CHANNELS: '2',
    WORKER_REPLICAS: String(workers),
    API_REPLICAS: String(apis),
  };
}

/** @param {string} dist @param {NodeJS.ProcessEnv} env @param {string} folder @param {AbortSignal} signal */
async function createSchema(dist, env, folder, signal) {
  const topics = join(folder, 'topics.csv');
  writeFileSync(topics, ['agent_tag,topic_id', ...[...TOPICS].map(([tag, topic]) => `${tag},${topic}`), ''].join('\n'));
  for (const args of [['database/migrate.js'], ['cli.js', 'topics', 'import', topics]]) {
    const [script = '', ...rest] = args;
    const { code, output } = await runProgram(process.execPath, [join(dist, script), ...rest], {
      env,
      signal,
      timeoutMs: 60_000,
    });
    signal.throwIfAborted();
    if (code !== 0) throw new Error(`\`node ${script}\` ended with code ${code}:\n${lastLines(output)}`);
  }
}

/** @typedef {Awaited<ReturnType<typeof startSystem>>} System */
