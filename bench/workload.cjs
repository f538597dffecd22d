// @ts-check
/**
 * The conversations of the benchmarks. Everything about number i follows from i, so that the database can make a million of them by itself,
 * and the check knows each score without asking the program that is measured.
 */

/** Lines of one log. */
const LINES = 20;

/** Logs differ in how many turns they have: all lines alternate but for some at the end, which the robot speaks alone. */
const VARIANTS = 4;

const TOPIC_AGENTS = Array.from({ length: 20 }, (_, tag) => ({
  agent_tag: `tag-${tag}`,
  topic_id: `topic-${tag % 5}`,
}));

const TIME_ZONE = 'Asia/Ho_Chi_Minh';

const WORDS =
  'the little robot asked about a dinosaur with long green legs and we both laughed until dinner was ready'.split(' ');

/** @param {number} variant @returns {{ speaker: 'pika' | 'user', turn_id: number, text: string, timestamp: string }[]} a log as it is stored */
function logOfVariant(variant) {
  return Array.from({ length: LINES }, (_, index) => ({
    speaker: index % 2 === 0 || index >= LINES - 2 * variant ? 'pika' : 'user',
    turn_id: index + 1,
    text: Array.from({ length: 8 }, (_, word) => WORDS[(index * 5 + word * 3 + variant) % WORDS.length]).join(' '),
    timestamp: new Date(Date.UTC(2026, 0, 1, 10, 0, 30 * index)).toISOString(),
  }));
}

const LOGS = Array.from({ length: VARIANTS }, (_, variant) => logOfVariant(variant));

/** SQL that makes columns from a number `i` and the count of children `$2`; the log comes from `bench.logs`. */
const EVENT_COLUMNS = {
  conversation_id: `'bench-' || lpad(i::text, 8, '0')`,
  user_id: `'child-' || (i % $2::bigint)`,
  bot_id: `'bot-' || (i % 7)`,
  bot_name: `'Robot ' || (i % 7)`,
  bot_type: `'TALK'`,
  agent_tag: `CASE WHEN i % 2 = 0 THEN 'tag-' || (i % 20) END`,
  start_time: `timestamptz '2026-01-01T10:00:00Z' + make_interval(hours => (i % 2400)::int)`,
  end_time: `timestamptz '2026-01-01T10:10:00Z' + make_interval(hours => (i % 2400)::int)`,
  conversation_log: 'log',
  user_initiated_questions: 'i % 3',
  session_emotion: `CASE WHEN i % 5 = 0 THEN 'interesting' END`,
  new_memories_count: 'i % 2',
  fingerprint: `sha256(('bench-' || i)::bytea)`,
};

/** What number i must count for, in SQL and in pgbench's expressions alike. */
const EXPECTED_TURNS = '(10 - i % 4)';
const EXPECTED_CHANGE = `(10 - i % 4 + 3 * (i % 3) + 5 * (i % 2) + CASE WHEN i % 5 = 0 THEN 15 ELSE 0 END)`;

/** The number in a conversation's id, in SQL. */
const NUMBER_OF_EVENT = 'substr(conversation_id, 7)::bigint';

/** @param {number} i */
function conversationId(i) {
  return `bench-${String(i).padStart(8, '0')}`;
}

/** The message about number i. @param {number} i @param {number} children */
function messageBody(i, children) {
  return Buffer.from(
    JSON.stringify({
      conversation_id: conversationId(i),
      user_id: `child-${i % children}`,
      bot_id: `bot-${i % 7}`,
      enqueued_at: new Date().toISOString(),
    }),
  );
}

/** Number i as a body of `POST /v1/conversations/end`. @param {number} i @param {number} children */
function request(i, children) {
  const hours = i % 2400;
  const start = Date.UTC(2026, 0, 1, 10 + hours);
  return {
    conversation_id: conversationId(i),
    user_id: `child-${i % children}`,
    bot_id: `bot-${i % 7}`,
    bot_name: `Robot ${i % 7}`,
    bot_type: 'TALK',
    ...(i % 2 === 0 ? { agent_tag: `tag-${i % 20}` } : {}),
    start_time: new Date(start).toISOString(),
    end_time: new Date(start + 600_000).toISOString(),
    conversation_log: LOGS[i % VARIANTS],
    metadata: {
      user_initiated_questions: i % 3,
      new_memories_count: i % 2,
      ...(i % 5 === 0 ? { session_emotion: 'interesting' } : {}),
    },
  };
}

module.exports = {
  conversationId,
  EVENT_COLUMNS,
  EXPECTED_CHANGE,
  EXPECTED_TURNS,
  LINES,
  logOfVariant,
  LOGS,
  messageBody,
  NUMBER_OF_EVENT,
  request,
  TIME_ZONE,
  TOPIC_AGENTS,
};
