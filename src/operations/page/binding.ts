/** Which resource holds the workers up, told from what is measured anyway. Pure. */
import type { Binding, CriticalTime, ExternalState, InstanceState, Outage } from './state';

export interface Signs {
  readonly unavailable: readonly Outage[];
  /** Messages that wait in the work queues; null: the broker is away. */
  readonly ready: number | null;
  readonly workers: readonly InstanceState[];
  readonly critical: CriticalTime;
  readonly external: readonly ExternalState[];
}

/** A worker's one thread is busy from here on, share of a core; garbage collection and the kernel take the rest. */
const BUSY = 0.85;

/** Slots in use from which on the slots themselves are short: prefetch leaves a few empty between an ack and a delivery. */
const FULL = 0.9;

/** The share of a part in the time of a message from which on it is what the message waits for. */
const MOST_OF_IT = 0.5;

/** A mean time in the database from which on it is the database that is slow, seconds: a commit takes a few milliseconds. */
const SLOW_DATABASE = 0.1;

/** The first of these that holds, the most certain first. */
export function bindingResource(signs: Signs): Binding {
  const { unavailable, ready, workers, external } = signs;
  const outage = unavailable.find(({ part }) => part === 'broker') ?? unavailable[0];
  if (outage) return { resource: outage.part, why: `The ${outage.part} is away: ${outage.reason}.` };
  const inFlight = sum(workers, ({ in_flight }) => in_flight);
  const slots = sum(workers, ({ concurrency }) => concurrency);
  if (!ready && (inFlight < slots * FULL || inFlight === 0)) {
    return { resource: 'nothing', why: `Nothing waits; ${inFlight} of ${slots} slots are in use.` };
  }
  if (workers.length === 0) return { resource: 'concurrency', why: 'There is no worker.' };
  const open = external.find(({ breaker }) => breaker !== 'closed');
  if (open) return { resource: 'external_service', why: `The circuit breaker of ${open.service} is ${open.breaker}.` };
  const cpu = sum(workers, ({ cpu_share }) => cpu_share) / workers.length;
  if (cpu >= BUSY) return { resource: 'worker_cpu', why: `Workers use ${percent(cpu)} of a core each.` };
  return waitingFor(signs, inFlight, slots);
}

/** The workers have time left, so their messages wait for something. */
function waitingFor({ workers, critical }: Signs, inFlight: number, slots: number): Binding {
  const mean = (part: string) => critical.split.find((each) => each.part === part)?.mean ?? 0;
  const [slot, outside, database] = [mean('slot'), mean('external'), mean('database')];
  const working = slot + outside + database + mean('ack');
  const waiting = sum(workers, ({ pool_waiting }) => pool_waiting);
  const exhausted = workers.filter(
    ({ pool_used, pool_size, pool_waiting }) => pool_used >= pool_size && pool_waiting > 0,
  );
  if (exhausted.length > 0 && waiting >= exhausted.length) {
    const size = sum(exhausted, ({ pool_size }) => pool_size);
    return { resource: 'database_pool', why: `${waiting} messages wait for one of ${size} connections.` };
  }
  if (outside > working * MOST_OF_IT) {
    return { resource: 'external_service', why: `A message waits ${seconds(outside)} for external services.` };
  }
  if (database > working * MOST_OF_IT && database > SLOW_DATABASE) {
    return { resource: 'database', why: `A message spends ${seconds(database)} in the database.` };
  }
  if (inFlight >= slots * FULL) {
    return {
      resource: 'concurrency',
      why: `${inFlight} of ${slots} slots are in use, and the workers have time left.`,
    };
  }
  return { resource: 'unknown', why: `Messages wait while ${inFlight} of ${slots} slots are in use.` };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function seconds(value: number): string {
  return value >= 1 ? `${value.toFixed(1)} s` : `${Math.round(value * 1000)} ms`;
}
