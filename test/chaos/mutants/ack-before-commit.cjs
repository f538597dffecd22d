// @ts-check
/** Mutant: a message is acknowledged when it arrives. A worker that dies takes with it what it had not committed. */
require('reflect-metadata');
const { join } = require('node:path');
const { Deliveries } = require(join(process.env.CHAOS_DIST ?? '', 'messaging', 'deliveries.js'));

const { settle } = Deliveries.prototype;
if (typeof settle !== 'function') throw new Error('Expected Deliveries.settle to mutate.');

/** @param {...unknown} args */
Deliveries.prototype.settle = function (...args) {
  settle.apply(this, args).catch(() => undefined);
  return Promise.resolve();
};
