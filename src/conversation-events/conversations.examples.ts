/** Examples for the API docs. */
import { scoreComponents } from '../scoring/score';

export const SCORE_EXAMPLE = scoreComponents({
  totalTurns: 3,
  userInitiatedQuestions: 2,
  sessionEmotion: 'interesting',
  newMemoriesCount: 1,
});

export const EVENT_EXAMPLE = {
  conversation_id: 'conv-2026-11-20-0001',
  user_id: 'child-an',
  bot_id: 'bot-dino',
  bot_name: 'Dino explorer',
  bot_type: 'TALK',
  agent_tag: 'agent_dino_1',
  start_time: '2026-11-20T10:00:00.000Z',
  end_time: '2026-11-20T10:12:00.000Z',
  status: 'PROCESSED',
  attempt_count: 1,
  error_code: null,
  accepted_at: '2026-11-20T10:12:01.120Z',
  processed_at: '2026-11-20T10:12:01.131Z',
  friendship_score_change: SCORE_EXAMPLE.friendship_score_change,
  topic_id: 'dinosaurs',
  business_day: '2026-11-20',
  rule_version: SCORE_EXAMPLE.rule_version,
};
