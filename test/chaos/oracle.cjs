// @ts-check
/**
 * What a child's friendship must be, computed from what was accepted and from DESIGN.md (3, 6, 7) alone.
 * It shares no code with src/, on purpose: a misunderstanding there is not repeated here by an import.
 * test/vectors/scoring.json holds it to the same expected results as the service.
 */

/** @typedef {Record<string, any>} Conversation a body of `conversations/end` as it was sent */
/** @typedef {{ score: number, turns: number, last_date: string, agents_used: string[], friendship_level: string }} Topic */
/** @typedef {{ user_id: string, friendship_score: number, friendship_level: string, streak_day: number, last_interaction_date: string, topics: Record<string, Topic> }} Friendship */

const LEVELS = ['PHASE1_STRANGER', 'PHASE2_ACQUAINTANCE', 'PHASE3_FRIEND'];
const SKIPPED_BOT_TYPES = ['NEXT_LESSON'];

/** Asia/Ho_Chi_Minh has been seven hours ahead of UTC, summer and winter, since 1975. */
const ZONE_OFFSET_MS = 7 * 3_600_000;
const DAY_MS = 24 * 3_600_000;

/** p for the robot, u for the child; lines without text are not there. @param {Conversation} conversation */
function speakersOf(conversation) {
  const log = conversation.conversation_log ?? conversation.conversation_logs ?? [];
  let speakers = '';
  for (const line of log) {
    if (String(line.text ?? line.content ?? '').trim() === '') continue;
    const name = String(line.speaker ?? line.character ?? '').toLowerCase();
    const robot = name.includes('bot') || name.includes('pika') || !name.includes('user');
    speakers += robot ? 'p' : 'u';
  }
  return speakers;
}

/** Pairs are taken from the left: what remains of `pu` and `up` after each cut. @param {string} speakers */
function turnsIn(speakers) {
  return (speakers.match(/pu|up/g) ?? []).length;
}

/**
 * @param {{ turns: number, questions: number | null | undefined, emotion: string | null | undefined, memories: number | null | undefined }} parts
 */
function changeFrom({ turns, questions, emotion, memories }) {
  const mood = (emotion ?? '').toLowerCase();
  const points = turns + 3 * (questions ?? 0) + 5 * (memories ?? 0);
  return Math.max(0, points + (mood === 'interesting' ? 15 : mood === 'boring' ? -15 : 0));
}

/** @param {Conversation} conversation */
function changeOf(conversation) {
  const said = conversation.metadata ?? {};
  return changeFrom({
    turns: turnsIn(speakersOf(conversation)),
    questions: said.user_initiated_questions,
    emotion: said.session_emotion ?? said.emotion,
    memories: said.new_memories_count ?? said.new_memories_created,
  });
}

/** No zone means UTC. @param {string} time */
function instantOf(time) {
  return Date.parse(/(z|[+-]\d\d:\d\d)$/i.test(time) ? time : `${time}Z`);
}

/** @param {number} instant @returns {string} the calendar day there */
function businessDay(instant) {
  return new Date(instant + ZONE_OFFSET_MS).toISOString().slice(0, 10);
}

/** @param {number[]} instants @returns {number} consecutive days that end at the latest */
function streakOf(instants) {
  const days = new Set(instants.map(businessDay));
  let day = Date.parse(`${[...days].sort().at(-1)}T00:00:00Z`);
  let streak = 0;
  for (; days.has(new Date(day).toISOString().slice(0, 10)); day -= DAY_MS) streak++;
  return streak;
}

/** @param {number} score */
function levelOf(score) {
  return score >= 3000 ? LEVELS[2] : score >= 500 ? LEVELS[1] : LEVELS[0];
}

/** @param {number} score @param {string} userLevel */
function topicLevelOf(score, userLevel) {
  if (score >= 150 && userLevel === LEVELS[2]) return LEVELS[2];
  return score >= 50 && userLevel !== LEVELS[0] ? LEVELS[1] : LEVELS[0];
}

/** @param {Conversation} conversation @returns {'PROCESSED' | 'SKIPPED'} what it must end as */
function expectedStatus(conversation) {
  return SKIPPED_BOT_TYPES.includes(conversation.bot_type.toUpperCase()) ? 'SKIPPED' : 'PROCESSED';
}

/**
 * @param {string} userId
 * @param {Conversation[]} accepted every accepted conversation of this child, each once, in any order
 * @param {Map<string, string>} topicOfTag
 * @returns {Friendship | undefined} as `GET /v1/friendship/{user_id}` answers; undefined: 404
 */
function friendshipOf(userId, accepted, topicOfTag) {
  const counted = accepted.filter((conversation) => expectedStatus(conversation) === 'PROCESSED');
  if (counted.length === 0) return undefined;
  const ends = counted.map(({ end_time }) => instantOf(end_time));
  const score = counted.reduce((sum, conversation) => sum + changeOf(conversation), 0);
  const level = levelOf(score);

  /** @type {Record<string, Topic>} */
  const topics = {};
  for (const topicId of new Set(topicOfTag.values())) {
    const own = counted.filter(({ agent_tag }) => topicOfTag.get(agent_tag) === topicId);
    if (own.length === 0) continue;
    const topicScore = own.reduce((sum, conversation) => sum + changeOf(conversation), 0);
    topics[topicId] = {
      score: topicScore,
      turns: own.reduce((sum, conversation) => sum + turnsIn(speakersOf(conversation)), 0),
      last_date: new Date(Math.max(...own.map(({ end_time }) => instantOf(end_time)))).toISOString(),
      agents_used: [...new Set(own.map(({ bot_id }) => bot_id))].sort(),
      friendship_level: topicLevelOf(topicScore, level),
    };
  }
  return {
    user_id: userId,
    friendship_score: score,
    friendship_level: level,
    streak_day: streakOf(ends),
    last_interaction_date: new Date(Math.max(...ends)).toISOString(),
    topics,
  };
}

module.exports = {
  businessDay,
  changeFrom,
  changeOf,
  expectedStatus,
  friendshipOf,
  instantOf,
  levelOf,
  speakersOf,
  streakOf,
  topicLevelOf,
  turnsIn,
};
