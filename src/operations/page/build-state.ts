/** Puts together what the page shows, from what is known. Pure. */
import type { QueueFigures } from '../../messaging/telemetry-channel';
import { lanesOf, type Topology } from '../../messaging/topology';
import type { Backlog } from '../../observability/backlog.repository';
import { bindingResource } from './binding';
import { countOf, meanOf, quantile } from './distribution';
import { drainOf } from './drain';
import type { StoredFigures } from './figures.repository';
import type { Change, Present } from './fleet';
import type { RecordedAction } from './operator-actions.repository';
import type {
  ActionState,
  CriticalTime,
  ExternalState,
  InstanceState,
  LaneState,
  Moment,
  Outage,
  SplitPart,
  State,
} from './state';

/** What is known now; undefined: not known. */
export interface Known {
  readonly at: Date;
  readonly intervalSeconds: number;
  readonly version: string;
  readonly topology: Topology;
  readonly unavailable: readonly Outage[];
  readonly queues: ReadonlyMap<string, QueueFigures> | undefined;
  readonly present: readonly Present[];
  /** The last ten seconds, and the last minute. */
  readonly lately: Change;
  readonly minute: Change;
  readonly history: readonly Moment[];
  readonly expectedWorkers: number | undefined;
  readonly backlog: Backlog | undefined;
  readonly stored: StoredFigures | undefined;
  readonly budget: number | undefined;
  readonly actions: readonly RecordedAction[] | undefined;
}

export function buildState(known: Known): State {
  const { at, topology, unavailable, queues, present, lately, history, stored } = known;
  const list = present.map(toInstance);
  const workers = list.filter(({ role }) => role !== 'api');
  const lanes = lanesOf(topology).map(({ name, queue }): LaneState => ({
    name: name === 'processing' ? 'main' : 'analysis',
    queue: queue.name,
    ready: queues?.get(queue.name)?.ready ?? null,
    consumers: queues?.get(queue.name)?.consumers ?? null,
  }));
  const critical = criticalTimeOf(known.minute);
  const external = externalOf(lately, known.minute);
  const drain = drainOf(history, known.intervalSeconds);
  const inFlight = sum(workers, ({ in_flight }) => in_flight);
  return {
    at: at.toISOString(),
    interval_seconds: known.intervalSeconds,
    version: known.version,
    unavailable,
    backlog: {
      oldest_unsettled_seconds: known.backlog?.oldest_seconds ?? null,
      lanes,
      retry_waiting: retryWaiting(topology, queues),
      dead_letters_arriving: queues?.get(topology.deadLetterQueue.name)?.ready ?? null,
      in_flight: inFlight,
      seconds_to_drain: drain.seconds,
      growing: drain.growing,
    },
    rates: {
      accepted: lately.rates.accepted,
      settled: lately.rates.settled,
      failed_attempts: lately.rates.failed_attempts,
      duplicates: lately.rates.duplicates,
    },
    history,
    workers: {
      expected: known.expectedWorkers ?? null,
      ready: workers.filter(({ ready }) => ready).length,
      in_flight: inFlight,
      concurrency: sum(workers, ({ concurrency }) => concurrency),
      list,
    },
    binds: bindingResource({ unavailable, ready: readyIn(topology, queues), workers, critical, external }),
    critical_time: critical,
    external,
    database: {
      connections: stored?.connections ?? null,
      budget: known.budget ?? null,
      used_by_us: stored?.used_by_us ?? null,
    },
    totals: {
      duplicates_suppressed: sum(present, ({ figures }) => figures.counters.duplicates),
      republished: sum(present, ({ figures }) => figures.counters.republished),
      open_dead_letters: stored?.open_dead_letters ?? null,
      failed_events: stored?.failed_events ?? null,
    },
    audit: auditOf(stored),
    actions: (known.actions ?? []).map(toActionState),
  };
}

/** What the charts show of this moment. */
export function momentOf(known: Pick<Known, 'at' | 'topology' | 'queues' | 'present' | 'lately'>): Moment {
  const { at, topology, queues, present, lately } = known;
  const { critical } = lately.distributions;
  return {
    at: at.toISOString(),
    accepted: lately.rates.accepted,
    settled: lately.rates.settled,
    ready: readyIn(topology, queues),
    in_flight: sum(present, ({ figures }) => figures.in_flight),
    p50: critical ? quantile(critical, 0.5) : null,
    p99: critical ? quantile(critical, 0.99) : null,
  };
}

/** Messages that wait in the work queues; null when one of them is not known. */
function readyIn(topology: Topology, queues: ReadonlyMap<string, QueueFigures> | undefined): number | null {
  return sumOfReady(
    queues,
    lanesOf(topology).map(({ queue }) => queue.name),
  );
}

function retryWaiting(topology: Topology, queues: ReadonlyMap<string, QueueFigures> | undefined): number | null {
  return sumOfReady(
    queues,
    lanesOf(topology).flatMap(({ retryQueues }) => retryQueues.map(({ name }) => name)),
  );
}

function sumOfReady(queues: ReadonlyMap<string, QueueFigures> | undefined, names: readonly string[]): number | null {
  const counts = names.map((name) => queues?.get(name)?.ready);
  return counts.some((count) => count === undefined) ? null : counts.reduce<number>((a, b) => a + (b ?? 0), 0);
}

function toInstance({ figures, seen_seconds_ago, settled_per_second }: Present): InstanceState {
  const { format: _, uptime_seconds: __, counters: ___, distributions: ____, services: _____, ...shown } = figures;
  return { ...shown, seen_seconds_ago, settled_per_second };
}

const SPLIT: readonly SplitPart[] = ['queue', 'slot', 'external', 'database', 'ack'];

function criticalTimeOf({ distributions }: Change): CriticalTime {
  const { critical } = distributions;
  const count = critical ? countOf(critical) : 0;
  const split = SPLIT.map((part) => {
    const spent = distributions[part];
    if (!spent) return { part, mean: null, p95: null };
    // Few conversations ask anybody; their waiting is spread over all, so that the parts add up.
    const mean = part === 'external' ? (count === 0 ? null : spent.sum / count) : meanOf(spent);
    return { part, mean, p95: quantile(spent, 0.95) };
  });
  const at = (q: number) => (critical ? quantile(critical, q) : null);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), count, split };
}

const BREAKERS = ['closed', 'half_open', 'open'] as const;

function externalOf(lately: Change, minute: Change): ExternalState[] {
  return [...minute.services].map(([service, { breaker, calls }]) => ({
    service,
    breaker: BREAKERS[Math.round(breaker)],
    calls_per_second: lately.services.get(service)?.callsPerSecond ?? 0,
    p95: quantile(calls, 0.95),
    failures_per_second: lately.services.get(service)?.failuresPerSecond ?? 0,
  }));
}

function auditOf(stored: StoredFigures | undefined): State['audit'] {
  if (!stored?.audited_at) return null;
  const { audited_at, audited_users, audited_events, audit_differences } = stored;
  return {
    at: audited_at.toISOString(),
    users: audited_users ?? 0,
    events: audited_events ?? 0,
    differences: audit_differences ?? 0,
  };
}

export function toActionState(action: RecordedAction): ActionState {
  const { action_id, operator, action: name, state, done, total, at, ended_at, error_code } = action;
  return {
    action_id,
    operator,
    action: name,
    what: whatOf(action),
    state,
    done,
    total,
    at: at.toISOString(),
    ended_at: ended_at?.toISOString() ?? null,
    error_code,
  };
}

/** Which dead letters were chosen, in words. */
function whatOf({ action, selected_ids, selected_reason, selected_error_code }: RecordedAction): string {
  if (action === 'login' || action === 'failed_login') return '';
  if (selected_ids !== null) return `${selected_ids} chosen`;
  return `${selected_reason ?? 'all'} / ${selected_error_code ?? 'no code'}`;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
