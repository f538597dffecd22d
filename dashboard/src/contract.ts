/**
 * What the api answers below /ops/api. Times are UTC ISO 8601, durations seconds, rates per second.
 * `null` means that nobody knows now (its source is away): the page says so and never shows a 0 instead.
 */
import type { ScoreBreakdown } from '../../src/scoring/score-breakdown';
import type { ActionState, CriticalTime, Outage } from '../../src/operations/page/state';

export type {
  ActionState as Action,
  ExternalState as ExternalService,
  InstanceState as Instance,
  Moment,
  Outage,
  Resource,
  State,
} from '../../src/operations/page/state';

/** What can be away. */
export type Part = Outage['part'];

/** A part of the critical time. */
export type Share = CriticalTime['split'][number];

/** What became of an action. */
export type Ending = ActionState['state'];

/** Open dead letters with the same cause. */
export interface FailureGroup {
  readonly reason: string;
  readonly error_code: string | null;
  readonly count: number;
  readonly first_at: string;
  readonly last_at: string;
  readonly replayable: number;
  readonly example_conversation_ids: readonly string[];
}

/** One dead letter, without its body. */
export interface Letter {
  readonly dead_letter_id: string;
  readonly conversation_id: string | null;
  readonly reason: string;
  readonly error_code: string | null;
  readonly attempts: number;
  readonly last_failed_at: string;
  readonly state?: string;
}

export interface Happening {
  readonly at: string;
  readonly what: string;
  readonly detail: string | null;
}

/** An event as it is listed. */
export interface EventSummary {
  readonly conversation_id: string;
  readonly user_id: string;
  readonly bot_id: string;
  readonly bot_type: string;
  readonly status: string;
  readonly attempt_count: number;
  readonly error_code: string | null;
  readonly end_time: string;
  readonly accepted_at: string;
  readonly processed_at: string | null;
  readonly friendship_score_change: number | null;
  readonly topic_id: string | null;
  readonly business_day: string | null;
}

/** Everything that is known about one event, except what was said. */
export interface Story {
  readonly event: EventSummary & { readonly score_breakdown: ScoreBreakdown | null };
  readonly dead_letters: readonly Letter[];
  readonly suspect_count: number;
  readonly timeline: readonly Happening[];
}

export interface Child {
  readonly friendship: {
    readonly user_id: string;
    readonly friendship_score: number;
    readonly friendship_level: string;
    readonly streak_day: number;
    readonly last_interaction_date: string;
    readonly topics: Readonly<
      Record<
        string,
        {
          readonly score: number;
          readonly turns: number;
          readonly last_date: string;
          readonly agents_used: readonly string[];
          readonly friendship_level: string;
        }
      >
    >;
  } | null;
  readonly events: readonly EventSummary[];
}
