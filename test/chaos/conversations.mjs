// @ts-check
/** Conversations, and what is none: everything that the generator sends. Ids begin with the run's word. */

/** @typedef {import('./random.mjs').Random} Random */
/** @typedef {import('./oracle.cjs').Conversation} Conversation */

/** Tag to topic. Two tags of one topic, and a topic with one tag. */
export const TOPICS = new Map([
  ['agent_dino_1', 'dinosaurs'],
  ['agent_dino_2', 'dinosaurs'],
  ['agent_ocean_1', 'ocean'],
  ['agent_ocean_2', 'ocean'],
  ['agent_puzzle_1', 'puzzles'],
]);

/** Tags that are looked up in vain, and none. */
const TAGS = [...TOPICS.keys(), ...TOPICS.keys(), 'agent_nobody_knows', null, undefined];

const BOTS = ['bot-a', 'bot-b', 'bot-c', 'Bot-D', 'bot_e'];
const BOT_TYPES = ['TALK', 'TALK', 'TALK', 'GAME', '', 'NEXT_LESSONS'];
const SKIPPED = ['NEXT_LESSON', 'next_lesson', 'Next_Lesson'];
const EMOTIONS = [
  'interesting',
  'Interesting',
  'INTERESTING',
  'boring',
  'BORING',
  'neutral',
  'happy',
  'excited',
  '',
  null,
];
const ROBOTS = ['BOT_RESPONSE_CONVERSATION', 'pika', 'PIKA', 'user_bot', 'SYSTEM', null];
const CHILDREN = ['USER', 'user', 'USER_RESPONSE_CONVERSATION', 'theUser'];
const LINES = ['Chào cậu!', '<happy/> Hôm nay thế nào?', 'I like whales.', 'Khủng long!', '🦕🌊', 'Why?'];
const BLANKS = ['', '   ', '\n\t', null];

const DAY_MS = 86_400_000;
/** Days over which the conversations are spread; they arrive in no order. */
const DAYS = 25;
/** Midnight in Asia/Ho_Chi_Minh, milliseconds after midnight UTC. */
const MIDNIGHT_THERE = 17 * 3_600_000;

/** The share of children that talk much, and the share of conversations that is theirs. */
const BUSY_CHILDREN = 0.3;
const BUSY_SHARE = 0.8;

/** @param {{ run: string, children: number, random: Random }} options */
export function createConversations({ run, children, random }) {
  const busy = Math.max(1, Math.round(children * BUSY_CHILDREN));
  const newest = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  let last = 0;

  /** @param {string} kind */
  const nextId = (kind) => `${run}-${kind}-${++last}`;

  const child = () =>
    `${run}-child-${random.chance(BUSY_SHARE) ? random.integer(1, busy) : random.integer(busy + 1, Math.max(busy + 1, children))}`;

  /** @returns {Conversation} */
  const conversation = (id = nextId('conv')) => {
    const day = newest - random.integer(1, DAYS) * DAY_MS;
    // Half of them end within minutes of midnight there, where a wrong zone shows.
    const end =
      day + (random.chance(0.5) ? MIDNIGHT_THERE + random.integer(-120, 120) * 1000 : random.integer(0, DAY_MS - 1));
    const start = end - random.integer(1, 3_600) * 1000;
    const tag = random.pick(TAGS);
    const skipped = random.chance(0.06);
    return {
      conversation_id: id,
      user_id: child(),
      bot_id: random.pick(BOTS),
      bot_name: 'Chaos',
      bot_type: random.pick(skipped ? SKIPPED : BOT_TYPES),
      ...(tag === undefined ? {} : { agent_tag: tag }),
      start_time: written(start, random),
      end_time: written(end, random),
      [random.chance(0.8) ? 'conversation_log' : 'conversation_logs']: log(random),
      ...metadata(random),
      // Results that a client sends are never stored.
      ...(random.chance(0.05) ? { status: 'PROCESSED', friendship_score_change: 9999, attempt_count: 7 } : {}),
    };
  };

  return { conversation, nextId, poison: (/** @type {PoisonKind} */ kind) => poison(kind, nextId(`poison-${kind}`)) };
}

/** @param {number} instant @param {Random} random one of the ways to write a time */
function written(instant, random) {
  const iso = new Date(instant).toISOString();
  switch (random.integer(0, 3)) {
    case 0:
      return iso;
    case 1:
      return iso.slice(0, -1); // no zone: UTC
    case 2:
      return new Date(instant + 7 * 3_600_000).toISOString().replace('Z', '+07:00');
    default:
      return new Date(instant - 5 * 3_600_000).toISOString().replace('Z', '-05:00');
  }
}

/** @param {Random} random */
function log(random) {
  const oldShape = random.chance(0.6);
  return Array.from({ length: random.integer(0, 24) }, (_, index) => {
    const childs = random.chance(0.15) ? random.chance(0.5) : index % 2 === 1;
    const name = random.pick(childs ? CHILDREN : ROBOTS);
    const said = random.chance(0.08) ? random.pick(BLANKS) : random.pick(LINES);
    return oldShape ? { character: name, content: said } : { speaker: name, text: said, turn_id: index };
  });
}

/** @param {Random} random */
function metadata(random) {
  if (random.chance(0.2)) return {};
  if (random.chance(0.1)) return { metadata: null };
  return {
    metadata: {
      ...(random.chance(0.8) ? { user_initiated_questions: random.integer(0, 6) } : {}),
      ...(random.chance(0.8) ? { [random.chance(0.7) ? 'session_emotion' : 'emotion']: random.pick(EMOTIONS) } : {}),
      ...(random.chance(0.8)
        ? { [random.chance(0.7) ? 'new_memories_count' : 'new_memories_created']: random.integer(0, 4) }
        : {}),
    },
  };
}

/** @typedef {'notJson' | 'notAnObject' | 'noId' | 'invalidConversation' | 'unknownId'} PoisonKind */

/** What can never be counted, with the reason under which it must be found among the dead letters. */
export const POISON_REASONS = /** @type {const} */ ({
  notJson: 'INVALID_MESSAGE',
  notAnObject: 'INVALID_MESSAGE',
  noId: 'INVALID_MESSAGE',
  invalidConversation: 'INVALID_MESSAGE',
  unknownId: 'CONVERSATION_NOT_FOUND',
});

export const POISON_KINDS = /** @type {PoisonKind[]} */ (Object.keys(POISON_REASONS));

/** @param {PoisonKind} kind @param {string} id makes each body one of its kind */
function poison(kind, id) {
  switch (kind) {
    case 'notJson':
      return { id, body: `{"conversation_id": "${id}", ` };
    case 'notAnObject':
      return { id, body: JSON.stringify([id]) };
    case 'noId':
      return { id, body: JSON.stringify({ conversationId: id, user_id: 'child' }) };
    case 'invalidConversation':
      return {
        id,
        body: JSON.stringify({
          conversation_id: id,
          user_id: 'child',
          bot_id: 'bot',
          bot_name: 'bot',
          bot_type: 'TALK',
          start_time: '2026-01-02T10:00:00Z',
          end_time: '2026-01-02T09:00:00Z',
        }),
      };
    case 'unknownId':
      return { id, body: JSON.stringify({ conversation_id: id, user_id: 'child', bot_id: 'bot' }) };
    default:
      return /** @type {never} */ (kind);
  }
}
