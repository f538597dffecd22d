/** The oracle of the chaos test against the expected results that the service itself is held to. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Oracle {
  speakersOf(conversation: object): string;
  turnsIn(speakers: string): number;
  changeOf(conversation: object): number;
  changeFrom(parts: object): number;
  levelOf(score: number): string;
  topicLevelOf(score: number, userLevel: string): string;
  streakOf(instants: number[]): number;
  friendshipOf(userId: string, accepted: object[], topicOfTag: Map<string, string>): object | undefined;
}

// Plain JavaScript, since scripts/chaos.mjs runs it without a compiler.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const oracle = require('./oracle.cjs') as Oracle;
const vectors = JSON.parse(readFileSync(join(__dirname, '..', 'vectors', 'scoring.json'), 'utf8'));

interface Vector {
  readonly name: string;
  readonly expected: { speakers: string; total_turns: number; friendship_score_change: number };
}

/** A log with this many turns. */
const logOf = (turns: number) =>
  Array.from({ length: turns }, () => [
    { speaker: 'pika', text: 'a' },
    { speaker: 'user', text: 'b' },
  ]).flat();

describe('the oracle of the chaos test agrees with the vectors', () => {
  it.each((vectors.conversations as Vector[]).map((vector) => [vector.name, vector] as const))(
    'on a conversation: %s',
    (_name: string, vector: Vector) => {
      const { speakers, total_turns, friendship_score_change } = vector.expected;
      expect(oracle.speakersOf(vector)).toBe(speakers);
      expect(oracle.turnsIn(speakers)).toBe(total_turns);
      expect(oracle.changeOf(vector)).toBe(friendship_score_change);
    },
  );

  it('on the components of a score', () => {
    for (const {
      total_turns,
      user_initiated_questions,
      session_emotion,
      new_memories_count,
      expected,
    } of vectors.components) {
      const parts = {
        turns: total_turns,
        questions: user_initiated_questions,
        emotion: session_emotion,
        memories: new_memories_count,
      };
      expect(oracle.changeFrom(parts)).toBe(expected);
    }
  });

  it('on the levels of users and topics', () => {
    for (const { score, level } of vectors.user_levels) expect(oracle.levelOf(score)).toBe(level);
    for (const { topic_score, user_level, level } of vectors.topic_levels)
      expect(oracle.topicLevelOf(topic_score, user_level)).toBe(level);
  });

  it('on streaks', () => {
    for (const { end_times, streak_day } of vectors.streaks)
      expect(oracle.streakOf(end_times.map((time: string) => Date.parse(time)))).toBe(streak_day);
  });

  it('on the fold of several conversations, in any order', () => {
    for (const { topic_agents, events, status } of vectors.folds) {
      const topics = new Map<string, string>(
        topic_agents.map(({ agent_tag, topic_id }: Record<string, never>) => [agent_tag, topic_id]),
      );
      const { topic_metrics, ...rest } = status;
      const accepted = events.map((event: Record<string, never>) => ({
        bot_type: 'TALK',
        conversation_log: logOf(event.total_turns),
        metadata: event,
        ...event,
      }));
      for (const order of [accepted, [...accepted].reverse()])
        expect(oracle.friendshipOf('child-1', order, topics)).toEqual({
          user_id: 'child-1',
          ...rest,
          topics: topic_metrics,
        });
    }
  });
});

describe('the oracle of the chaos test', () => {
  it('does not know a child whose conversations are all skipped', () => {
    const skipped = { bot_type: 'Next_Lesson', end_time: '2026-11-20T10:00:00Z' };
    expect(oracle.friendshipOf('child-1', [skipped], new Map())).toBeUndefined();
  });
});
