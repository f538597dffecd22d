// @ts-check
/** Everything that can take messages from the queue, as data. What each does and leaves out stands at the top of its program. */
import { join } from 'node:path';
import { checkoutDir } from '../../scripts/services/checkout.mjs';
import { PYTHON } from './python/install.mjs';

/** @typedef {import('../contender.mjs').Contender} Contender */

const peer = (/** @type {string} */ file) => join(checkoutDir, 'bench', 'peers', file);

/**
 * The service as it is deployed: `node dist/main.js`.
 * @param {{ concurrency?: number, group?: number, processes?: number, channels?: number, env?: NodeJS.ProcessEnv }} [settings]
 * @returns {Contender}
 */
export function service({ concurrency = 10, group = 1, processes = 1, channels = 1, env = {} } = {}) {
  return {
    series: `service ${settings({ W: processes, C: concurrency, group })}`,
    what:
      group === 1 ? 'this service, a commit for each message' : `this service, up to ${group} messages in one commit`,
    command: [process.execPath, join(checkoutDir, 'dist', 'main.js')],
    env: {
      APP_ROLE: 'worker',
      MESSAGE_CONCURRENCY_PER_WORKER: String(concurrency),
      RABBITMQ_CHANNELS: String(channels),
      COMMIT_GROUP_SIZE: String(group),
      ...env,
    },
    processes,
  };
}

/** @param {{ concurrency?: number, processes?: number }} [settings] @returns {Contender} */
export function plain({ concurrency = 10, processes = 1 } = {}) {
  return {
    series: `plain ${settings({ W: processes, C: concurrency })}`,
    what: 'amqplib and pg alone, with the same named statements (load, apply)',
    command: [process.execPath, peer('plain.mjs')],
    env: { MESSAGE_CONCURRENCY_PER_WORKER: String(concurrency) },
    processes,
  };
}

/** `W=2 C=10 group=100`; what is 1 is left out. @param {Record<string, number>} values */
function settings(values) {
  return Object.entries(values)
    .filter(([name, value]) => name === 'C' || value !== 1)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

const PYTHON_PEERS = {
  sequential: {
    series: 'Python, one by one',
    what: 'pika and SQLAlchemy, prefetch 1, commit after commit',
    concurrency: 1,
  },
  threads: {
    series: 'Python, 10 threads',
    what: 'pika and SQLAlchemy, 10 threads, several commits for each message',
    concurrency: 10,
  },
  'one-commit': {
    series: 'Python, 10 threads, one commit',
    what: 'the same threads, one transaction for each message',
    concurrency: 10,
  },
};

/** @param {keyof typeof PYTHON_PEERS} mode @returns {Contender} */
export function python(mode) {
  const { series, what, concurrency } = PYTHON_PEERS[mode];
  return {
    series,
    what,
    interpreted: true,
    command: [PYTHON, peer('python/peer.py'), '--mode', mode],
    env: { MESSAGE_CONCURRENCY_PER_WORKER: String(concurrency), PYTHONDONTWRITEBYTECODE: '1' },
  };
}

/** @returns {Contender} */
export function nestTransport({ concurrency = 10 } = {}) {
  return {
    series: `Nest transport C=${concurrency}`,
    what: "Nest's own RabbitMQ transport, TypeORM entities in a transaction",
    command: [process.execPath, peer('nest-transport.mjs')],
    env: { MESSAGE_CONCURRENCY_PER_WORKER: String(concurrency) },
  };
}

/** @returns {Contender} */
export function golevelupEntities({ concurrency = 10 } = {}) {
  return {
    series: `golevelup + entities C=${concurrency}`,
    what: 'golevelup, TypeORM entities in a transaction',
    command: [process.execPath, peer('golevelup-entities.mjs')],
    env: { MESSAGE_CONCURRENCY_PER_WORKER: String(concurrency) },
  };
}

/** The service's api role. @param {NodeJS.ProcessEnv} env @returns {Contender} */
export function api(env) {
  return {
    series: 'api',
    what: "this service's api: validated, stored, queued",
    command: [process.execPath, join(checkoutDir, 'dist', 'main.js')],
    env: { APP_ROLE: 'api', ...env },
  };
}

/** @returns {Contender} */
export function bareFastify() {
  return {
    series: 'bare Fastify',
    what: 'a limit: Fastify, one INSERT, one confirmed publish, no validation',
    command: [process.execPath, peer('bare-fastify.mjs')],
  };
}
