// @ts-check
/** Everything a run of the demo creates outside its own processes has a name with the run's random word in it, and is listed here. */
import { randomBytes } from 'node:crypto';

/** The service's own defaults, given explicitly: the names of the retry queues follow from them. */
const RETRY_DELAYS_MS = [5_000, 30_000, 120_000, 600_000];

export const RETRY_DELAYS = RETRY_DELAYS_MS.map((delay) => `${delay}ms`).join(',');

/**
 * @typedef {object} RunNames
 * @property {string} run
 * @property {string} database
 * @property {string} exchange
 * @property {string} queue
 * @property {string} rpcQueue
 */

/** @returns {RunNames} */
export function createNames() {
  const run = randomBytes(4).toString('hex');
  return {
    run,
    database: `friendship_demo_${run}`,
    exchange: `demo_${run}_conversation_exchange`,
    queue: `demo_${run}_conversation_events_processing`,
    rpcQueue: `demo_${run}_friendship_rpc`,
  };
}

/** @param {RunNames} names */
export function queuesOf({ queue, rpcQueue }) {
  const retries = RETRY_DELAYS_MS.map((delay) => `${queue}.retry.${delay}ms`);
  return [queue, ...retries, `${queue}.dead-letters`, rpcQueue];
}
