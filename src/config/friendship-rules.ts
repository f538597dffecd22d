/**
 * The rule set that turns a conversation into friendship: weights and thresholds, by name and version.
 * A change of any number is a new version; every event keeps the version that scored it.
 */
export const FRIENDSHIP_RULES = {
  version: 'friendship-1',
  /** Points for one of each; see `scoring/score.ts`. */
  weights: {
    turn: 1,
    userInitiatedQuestion: 3,
    newMemory: 5,
    /** By the lower-case name of the emotion; any other emotion is worth 0. */
    emotion: { interesting: 15, boring: -15 } as Readonly<Record<string, number>>,
  },
  /** From the highest level down: a user has the first whose least score is reached. */
  userLevels: [
    { level: 'PHASE3_FRIEND', leastScore: 3000 },
    { level: 'PHASE2_ACQUAINTANCE', leastScore: 500 },
    { level: 'PHASE1_STRANGER', leastScore: 0 },
  ],
  /** A topic has the first level whose least score it reached and that the user has reached as well. */
  topicLevels: [
    { level: 'PHASE3_FRIEND', leastScore: 150 },
    { level: 'PHASE2_ACQUAINTANCE', leastScore: 50 },
    { level: 'PHASE1_STRANGER', leastScore: 0 },
  ],
} as const;

export type FriendshipLevel = (typeof FRIENDSHIP_RULES.userLevels)[number]['level'];
