/** The state in one sentence: what somebody just woken reads first. */
import type { Outage, Part, Resource, State } from './contract';
import { counted, duration, rate, roughly } from './format';

/** How serious: everything is as it should be, somebody should look, somebody should act. */
export type Level = 'good' | 'warn' | 'bad';

export interface Verdict {
  readonly level: Level;
  /** Which sentence it is, without its numbers: a change of it is news. */
  readonly kind: string;
  readonly headline: string;
  readonly why: string;
}

/** An oldest message below this is no news, seconds. */
const UNREMARKABLE_AGE = 30;

/** Named in the order in which they explain each other: without a database no figure of the rest means much. */
export function verdict(state: State): Verdict {
  const { backlog, workers, rates, audit, totals } = state;
  const working = workers.list.filter(({ role }) => role !== 'api');
  const notReady = working.filter(({ ready }) => !ready);
  const waiting = waitingMessages(state);

  const down = state.unavailable.map(({ part }) => PARTS[part]);
  if (down.length > 0)
    return {
      level: 'bad',
      kind: `unreachable ${down.join(' ')}`,
      headline: `${sentence(down.join(' and '))} unreachable`,
      why: consequence(state.unavailable),
    };
  if (working.length === 0)
    return {
      level: 'bad',
      kind: 'no-worker',
      headline: 'No worker is running',
      why: 'Conversations are accepted and kept; nothing is scored.',
    };
  if (workers.ready === 0)
    return {
      level: 'bad',
      kind: 'none-ready',
      headline: 'No worker is ready',
      why: notReady[0]?.reason ?? 'None of them says why.',
    };
  if (audit !== null && audit.differences > 0)
    return {
      level: 'bad',
      kind: 'audit',
      headline: `The last audit found ${counted(audit.differences, 'difference')}`,
      why: 'Some children’s scores are not the sum of their conversations. The runbook says what to do.',
    };
  if (backlog.growing)
    return {
      level: 'bad',
      kind: 'growing',
      headline: 'The backlog grows',
      why: `${rate(rates.accepted)} arrive, ${rate(rates.settled)} are completed. ${state.binds.why}`,
    };
  const missing = (workers.expected ?? 0) - workers.ready;
  if (missing > 0)
    return {
      level: 'warn',
      kind: 'missing',
      headline: `${counted(missing, 'worker')} of ${workers.expected ?? 0} missing`,
      why: notReady[0]?.reason ?? 'The others go on; what it had in flight is delivered to them again.',
    };
  if (notReady.length > 0)
    return {
      level: 'warn',
      kind: 'not-ready',
      headline: `${counted(notReady.length, 'worker')} not ready`,
      why: notReady[0]?.reason ?? '',
    };
  const open = state.external.filter(({ breaker }) => breaker === 'open');
  if (open.length > 0)
    return {
      level: 'warn',
      kind: 'breaker',
      headline: `${sentence(open.map(({ service }) => service).join(' and '))}: calls are suspended`,
      why: 'Too many failed. Conversations that need them wait; the rest go on.',
    };
  if ((backlog.oldest_unsettled_seconds ?? 0) > UNREMARKABLE_AGE)
    return {
      level: 'warn',
      kind: 'old',
      headline: `The oldest message waits ${duration(backlog.oldest_unsettled_seconds)}`,
      why:
        backlog.seconds_to_drain === null
          ? state.binds.why
          : `The backlog shrinks, and is gone in about ${roughly(backlog.seconds_to_drain)}.`,
    };
  if ((totals.open_dead_letters ?? 0) > 0)
    return {
      level: 'warn',
      kind: 'failed',
      headline: `${counted(totals.open_dead_letters ?? 0, 'conversation')} failed and wait for a decision`,
      why: 'Everything else is keeping up. See Failures.',
    };
  return {
    level: 'good',
    kind: 'good',
    headline: 'All is well',
    why: waiting ? `Work is done as it arrives: ${counted(waiting, 'message')} on the way.` : 'Nothing waits.',
  };
}

const PARTS: Readonly<Record<Part, string>> = { database: 'PostgreSQL', broker: 'RabbitMQ' };

/** What works on and what does not while a part is away. */
export function consequence(outages: readonly Outage[]): string {
  const away = new Set(outages.map(({ part }) => part));
  if (away.has('database') && away.has('broker'))
    return 'Nothing is accepted and nothing is scored. What had been accepted is safe in the database.';
  if (away.has('database')) return 'New conversations are refused with 503. What is in flight goes on when it is back.';
  return 'Conversations are accepted and safe in the database; they are queued when it is back.';
}

/** What an outage hides from this page. */
export function hidden({ part }: Outage): string {
  return part === 'database'
    ? 'Not known until then: the oldest message, failures, connections, single events and children.'
    : 'Not known until then: queue lengths, and the figures of other processes.';
}

/** Messages in the queues and in flight; null where the broker's part is not known. */
export function waitingMessages({ backlog }: State): number | null {
  let ready = 0;
  for (const lane of backlog.lanes) {
    if (lane.ready === null) return null;
    ready += lane.ready;
  }
  return ready + (backlog.retry_waiting ?? 0) + backlog.in_flight;
}

/** The resource that binds, by the name that an operator knows it by. */
export const RESOURCES: Readonly<Record<Resource, string>> = {
  nothing: 'Nothing',
  concurrency: 'Concurrency',
  worker_cpu: 'Workers’ CPU',
  database_pool: 'Connection pool',
  external_service: 'External service',
  database: 'PostgreSQL',
  broker: 'RabbitMQ',
  unknown: 'Not known',
};

export function partName(part: Part): string {
  return PARTS[part];
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
