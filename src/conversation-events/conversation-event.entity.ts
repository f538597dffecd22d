import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Analysis } from '../scoring/analyser';
import type { ScoreBreakdown } from '../scoring/score-breakdown';
import type { LogLine } from './conversation-log';

/** `PENDING` until it is one of the others; see docs/message-lifecycle.md. */
export const EVENT_STATUSES = ['PENDING', 'PROCESSED', 'SKIPPED', 'FAILED'] as const;
export type EventStatus = (typeof EVENT_STATUSES)[number];

/** A stored conversation. The columns' comments in the database say what each one means. */
@Entity('conversation_events')
export class ConversationEventEntity {
  @PrimaryColumn({ type: 'varchar', length: 255, collation: 'C' })
  conversation_id!: string;

  @Column({ type: 'varchar', length: 255, collation: 'C' })
  user_id!: string;

  @Column({ type: 'varchar', length: 255 })
  bot_id!: string;

  @Column({ type: 'varchar', length: 255 })
  bot_name!: string;

  @Column({ type: 'varchar', length: 50 })
  bot_type!: string;

  @Column({ type: 'varchar', length: 255, nullable: true })
  agent_tag!: string | null;

  @Column({ type: 'timestamptz', precision: 3 })
  start_time!: Date;

  @Column({ type: 'timestamptz', precision: 3 })
  end_time!: Date;

  /** Null once purged. Never selected unless asked for. */
  @Column({ type: 'json', nullable: true, select: false })
  conversation_log!: LogLine[] | null;

  @Column({ type: 'integer', nullable: true })
  user_initiated_questions!: number | null;

  @Column({ type: 'varchar', length: 50, nullable: true })
  session_emotion!: string | null;

  @Column({ type: 'integer', nullable: true })
  new_memories_count!: number | null;

  @Column({ type: 'bytea', select: false })
  fingerprint!: Buffer;

  @Column({ type: 'varchar', length: 16, default: 'PENDING' })
  status!: EventStatus;

  @Column({ type: 'integer', default: 0 })
  attempt_count!: number;

  @Column({ type: 'varchar', length: 64, nullable: true })
  first_error_code!: string | null;

  @Column({ type: 'varchar', length: 64, nullable: true })
  last_error_code!: string | null;

  @Column({ type: 'timestamptz', precision: 3, default: () => 'now()' })
  accepted_at!: Date;

  @Column({ type: 'timestamptz', precision: 3, nullable: true })
  processed_at!: Date | null;

  /** A `numeric`, which the driver hands over as text. */
  @Column({ type: 'numeric', nullable: true })
  friendship_score_change!: string | null;

  /** What analysers answered so far. Never selected unless asked for. */
  @Column({ type: 'jsonb', nullable: true, select: false })
  analysis!: Analysis | null;

  @Column({ type: 'jsonb', nullable: true })
  score_breakdown!: ScoreBreakdown | null;

  @Column({ type: 'varchar', length: 64, nullable: true })
  rule_version!: string | null;

  @Column({ type: 'varchar', length: 255, collation: 'C', nullable: true })
  topic_id!: string | null;

  @Column({ type: 'date', nullable: true })
  business_day!: string | null;

  @Column({ type: 'timestamptz', precision: 3, nullable: true, select: false })
  publish_due_at!: Date | null;

  @Column({ type: 'integer', default: 0, select: false })
  publish_count!: number;
}
