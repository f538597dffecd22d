import { Injectable } from '@nestjs/common';
import type { FriendshipLevel } from '../config/friendship-rules';
import { CodedError } from '../errors/coded-error';
import type { FriendshipStatusEntity, TopicMetrics } from './friendship-status.entity';
import { FriendshipStatusRepository } from './friendship-status.repository';
import { streakDay, topicLevel, userLevel } from './levels';
import { USER_ID } from './user-id';

/** A child's friendship as callers see it. Times are UTC ISO 8601 with milliseconds. */
export interface FriendshipView {
  readonly user_id: string;
  readonly friendship_score: number;
  readonly friendship_level: FriendshipLevel;
  readonly streak_day: number;
  readonly last_interaction_date: string;
  readonly topics: Record<string, TopicMetrics & { readonly friendship_level: FriendshipLevel }>;
}

@Injectable()
export class FriendshipStatusService {
  constructor(private readonly repository: FriendshipStatusRepository) {}

  /** @throws CodedError `FRIENDSHIP_NOT_FOUND` when no conversation of this user has been counted */
  async get(userId: string): Promise<FriendshipView> {
    // What cannot be an id is not asked for: PostgreSQL would refuse U+0000 in a parameter.
    const row = USER_ID.test(userId) ? await this.repository.find(userId) : undefined;
    if (!row) throw new CodedError('FRIENDSHIP_NOT_FOUND', 'No conversation of this user has been counted yet.');
    return toView(row);
  }
}

/** Adds what is a function of the stored sums: levels and streak. */
export function toView(row: FriendshipStatusEntity): FriendshipView {
  const score = Number(row.friendship_score);
  const topics = Object.entries(row.topic_metrics).map(
    ([topicId, topic]) => [topicId, { ...topic, friendship_level: topicLevel(topic.score, score) }] as const,
  );
  return {
    user_id: row.user_id,
    friendship_score: score,
    friendship_level: userLevel(score),
    streak_day: streakDay(row.interaction_days),
    last_interaction_date: row.last_interaction_date.toISOString(),
    topics: Object.fromEntries(topics),
  };
}
