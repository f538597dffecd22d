// @ts-check
/** Loaded before a process's own code (`node -r`): notes which conversations came to it more than once. Changes nothing. */
require('reflect-metadata');
const { appendFileSync } = require('node:fs');
const { join } = require('node:path');

const { CHAOS_DIST = '', CHAOS_WITNESS = '' } = process.env;
const { Deliveries } = require(join(CHAOS_DIST, 'messaging', 'deliveries.js'));

const { settle } = Deliveries.prototype;
if (typeof settle !== 'function') throw new Error('Expected Deliveries.settle, which the chaos test looks at.');

/** @param {import('amqplib').ConsumeMessage} raw @param {...unknown} rest */
Deliveries.prototype.settle = function (raw, ...rest) {
  const { fields, properties, content } = raw;
  const how = fields.redelivered
    ? 'redelivered'
    : properties.headers?.['x-attempts'] !== undefined
      ? 'retried'
      : undefined;
  if (how) {
    try {
      appendFileSync(CHAOS_WITNESS, `${JSON.stringify({ how, id: JSON.parse(content.toString()).conversation_id })}\n`);
    } catch {
      // no JSON: poison
    }
  }
  return settle.call(this, raw, ...rest);
};
