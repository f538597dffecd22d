// @ts-check
/** The stack of docker-compose.yml as a project of one run's own, with a folder of its own: an operator's .env and containers are left alone. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { lastLines, poll } from '../processes.mjs';
import { checkoutDir, createServicesDir } from '../services/checkout.mjs';
import { choosePorts } from '../services/ports.mjs';

const COMPOSE_FILE = join(checkoutDir, 'docker-compose.yml');

const UP_TIMEOUT_MS = 4 * 60_000;
const DOWN_TIMEOUT_MS = 3 * 60_000;
const COMMAND_TIMEOUT_MS = 2 * 60_000;

/** Docker tells of an end as soon as it happens; a busy machine is given this long. */
const END_TIMEOUT_MS = 30_000;

/** The services whose output is kept and whose end is judged. */
const OWN_SERVICES = /** @type {const} */ (['api', 'worker']);

/** @typedef {{ service: 'api' | 'worker', exitCode: number, log: string }} End */

/**
 * @param {object} options
 * @param {import('./engine.mjs').Engine} options.engine
 * @param {string} options.project
 * @param {string} options.folder
 * @param {Record<string, string>} options.images values of SERVICE_IMAGE, POSTGRES_IMAGE and RABBITMQ_IMAGE
 * @param {Record<string, string>} options.settings of the service, as an operator writes them into .env
 * @param {AbortSignal} options.signal
 */
export async function createStack({ engine, project, folder, images, settings, signal }) {
  createServicesDir();
  const ports = await choosePorts(['compose-api', 'compose-postgres', 'compose-amqp']);
  const password = randomBytes(12).toString('hex');
  writeFileSync(
    join(folder, '.env'),
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  /** @type {NodeJS.ProcessEnv} */
  const env = {
    ...withoutOperatorsOwn(),
    ...images,
    LOG_LEVEL: 'debug', // the verdict reads who processed what
    API_PORT: String(ports['compose-api']),
    POSTGRES_PORT: String(ports['compose-postgres']),
    RABBITMQ_PORT: String(ports['compose-amqp']),
    POSTGRES_PASSWORD: password,
    RABBITMQ_PASSWORD: password,
  };
  const prefix = ['compose', '--project-name', project, '--project-directory', folder, '--file', COMPOSE_FILE];

  /**
   * @param {string[]} args
   * @param {{ timeoutMs?: number, input?: string, replicas?: number, ending?: boolean }} [options] ending: an interrupted run does it all the same
   */
  const compose = async (args, { timeoutMs = COMMAND_TIMEOUT_MS, input, replicas, ending = false } = {}) => {
    const { code, stdout, output } = await engine.docker([...prefix, ...args], {
      env: { ...env, ...(replicas === undefined ? {} : { WORKER_REPLICAS: String(replicas) }) },
      timeoutMs,
      input,
      ...(ending ? {} : { signal }),
    });
    if (!ending) signal.throwIfAborted();
    if (code !== 0)
      throw new Error(`\`docker compose ${args.join(' ')}\` ended with code ${code}:\n${lastLines(output, 25)}`);
    return stdout;
  };

  /** @type {Map<string, number>} exit codes by container */
  const ended = new Map();
  const events = engine.follow([
    'events',
    ...['type=container', 'event=die', `label=com.docker.compose.project=${project}`].flatMap((filter) => [
      '--filter',
      filter,
    ]),
    ...['--format', '{{json .}}'],
  ]);
  createInterface({ input: events.stdout }).on('line', (line) => {
    const { Actor } = JSON.parse(line);
    ended.set(Actor.ID, Number(Actor.Attributes.exitCode));
  });

  /** @type {Map<string, { service: End['service'], log: string, read: Promise<unknown> }>} by container */
  const followed = new Map();
  const follow = async () => {
    for (const service of OWN_SERVICES) {
      for (const container of await containers(service)) {
        if (followed.has(container)) continue;
        const log = join(folder, `${service}-${followed.size}.log`);
        // Attached to its output itself: what is asked from the engine's log may miss the last lines of a container that is removed.
        const following = engine.follow(['attach', '--no-stdin', '--sig-proxy=false', container]);
        following.stdout.pipe(createWriteStream(log, { mode: 0o600 }));
        followed.set(container, { service, log, read: once(following, 'close') });
      }
    }
  };

  /** @param {string} service @returns {Promise<string[]>} full ids */
  const containers = async (service) =>
    (await compose(['ps', '--quiet', '--no-trunc', service])).split('\n').filter(Boolean);

  let isDown = false;
  return {
    apiUrl: `http://127.0.0.1:${ports['compose-api']}`,
    databaseUrl: `postgresql://friendship:${password}@127.0.0.1:${ports['compose-postgres']}/friendship`,
    rabbitmqUrl: `amqp://friendship:${password}@127.0.0.1:${ports['compose-amqp']}`,
    containers,
    /** Brings the stack to this many workers and waits until all are healthy. @param {number} replicas */
    up: async (replicas) => {
      await compose(['up', '--detach', '--wait'], { replicas, timeoutMs: UP_TIMEOUT_MS });
      await follow();
    },
    /** @param {string} service */
    restart: (service) => compose(['restart', service]),
    /** Stops all, those first that need others; every process gets the time to end that docker-compose.yml gives it. */
    stop: () => compose(['stop']),
    /** Runs the service's own command line in a worker's container. @param {string[]} command @param {string} [input] */
    exec: (command, input) => compose(['exec', '--no-TTY', 'worker', ...command], { input }),
    /** How every api and worker ended that ever ran, when all have. @returns {Promise<End[]>} */
    ends: async () => {
      const all = [...followed];
      const over = async () => (all.every(([container]) => ended.has(container)) ? true : undefined);
      await poll(over, { timeoutMs: END_TIMEOUT_MS, signal });
      return Promise.all(
        all.map(async ([container, { service, log, read }]) => {
          const exitCode = ended.get(container);
          if (exitCode === undefined)
            throw new Error(`Expected ${service} ${container.slice(0, 12)} to have ended; it has not.`);
          await read;
          return { service, exitCode, log };
        }),
      );
    },
    /** Removes containers, networks and volumes; whatever happened before. @returns {Promise<string[]>} what is left of the project all the same */
    down: async () => {
      if (isDown) return [];
      events.kill();
      await compose(['down', '--volumes', '--remove-orphans'], {
        timeoutMs: DOWN_TIMEOUT_MS,
        replicas: 0,
        ending: true,
      });
      isDown = true;
      const filter = ['--quiet', '--filter', `label=com.docker.compose.project=${project}`];
      const lists = await Promise.all(
        [
          ['ps', '--all'],
          ['volume', 'ls'],
          ['network', 'ls'],
        ].map((command) => engine.docker([...command, ...filter])),
      );
      return lists.flatMap(({ stdout }) => stdout.split('\n').filter(Boolean));
    },
  };
}

/** What docker-compose.yml would take from the environment. @returns {NodeJS.ProcessEnv} */
function withoutOperatorsOwn() {
  const names = [...readFileSync(COMPOSE_FILE, 'utf8').matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name);
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

/** @typedef {Awaited<ReturnType<typeof createStack>>} Stack */
