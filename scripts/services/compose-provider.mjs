// @ts-check
/** PostgreSQL and RabbitMQ as the containers `postgres` and `rabbitmq` of docker-compose.yml, in a project of this checkout's own. */
import { join } from 'node:path';
import { lastLines, run } from '../processes.mjs';
import { checkoutDir, checkoutHash, credentials, writeState } from './checkout.mjs';
import { isOnPath } from './find-binaries.mjs';
import { choosePorts } from './ports.mjs';
import { postgresAnswers, rabbitmqAnswers } from './probe.mjs';

/** Not the name that an operator's own `docker compose up` in this folder gets. */
const PROJECT = `friendship-services-${checkoutHash}`;

const SERVICES = ['postgres', 'rabbitmq'];

/** An engine that hangs must not hold up the start: there are other ways. */
const ENGINE_TIMEOUT_MS = 5_000;
const PULL_TIMEOUT_MS = 5 * 60_000;
const START_TIMEOUT_MS = 2 * 60_000;

/** @type {import('./provider.mjs').Provider} */
export const composeProvider = {
  source: 'compose',

  async start({ progress, signal, current }) {
    const unavailable = (await engineIsMissing()) ?? (await imagesAreMissing({ progress, signal }));
    signal.throwIfAborted();
    if (unavailable !== undefined) return { unavailable };

    const known = current?.source === 'compose' ? current.ports : undefined;
    const ports = known ?? (await choosePorts(['postgres', 'amqp']));
    const { user, password, database } = credentials();
    const state = {
      source: /** @type {const} */ ('compose'),
      ports,
      databaseUrl: `postgresql://${user}:${password}@127.0.0.1:${ports.postgres}/${database}`,
      rabbitmqUrl: `amqp://${user}:${password}@127.0.0.1:${ports.amqp}`,
    };
    writeState('state.json', state); // from here on there may be something to stop
    const up = await progress.step(
      'starting PostgreSQL and RabbitMQ with Docker Compose',
      () => compose(['up', '--detach', '--wait', ...SERVICES], { ports, timeoutMs: START_TIMEOUT_MS, signal }),
      ({ code }) => code !== 0,
    );
    signal.throwIfAborted();
    if (up.code === 0 && (await composeProvider.isHealthy(state))) return { state };
    await composeProvider.stop(state);
    const reason =
      up.code === 0
        ? 'the containers are up, but their ports do not answer'
        : `\`docker compose up\` ended with code ${up.code}:\n${lastLines(up.output, 8)}`;
    return { unavailable: reason };
  },

  async isHealthy({ ports }) {
    const target = { host: '127.0.0.1', ...credentials() };
    return (
      await Promise.all([
        postgresAnswers({ ...target, port: ports.postgres }),
        rabbitmqAnswers({ ...target, port: ports.amqp }),
      ])
    ).every(Boolean);
  },

  stop: ({ ports }) => down(['--remove-orphans'], ports),

  async wipe() {
    // An engine that is slow is waited for here: it may hold data, and "deleted" must be true.
    if ((await engineIsMissing(START_TIMEOUT_MS)) === undefined) await down(['--remove-orphans', '--volumes']);
  },
};

/** @returns {Promise<string | undefined>} why not */
async function engineIsMissing(timeoutMs = ENGINE_TIMEOUT_MS) {
  if (!isOnPath('docker')) return 'no docker command found';
  const [engine, plugin] = await Promise.all([
    run('docker', ['version', '--format', '{{.Server.Version}}'], { timeoutMs }),
    run('docker', ['compose', 'version'], { timeoutMs }),
  ]);
  if (engine.code === 124) return `the Docker engine did not answer within ${timeoutMs / 1000} s`;
  if (engine.code !== 0 || engine.stdout.trim() === '') return 'no Docker engine answers';
  return plugin.code === 0 ? undefined : 'Docker has no compose plugin';
}

/**
 * @param {string[]} flags
 * @param {{ postgres: number, amqp: number }} [ports]
 */
async function down(flags, ports) {
  const { code, output } = await compose(['down', ...flags], { ports, timeoutMs: START_TIMEOUT_MS });
  if (code !== 0)
    throw new Error(`\`docker compose down\` of project ${PROJECT} ended with code ${code}:\n${lastLines(output, 8)}`);
}

/**
 * @param {{ progress: import('../progress.mjs').Progress, signal: AbortSignal }} options
 * @returns {Promise<string | undefined>} why not
 */
async function imagesAreMissing({ progress, signal }) {
  const config = await compose(['config', '--images', ...SERVICES], { timeoutMs: 15_000, signal });
  if (config.code !== 0) return `docker-compose.yml cannot be read:\n${lastLines(config.output, 5)}`;
  const images = config.stdout.split('\n').filter(Boolean);
  const present = await Promise.all(
    images.map((image) => run('docker', ['image', 'inspect', image], { timeoutMs: 15_000, signal })),
  );
  if (present.every(({ code }) => code === 0)) return undefined;
  const pull = await progress.step(
    `pulling ${images.join(' and ')}`,
    () => compose(['pull', '--quiet', ...SERVICES], { timeoutMs: PULL_TIMEOUT_MS, signal }),
    ({ code }) => code !== 0,
  );
  return pull.code === 0 ? undefined : `the images could not be pulled:\n${lastLines(pull.output, 3)}`;
}

/**
 * @param {string[]} args
 * @param {{ ports?: { postgres: number, amqp: number }, timeoutMs: number, signal?: AbortSignal }} options
 */
function compose(args, { ports, timeoutMs, signal }) {
  const { user, password, database } = credentials();
  const env = {
    ...process.env,
    // What the environment says wins over an operator's .env, which is meant for their own project.
    POSTGRES_USER: user,
    POSTGRES_PASSWORD: password,
    POSTGRES_DB: database,
    RABBITMQ_USER: user,
    RABBITMQ_PASSWORD: password,
    ...(ports ? { POSTGRES_PORT: String(ports.postgres), RABBITMQ_PORT: String(ports.amqp) } : {}),
  };
  const file = join(checkoutDir, 'docker-compose.yml');
  return run('docker', ['compose', '--project-name', PROJECT, '--file', file, ...args], { env, timeoutMs, signal });
}
