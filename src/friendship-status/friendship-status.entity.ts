import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One topic's share of a friendship, as stored. */
export interface TopicMetrics {
  readonly score: number;
  readonly turns: number;
  /** UTC ISO 8601 with milliseconds: the latest end time of a conversation on the topic. */
  readonly last_date: string;
  /** Distinct bot ids, sorted. */
  readonly agents_used: readonly string[];
}

/** One row per user: sums, maxima and sets only, so that the order of arrival cannot matter. */
@Entity('friendship_status')
export class FriendshipStatusEntity {
  @PrimaryColumn({ type: 'varchar', length: 255, collation: 'C' })
  user_id!: string;

  /** A `numeric`, which the driver hands over as text. */
  @Column({ type: 'numeric' })
  friendship_score!: string;

  @Column({ type: 'timestamptz', precision: 3 })
  last_interaction_date!: Date;

  /** The union of the business days with a conversation. */
  @Column({ type: 'datemultirange' })
  interaction_days!: string;

  @Column({ type: 'jsonb' })
  topic_metrics!: Record<string, TopicMetrics>;

  @Column({ type: 'timestamptz', precision: 3 })
  updated_at!: Date;
}
