// @ts-check
/** Everything that can take messages from the queue, as data. What each does and leaves out stands at the top of its program. */
import { join } from 'node:path';
import { checkoutDir } from '../../scripts/services/checkout.mjs';

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
