// @ts-check
/**
 * Loaded before the service by the question `observability` (`node --require`): nothing is counted, timed or told, as if neither metrics
 * nor the operators' page had ever been built. The product itself has no such switch.
 */
require('reflect-metadata');
const { join } = require('node:path');
const prometheus = require('prom-client');

const nothing = () => undefined;

/** @param {object} prototype @param {string[]} methods */
function silence(prototype, methods) {
  const known = /** @type {Record<string, unknown>} */ (prototype);
  for (const method of methods) {
    if (typeof known[method] !== 'function') throw new Error(`Expected a method ${method} to silence, got none.`);
    known[method] = nothing;
  }
}

// What `inc` and `observe` are by default.
silence(prometheus.Counter.prototype, ['incWithoutExemplar']);
silence(prometheus.Gauge.prototype, ['inc', 'dec', 'set']);
silence(prometheus.Histogram.prototype, ['observeWithoutExemplar']);
// It observes every garbage collection, and the delay of the event loop.
silence(prometheus, ['collectDefaultMetrics']);

const dist = join(__dirname, '..', '..', 'dist');
const { Telemetry } = require(join(dist, 'observability', 'telemetry.js'));
silence(Telemetry.prototype, ['onApplicationBootstrap']);
