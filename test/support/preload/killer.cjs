/**
 * Loaded before the service by a test (`node --require`): whoever scores a conversation of the child `child-killer` ends the
 * process at once, as a bug in native code or a lack of memory would.
 */
const { join } = require('node:path');

const { ConversationEventsRepository } = require(
  join(__dirname, '..', '..', '..', 'dist', 'conversation-events', 'conversation-events.repository.js'),
);

const { loadGroup } = ConversationEventsRepository.prototype;
if (typeof loadGroup !== 'function') throw new Error('Expected ConversationEventsRepository.loadGroup to change.');

ConversationEventsRepository.prototype.loadGroup = async function (...args) {
  const events = await loadGroup.apply(this, args);
  const kills = (event) => event?.user_id === 'child-killer' && event.status === 'PENDING';
  if (events.some(kills)) process.kill(process.pid, 'SIGKILL');
  return events;
};
