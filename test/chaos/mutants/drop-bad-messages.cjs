// @ts-check
/** Mutant: what can never be counted is acknowledged and forgotten, as a handler with an empty catch does. */
require('reflect-metadata');
const { join } = require('node:path');
const { Deliveries } = require(join(process.env.CHAOS_DIST ?? '', 'messaging', 'deliveries.js'));

const { settle } = Deliveries.prototype;
if (typeof settle !== 'function') throw new Error('Expected Deliveries.settle to mutate.');

/** @param {unknown} raw @param {string} queue @param {(message: unknown) => Promise<{ kind: string }>} handler @param {...unknown} rest */
Deliveries.prototype.settle = function (raw, queue, handler, ...rest) {
  const forgetful = async (/** @type {unknown} */ message) => {
    const outcome = await handler(message);
    return outcome.kind === 'deadLetter' ? { kind: 'ack' } : outcome;
  };
  return settle.call(this, raw, queue, forgetful, ...rest);
};
