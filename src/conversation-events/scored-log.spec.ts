import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { scoreConversation } from '../scoring/score';
import { normaliseLog } from './conversation-log';

interface Vectors {
  conversations: {
    name: string;
    conversation_log: unknown[];
    metadata?: { user_initiated_questions?: number; session_emotion?: string; new_memories_count?: number };
    expected: { kept_messages: number; speakers: string; total_turns: number; friendship_score_change: number };
  }[];
}

const vectors = JSON.parse(readFileSync(join(__dirname, '../../test/vectors/scoring.json'), 'utf8')) as Vectors;

describe('a conversation is scored from the log as it was sent', () => {
  it.each(vectors.conversations)('$name', ({ conversation_log, metadata, expected }) => {
    const { lines, problems } = normaliseLog(
      conversation_log,
      new Date('2026-11-20T10:00:00Z'),
      new Date('2026-11-20T10:10:00Z'),
    );
    const breakdown = scoreConversation({
      lines,
      userInitiatedQuestions: metadata?.user_initiated_questions ?? null,
      sessionEmotion: metadata?.session_emotion ?? null,
      newMemoriesCount: metadata?.new_memories_count ?? null,
    });
    expect({
      problems,
      kept_messages: lines.length,
      speakers: lines.map(({ speaker }) => speaker[0]).join(''),
      total_turns: breakdown.total_turns,
      friendship_score_change: breakdown.friendship_score_change,
    }).toEqual({ problems: [], ...expected });
  });
});
