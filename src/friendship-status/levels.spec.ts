import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { streakDay, topicLevel, userLevel } from './levels';

interface Vectors {
  user_levels: { score: number; level: string }[];
  topic_levels: { topic_score: number; user_level: string; level: string }[];
}

const vectors = JSON.parse(readFileSync(join(__dirname, '../../test/vectors/scoring.json'), 'utf8')) as Vectors;

/** For each level of a user, the lowest and a high score that has it. */
const SCORES_AT: Record<string, number[]> = {
  PHASE1_STRANGER: [0, 499.5],
  PHASE2_ACQUAINTANCE: [500, 2999.5],
  PHASE3_FRIEND: [3000, 1_000_000],
};

describe('the level of a user', () => {
  it.each(vectors.user_levels)('is $level at $score', ({ score, level }) => {
    expect(userLevel(score)).toBe(level);
  });
});

describe('the level of a topic', () => {
  it.each(vectors.topic_levels)(
    'is $level at $topic_score for a user at $user_level',
    ({ topic_score, user_level, level }) => {
      expect(SCORES_AT[user_level].map((userScore) => topicLevel(topic_score, userScore))).toEqual([level, level]);
    },
  );

  it('reaches PHASE3 only from 150 on', () => {
    expect([149.5, 150].map((score) => topicLevel(score, 3000))).toEqual(['PHASE2_ACQUAINTANCE', 'PHASE3_FRIEND']);
  });

  it('is never above the level of the user', () => {
    const score = fc.integer({ min: 0, max: 100_000 });
    // The names of the levels sort as their ranks do.
    fc.assert(fc.property(score, score, (topic, user) => topicLevel(topic, user) <= userLevel(user)));
  });
});

describe('the streak', () => {
  it.each([
    ['nobody ever talked', '{}', 0],
    ['one day', '{[2025-11-24,2025-11-25)}', 1],
    ['three days in a row', '{[2025-11-24,2025-11-27)}', 3],
    ['a gap: only the run that ends last counts', '{[2025-11-01,2025-11-20),[2025-11-24,2025-11-26)}', 2],
    ['several gaps', '{[2025-11-01,2025-11-02),[2025-11-03,2025-11-10),[2025-11-26,2025-11-27)}', 1],
    ['across a leap day', '{[2024-02-28,2024-03-02)}', 3],
    ['across a year', '{[2025-12-31,2026-01-02)}', 2],
    ['more than a year', '{[2024-01-01,2026-01-01)}', 731],
  ])('%s', (_about, days, streak) => {
    expect(streakDay(days)).toBe(streak);
  });
});
