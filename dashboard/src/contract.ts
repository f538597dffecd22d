/**
 * What the api answers below /ops/api. Times are UTC ISO 8601, durations seconds, rates per second.
 * `null` means that nobody knows now (its source is away): the page says so and never shows a 0 instead.
 */

export type Part = 'database' | 'broker';

export interface Outage {
  readonly part: Part;
  /** Since when; null: it was so when the api started. */
  readonly since: string | null;
  readonly reason: string;
}

export interface Lane {
  readonly name: 'main' | 'analysis';
  readonly queue: string;
  readonly ready: number | null;
  readonly consumers: number | null;
}

/** One point of the last ten minutes. */
export interface Moment {
  readonly at: string;
  readonly accepted: number;
  readonly settled: number;
  readonly ready: number | null;
  readonly in_flight: number;
  readonly p50: number | null;
  readonly p99: number | null;
}

/** One process. */
export interface Instance {
  readonly instance: string;
  readonly role: 'api' | 'worker' | 'all';
  readonly version: string;
  readonly started_at: string;
  readonly seen_seconds_ago: number;
  readonly ready: boolean;
  readonly reason: string | null;
  readonly in_flight: number;
  readonly concurrency: number;
  /** Of one core: 1 is a core fully used. */
  readonly cpu_share: number;
  readonly event_loop_p99_seconds: number;
  readonly memory_bytes: number;
  readonly pool_used: number;
  readonly pool_size: number;
  readonly pool_waiting: number;
  readonly settled_per_second: number;
}

export type Resource =
  'nothing' | 'concurrency' | 'worker_cpu' | 'database_pool' | 'external_service' | 'database' | 'broker' | 'unknown';

export interface Share {
  readonly part: 'queue' | 'slot' | 'external' | 'database' | 'ack';
  readonly mean: number | null;
  readonly p95: number | null;
}

export interface ExternalService {
  readonly service: string;
  readonly breaker: 'closed' | 'half_open' | 'open';
  readonly calls_per_second: number;
  readonly p95: number | null;
  readonly failures_per_second: number;
}

/** An audited action of an operator. */
export interface Action {
  readonly action_id: string;
  readonly operator: string;
  readonly action: string;
  readonly what: string;
  readonly state: 'running' | 'done' | 'failed';
  readonly done: number;
  readonly total: number;
  readonly at: string;
}

export interface State {
  readonly at: string;
  readonly interval_seconds: number;
  readonly version: string;
  readonly unavailable: readonly Outage[];
  readonly backlog: {
    readonly oldest_unsettled_seconds: number | null;
    readonly lanes: readonly Lane[];
    readonly retry_waiting: number | null;
    readonly dead_letters_arriving: number | null;
    readonly in_flight: number;
    readonly seconds_to_drain: number | null;
    readonly growing: boolean;
  };
  readonly rates: {
    readonly accepted: number;
    readonly settled: number;
    readonly failed_attempts: number;
    readonly duplicates: number;
  };
  readonly history: readonly Moment[];
  readonly workers: {
    readonly expected: number | null;
    readonly ready: number;
    readonly in_flight: number;
    readonly concurrency: number;
    readonly list: readonly Instance[];
  };
  readonly binds: { readonly resource: Resource; readonly why: string };
  readonly critical_time: {
    readonly p50: number | null;
    readonly p95: number | null;
    readonly p99: number | null;
    readonly count: number;
    readonly split: readonly Share[];
  };
  readonly external: readonly ExternalService[];
  readonly database: {
    readonly connections: number | null;
    readonly budget: number | null;
    readonly used_by_us: number | null;
  };
  readonly totals: {
    readonly duplicates_suppressed: number;
    readonly republished: number;
    readonly open_dead_letters: number | null;
    readonly failed_events: number | null;
  };
  readonly audit: {
    readonly at: string;
    readonly users: number;
    readonly events: number;
    readonly differences: number;
  } | null;
  readonly actions: readonly Action[];
}

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

/** Where a component of a score came from: `metadata`, an analyser, or `default`. */
type Source = string;

export interface Breakdown {
  readonly rule_version: string;
  readonly total_turns: number;
  readonly user_initiated_questions: number;
  readonly session_emotion: string;
  readonly new_memories_count: number;
  readonly turns_score: number;
  readonly questions_score: number;
  readonly emotion_score: number;
  readonly memories_score: number;
  readonly friendship_score_change: number;
  readonly sources: {
    readonly user_initiated_questions: Source;
    readonly session_emotion: Source;
    readonly new_memories_count: Source;
  };
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
  readonly event: EventSummary & { readonly score_breakdown: Breakdown | null };
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
