// @ts-check
/**
 * Loaded before a process's own code (`node -r`): conversations of some children behave badly when they are worked on, as bugs and slow
 * neighbours do. `failing-…`: an error every time. `killer-…`: the process dies at once. `slow-…`: some time passes first.
 */
require('reflect-metadata');
const { join } = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');

const { CHAOS_DIST = '' } = process.env;
const { CommitGroups } = require(join(CHAOS_DIST, 'conversation-events', 'commit-groups.js'));

/** Milliseconds. */
const SLOW = 500;

// Where one message is loaded, whether it shares a statement with others or not.
const { load } = CommitGroups.prototype;
if (typeof load !== 'function') throw new Error('Expected CommitGroups.load to change.');

/** @param {...unknown} args */
CommitGroups.prototype.load = async function (...args) {
  const event = await load.apply(this, args);
  if (event?.status !== 'PENDING') return event;
  const [behaviour] = event.user_id.split('-');
  if (behaviour === 'killer') process.kill(process.pid, 'SIGKILL');
  if (behaviour === 'slow') await delay(SLOW);
  if (behaviour === 'failing') throw Object.assign(new Error('as the test asks for'), { code: '40001' });
  return event;
};
