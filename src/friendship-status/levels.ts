/** Levels and streak: functions of what `friendship_status` stores. */
import { FRIENDSHIP_RULES, type FriendshipLevel } from '../config/friendship-rules';

/** The level of a user with this score. */
export function userLevel(score: number): FriendshipLevel {
  return firstReached(FRIENDSHIP_RULES.userLevels, score).level;
}

/** The level of a topic: never above the user's own. */
export function topicLevel(topicScore: number, userScore: number): FriendshipLevel {
  const userRank = rank(userLevel(userScore));
  const allowed = FRIENDSHIP_RULES.topicLevels.filter(({ level }) => rank(level) <= userRank);
  return firstReached(allowed, topicScore).level;
}

function rank(level: FriendshipLevel): number {
  return FRIENDSHIP_RULES.userLevels.length - FRIENDSHIP_RULES.userLevels.findIndex((entry) => entry.level === level);
}

function firstReached<T extends { leastScore: number }>(levels: readonly T[], score: number): T {
  return levels.find(({ leastScore }) => score >= leastScore) ?? levels[levels.length - 1];
}

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Consecutive days that end at the latest one.
 * @param days a PostgreSQL `datemultirange` in its canonical text form, `{[2025-11-24,2025-11-27)}`: sorted, disjoint, upper bound excluded
 */
export function streakDay(days: string): number {
  const last = /\[(\d{4}-\d\d-\d\d),(\d{4}-\d\d-\d\d)\)\}$/.exec(days);
  return last ? (Date.parse(last[2]) - Date.parse(last[1])) / DAY_MS : 0;
}
