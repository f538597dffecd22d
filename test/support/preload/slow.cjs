/**
 * Loaded before the service by a test (`node --require`): every message takes SLOW_MS longer before anything is done for it,
 * as an analysis or a busy database would make it.
 */
require('reflect-metadata');
const { join } = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');

const { ConversationProcessingService } = require(
  join(__dirname, '..', '..', '..', 'dist', 'conversation-events', 'conversation-processing.service.js'),
);

const { process: work } = ConversationProcessingService.prototype;
if (typeof work !== 'function') throw new Error('Expected ConversationProcessingService.process to slow down.');
const { SLOW_MS } = process.env;

ConversationProcessingService.prototype.process = async function (...args) {
  await delay(Number(SLOW_MS));
  return work.apply(this, args);
};
