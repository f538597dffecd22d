// @ts-check
/**
 * Loaded before a process's own code (`node -r`): conversations of some children behave badly when they are worked on, as bugs and slow
 * neighbours do. `failing-…`: an error every time. `killer-…`: the process dies at once. `slow-…`: some time passes first.
 */
require('reflect-metadata');
const { join } = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');

const { CHAOS_DIST = '' } = process.env;
const { ConversationEventsRepository } = require(
  join(CHAOS_DIST, 'conversation-events', 'conversation-events.repository.js'),
);

/** Milliseconds. */
const SLOW = 500;

const { load } = ConversationEventsRepository.prototype;
if (typeof load !== 'function') throw new Error('Expected ConversationEventsRepository.load to change.');

/** @param {...unknown} args */
ConversationEventsRepository.prototype.load = async function (...args) {
  const event = await load.apply(this, args);
  if (event?.status !== 'PENDING') return event;
  const [behaviour] = event.user_id.split('-');
  if (behaviour === 'killer') process.kill(process.pid, 'SIGKILL');
  if (behaviour === 'slow') await delay(SLOW);
  if (behaviour === 'failing') throw Object.assign(new Error('as the test asks for'), { code: '40001' });
  return event;
};
