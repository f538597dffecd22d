/** What the page shows. Times are UTC ISO 8601, durations seconds, rates per second. `null`: nobody knows that now. */

export interface Outage {
  readonly part: 'database' | 'broker';
  readonly since: string | null;
  readonly reason: string;
}

export interface LaneState {
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

export interface InstanceState {
  readonly instance: string;
  readonly role: 'api' | 'worker' | 'all';
  readonly version: string;
  readonly started_at: string;
  readonly seen_seconds_ago: number;
  readonly ready: boolean;
  readonly reason: string | null;
  readonly in_flight: number;
  readonly concurrency: number;
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

export interface Binding {
  readonly resource: Resource;
  /** A sentence with the figures that say so. */
  readonly why: string;
}

export type SplitPart = 'queue' | 'slot' | 'external' | 'database' | 'ack';

export interface CriticalTime {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly count: number;
  /** `mean`: over all conversations, also those without this part, so that the parts add up; `p95`: over those with it. */
  readonly split: readonly { readonly part: SplitPart; readonly mean: number | null; readonly p95: number | null }[];
}

export interface ExternalState {
  readonly service: string;
  readonly breaker: 'closed' | 'half_open' | 'open';
  readonly calls_per_second: number;
  readonly p95: number | null;
  readonly failures_per_second: number;
}

/** A replay or a discard. */
export interface ActionState {
  readonly action_id: string;
  readonly operator: string;
  readonly action: string;
  readonly what: string;
  readonly state: 'running' | 'done' | 'failed';
  readonly done: number;
  readonly total: number;
  readonly at: string;
  readonly ended_at: string | null;
  /** Why it failed. */
  readonly error_code: string | null;
}

export interface AuditState {
  readonly at: string;
  readonly users: number;
  readonly events: number;
  readonly differences: number;
}

export interface State {
  readonly at: string;
  readonly interval_seconds: number;
  readonly version: string;
  readonly unavailable: readonly Outage[];
  readonly backlog: {
    readonly oldest_unsettled_seconds: number | null;
    readonly lanes: readonly LaneState[];
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
    readonly list: readonly InstanceState[];
  };
  readonly binds: Binding;
  readonly critical_time: CriticalTime;
  readonly external: readonly ExternalState[];
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
  readonly audit: AuditState | null;
  readonly actions: readonly ActionState[];
}
