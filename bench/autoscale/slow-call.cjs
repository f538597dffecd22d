// @ts-check
/**
 * Loaded before a worker's own code (`node -r`): every message first makes a call of AUTOSCALE_CALL_MS that uses no CPU, and a worker makes
 * AUTOSCALE_CALLS of them at once, as where a service elsewhere allows no more. So a worker's rate is calls / time whatever its prefetch,
 * and what it holds beyond that many waits in it. One line for each message: when it came, when its call began, when its call ended.
 */
require('reflect-metadata');
const { appendFileSync } = require('node:fs');
const { join } = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');

const { CHAOS_DIST = '', CHAOS_WITNESS = '', AUTOSCALE_CALL_MS, AUTOSCALE_CALLS } = process.env;
const { Deliveries } = require(join(CHAOS_DIST, 'messaging', 'deliveries.js'));

const callMs = Number(AUTOSCALE_CALL_MS);
let free = Number(AUTOSCALE_CALLS);
/** @type {(() => void)[]} */
const waiting = [];

async function call() {
  if (free > 0) free--;
  else await new Promise((resolve) => void waiting.push(() => resolve(undefined)));
  const begun = Date.now();
  await delay(callMs);
  const next = waiting.shift();
  if (next) next();
  else free++;
  return begun;
}

const { settle } = Deliveries.prototype;
if (typeof settle !== 'function') throw new Error('Expected Deliveries.settle, before which the call is made.');

/** @param {unknown} raw @param {string} queue @param {(message: unknown) => Promise<unknown>} handler @param {...unknown} rest */
Deliveries.prototype.settle = function (raw, queue, handler, ...rest) {
  const came = Date.now();
  const later = async (/** @type {unknown} */ message) => {
    const begun = await call();
    appendFileSync(`${CHAOS_WITNESS}.calls`, `${came} ${begun} ${Date.now()}\n`);
    return handler(message);
  };
  return settle.call(this, raw, queue, later, ...rest);
};
