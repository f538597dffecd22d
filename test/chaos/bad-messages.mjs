// @ts-check
/** Ten kinds of messages that can never be counted, each with the reason under which it must be found among the dead letters. */

/** More than HTTP_BODY_LIMIT of the run, bytes. */
export const BODY_LIMIT = 16 * 1024;

/**
 * @typedef {object} Kind
 * @property {string} reason
 * @property {(id: string) => string | Buffer} body
 */

/** @type {Record<string, Kind>} */
export const BAD_KINDS = {
  'not JSON': { reason: 'INVALID_MESSAGE', body: (id) => `{"conversation_id": "${id}", ` },
  'not an object': { reason: 'INVALID_MESSAGE', body: (id) => JSON.stringify([id]) },
  'not UTF-8': {
    reason: 'INVALID_MESSAGE',
    body: (id) => Buffer.concat([Buffer.from(id), Buffer.from('fffec0', 'hex')]),
  },
  'too large': {
    reason: 'INVALID_MESSAGE',
    body: (id) => JSON.stringify({ conversation_id: id, padding: 'x'.repeat(BODY_LIMIT) }),
  },
  'no id': { reason: 'INVALID_MESSAGE', body: (id) => JSON.stringify({ conversationId: id, user_id: 'child' }) },
  'an id that is no text': {
    reason: 'INVALID_MESSAGE',
    body: (id) => JSON.stringify({ conversation_id: { $ne: id }, user_id: 'child' }),
  },
  'an invalid conversation': {
    reason: 'INVALID_MESSAGE',
    body: (id) => JSON.stringify({ ...conversation(id, 'child-bad'), end_time: '2025-12-31T09:00:00Z' }),
  },
  'an unknown conversation': {
    reason: 'CONVERSATION_NOT_FOUND',
    body: (id) => JSON.stringify({ conversation_id: id, user_id: 'child', bot_id: 'bot' }),
  },
  'another conversation under a known id': {
    reason: 'CONVERSATION_CONFLICT',
    body: (id) => JSON.stringify({ ...conversation(KNOWN_ID, 'child-known'), bot_name: id }),
  },
  'always failing': {
    reason: 'ATTEMPTS_EXHAUSTED',
    body: (id) => JSON.stringify(conversation(id, 'failing-child')),
  },
};

/** Counted before the bad messages come. */
export const KNOWN_ID = 'known-conversation';

/** Three turns: three points. @param {string} id @param {string} user */
export function conversation(id, user) {
  return {
    conversation_id: id,
    user_id: user,
    bot_id: 'bot-1',
    bot_name: 'Dino',
    bot_type: 'TALK',
    start_time: '2026-01-02T10:00:00Z',
    end_time: '2026-01-02T10:10:00Z',
    conversation_log: Array.from({ length: 6 }, (_, index) => ({
      character: index % 2 === 0 ? 'BOT_RESPONSE_CONVERSATION' : 'USER',
      content: `Line ${index}.`,
    })),
  };
}
export const POINTS = 3;
