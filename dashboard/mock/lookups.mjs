// @ts-check
/** One event and one child, as the api tells of them. */

/** @param {string} id @returns {import('../src/contract.js').Story} */
export function story(id) {
  const at = (/** @type {number} */ seconds) => new Date(Date.now() - 3_600_000 + seconds * 1000).toISOString();
  return {
    event: {
      conversation_id: id,
      user_id: 'child-an',
      bot_id: 'bot-dino',
      bot_type: 'GAME',
      status: 'PROCESSED',
      attempt_count: 2,
      error_code: 'EXTERNAL_SERVICE_TIMEOUT',
      end_time: at(-30),
      accepted_at: at(0),
      processed_at: at(36.2),
      friendship_score_change: 42,
      topic_id: 'dinosaurs',
      business_day: at(0).slice(0, 10),
      score_breakdown: {
        rule_version: 'friendship-1',
        total_turns: 11,
        user_initiated_questions: 2,
        session_emotion: 'interesting',
        new_memories_count: 2,
        turns_score: 11,
        questions_score: 6,
        emotion_score: 15,
        memories_score: 10,
        friendship_score_change: 42,
        sources: { user_initiated_questions: 'metadata', session_emotion: 'llm', new_memories_count: 'memory_api' },
      },
    },
    dead_letters: [],
    suspect_count: 0,
    timeline: [
      { at: at(0), what: 'accepted', detail: null },
      { at: at(0.02), what: 'queued', detail: 'conversation_events_analysis' },
      { at: at(31), what: 'attempt failed', detail: 'EXTERNAL_SERVICE_TIMEOUT, retry in 5 s' },
      { at: at(36.2), what: 'processed', detail: '+42' },
    ],
  };
}

/** @param {string} id @returns {import('../src/contract.js').Child} */
export function child(id) {
  const day = (/** @type {number} */ back) => new Date(Date.now() - back * 86_400_000).toISOString();
  const { event } = story('b1f7c2a4-90d4-4be2-8a53-2f3c9de1a001');
  return {
    friendship: {
      user_id: id,
      friendship_score: 520,
      friendship_level: 'PHASE2_ACQUAINTANCE',
      streak_day: 3,
      last_interaction_date: day(0),
      topics: {
        dinosaurs: {
          score: 470,
          turns: 130,
          last_date: day(0),
          agents_used: ['bot-dino'],
          friendship_level: 'PHASE2_ACQUAINTANCE',
        },
      },
    },
    events: Array.from({ length: 20 }, (_, index) => ({
      ...event,
      conversation_id: `b1f7c2a4-90d4-4be2-8a53-2f3c9de1a0${String(index).padStart(2, '0')}`,
      status: index === 0 ? 'PENDING' : index === 3 ? 'FAILED' : 'PROCESSED',
      friendship_score_change: index === 0 || index === 3 ? null : 7 + ((index * 13) % 40),
      accepted_at: day(index / 2),
    })),
  };
}
