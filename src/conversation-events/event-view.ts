/** Events as callers see them. Times are UTC ISO 8601 with milliseconds; the log only where it was asked for. */
import type { ScoreBreakdown } from '../scoring/score-breakdown';
import type { ConversationEventEntity, EventStatus } from './conversation-event.entity';
import type { LogLine } from './conversation-log';

/** One item of a listing. */
export interface EventSummary {
  readonly conversation_id: string;
  readonly user_id: string;
  readonly bot_id: string;
  readonly bot_name: string;
  readonly bot_type: string;
  readonly agent_tag: string | null;
  readonly start_time: string;
  readonly end_time: string;
  readonly status: EventStatus;
  readonly attempt_count: number;
  readonly error_code: string | null;
  readonly accepted_at: string;
  readonly processed_at: string | null;
  readonly friendship_score_change: number | null;
  readonly topic_id: string | null;
  readonly business_day: string | null;
  readonly rule_version: string | null;
}

export interface EventView extends EventSummary {
  readonly score_breakdown: ScoreBreakdown | null;
  readonly conversation_log?: readonly LogLine[] | null;
}

type Row = Omit<
  ConversationEventEntity,
  'conversation_log' | 'analysis' | 'fingerprint' | 'publish_due_at' | 'publish_count'
>;

export function toEventSummary(row: Row): EventSummary {
  return {
    conversation_id: row.conversation_id,
    user_id: row.user_id,
    bot_id: row.bot_id,
    bot_name: row.bot_name,
    bot_type: row.bot_type,
    agent_tag: row.agent_tag,
    start_time: row.start_time.toISOString(),
    end_time: row.end_time.toISOString(),
    status: row.status,
    attempt_count: row.attempt_count,
    error_code: row.last_error_code,
    accepted_at: row.accepted_at.toISOString(),
    processed_at: row.processed_at?.toISOString() ?? null,
    friendship_score_change: row.friendship_score_change === null ? null : Number(row.friendship_score_change),
    topic_id: row.topic_id,
    business_day: row.business_day,
    rule_version: row.rule_version,
  };
}

export function toEventView(row: Row): EventView {
  return { ...toEventSummary(row), score_breakdown: row.score_breakdown };
}
