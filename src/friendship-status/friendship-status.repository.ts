import { Injectable } from '@nestjs/common';
import { QueryRunners } from '../database/query-runners';
import { execute, type Statement } from '../database/statement';
import type { FriendshipStatusEntity } from './friendship-status.entity';

const FIND: Statement = {
  name: 'friendship_status_find',
  text: `SELECT user_id, friendship_score, last_interaction_date, interaction_days::text, topic_metrics, updated_at
           FROM friendship_status WHERE user_id = $1`,
};

/** Reads statuses. They are written by the fold alone, in the transaction that settles an event. */
@Injectable()
export class FriendshipStatusRepository {
  constructor(private readonly queryRunners: QueryRunners) {}

  /** One read by primary key; takes no lock. */
  async find(userId: string): Promise<FriendshipStatusEntity | undefined> {
    const { rows } = await this.queryRunners.use((runner) => execute<FriendshipStatusEntity>(runner, FIND, [userId]));
    return rows[0];
  }
}
