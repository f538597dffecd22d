/**
 * Loaded before the service by a test (`node --require`): whoever scores a conversation of the child `child-killer` ends the
 * process at once, as a bug in native code or a lack of memory would.
 */
const { join } = require('node:path');

const { ConversationEventsRepository } = require(
  join(__dirname, '..', '..', '..', 'dist', 'conversation-events', 'conversation-events.repository.js'),
);

const load = ConversationEventsRepository.prototype.load;
ConversationEventsRepository.prototype.load = async function (runner, conversationId) {
  const event = await load.call(this, runner, conversationId);
  if (event?.user_id === 'child-killer' && event.status === 'PENDING') process.kill(process.pid, 'SIGKILL');
  return event;
};
