/** From figures to W, K, P, C and the pool. Pure. */
import { connectionsNeeded, type ConnectionNeeds } from '../../config/connection-budget';
import { capacity, ceilings, memoryOf, poolFor, residenceTime, type Fleet, type Machine, type Mix } from './capacity';
import type { Costs } from './measured-costs';

/** What the operator says. Times in milliseconds, sizes in bytes. */
export interface PlanInput {
  readonly mix: Mix;
  readonly machine: Machine;
  readonly costs: Costs;
  /** Messages a second at the peak. */
  readonly rate: number;
  /** Share of a resource that may be in use at that rate; the rest is for bursts and for catching up. */
  readonly targetUtilisation: number;
  /** Memory for all workers; undefined: not limited. */
  readonly memory: number | undefined;
  /** Connections that the service may take. */
  readonly connectionBudget: number;
  readonly budgetSource: string;
  readonly apis: number;
  readonly apiPoolSize: number;
  readonly surge: number;
  readonly maxReplicas: number | undefined;
  /** Whether each worker finds its C by itself, up to `fixed.concurrency`: it then holds no more than it works on. */
  readonly adapts: boolean;
  /** What the operator has decided already. */
  readonly fixed: {
    readonly workers?: number;
    readonly concurrency?: number;
    readonly channels?: number;
    readonly poolSize?: number;
  };
  readonly deployment: Deployment;
}

/** What surrounds the workers; every one has a default, and a rule that it must keep. */
export interface Deployment {
  readonly gracePeriod: number;
  readonly shutdownTimeout: number;
  /** From delivery to commit when nothing waits for anything. */
  readonly meanMessage: number;
  /** The longest that one message may take. */
  readonly longestMessage: number;
  /** `LONGEST_HOLD`: how long a message is held while PostgreSQL is away. */
  readonly longestHold: number;
  /** RabbitMQ's `consumer_timeout`. */
  readonly consumerTimeout: number;
  readonly deliveryLimit: number;
  /** Attempts at a message that fails, the first included. */
  readonly attempts: number;
}

export interface Plan extends Fleet {
  readonly channels: number;
  readonly prefetch: number;
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** Old workers that still drain when the rollout is at its worst. */
  readonly draining: number;
  /** Messages waiting for each replica at which another is worth starting. */
  readonly queueLengthPerReplica: number;
  /** Little's law: in flight over all workers at the rate. */
  readonly inFlight: number;
  /** What the fleet can do, and what then gives out. */
  readonly capacity: ReturnType<typeof capacity>;
  readonly ceilings: ReturnType<typeof ceilings>;
  /** Of the workers that the rate needs, bytes. */
  readonly memory: number;
  /** Of all that may exist at the worst moment of a rollout at {@link maxReplicas}, bytes. */
  readonly peakMemory: number;
}

/** A channel's error gives back what it holds; more channels lose less each time, and each costs the broker a little. */
const PREFETCH_PER_CHANNEL = 50;
const MOST_CHANNELS = 100;

/** From the start of a worker until it is ready, milliseconds; a rollout goes on from there. */
const START_TIME = 5_000;

/** A worker's settings allow no larger C. */
const MOST_IN_FLIGHT = 10_000;

/** How old a backlog may get before another replica is started, seconds. */
const TOLERABLE_WAIT = 10;

export function makePlan(input: PlanInput): Plan {
  const { mix, machine, costs, rate, targetUtilisation: target, fixed } = input;
  const inFlight = (rate * residenceTime(mix, costs)) / 1_000;
  const workers = fixed.workers ?? workersFor(input);
  const concurrencyWanted = fixed.concurrency ?? Math.max(1, Math.ceil(inFlight / target / workers));
  const channels = fixed.channels ?? Math.min(MOST_CHANNELS, Math.ceil(concurrencyWanted / PREFETCH_PER_CHANNEL));
  const concurrency = fixed.concurrency ?? Math.ceil(concurrencyWanted / channels) * channels;
  const poolSize = fixed.poolSize ?? poolFor(rate / target / workers, concurrency, costs);
  const fleet: Fleet = { workers, concurrency, poolSize };
  const each = capacity({ ...fleet, workers: 1 }, mix, { ...machine, cores: Math.max(1, machine.cores) }, costs);
  const maxReplicas = input.maxReplicas ?? roomyReplicas(fleet, input);
  const draining = drainingAtOnce(maxReplicas, input);
  return {
    ...fleet,
    channels,
    prefetch: concurrency / channels,
    minReplicas: Math.min(maxReplicas, Math.max(2, Math.ceil(workers / 4))),
    maxReplicas,
    draining,
    queueLengthPerReplica: Math.max(1, Math.round(each.perSecond * TOLERABLE_WAIT)),
    inFlight,
    capacity: capacity(fleet, mix, machine, costs),
    ceilings: ceilings(fleet, mix, machine, costs),
    memory: memoryOf(fleet, costs),
    peakMemory: memoryOf({ ...fleet, workers: maxReplicas + input.surge + draining }, costs),
  };
}

/** Every process at the worst moment of a rollout. */
export function connectionNeeds(
  { maxReplicas, draining, poolSize }: Pick<Plan, 'maxReplicas' | 'draining' | 'poolSize'>,
  { surge, apis, apiPoolSize }: PlanInput,
): ConnectionNeeds {
  return { workers: maxReplicas, surge, draining, workerPoolSize: poolSize, apis, apiPoolSize };
}

/** Twice the workers for catching up, as far as cores, memory and connections go; never fewer than the rate needs. */
function roomyReplicas(fleet: Fleet, input: PlanInput): number {
  const { workers, poolSize } = fleet;
  for (let replicas = Math.min(2 * workers, Math.floor(input.machine.cores)); replicas > workers; replicas--) {
    const draining = drainingAtOnce(replicas, input);
    const connections = connectionsNeeded(connectionNeeds({ maxReplicas: replicas, draining, poolSize }, input));
    const memory = memoryOf({ ...fleet, workers: replicas + input.surge + draining }, input.costs);
    if (connections <= input.connectionBudget && memory <= (input.memory ?? Infinity)) return replicas;
  }
  return workers;
}

/** @returns K for a C that stands: the fewest channels that share it evenly with a moderate prefetch */
export function channelsFor(concurrency: number): number {
  let channels = Math.min(MOST_CHANNELS, Math.ceil(concurrency / PREFETCH_PER_CHANNEL));
  while (concurrency % channels !== 0) channels--;
  return channels;
}

/** The utilisation law: a process has one thread, so it takes as many of them as there are busy cores, over the target. */
function workersFor({ rate, mix, costs, targetUtilisation, fixed }: PlanInput): number {
  const busyCores = (rate * (mix.cpuTime + costs.workerCpu)) / 1_000;
  const inFlight = (rate * residenceTime(mix, costs)) / 1_000;
  const byThread = Math.ceil(busyCores / targetUtilisation - 1e-9);
  const bySlots = fixed.concurrency === undefined ? Math.ceil(inFlight / targetUtilisation / MOST_IN_FLIGHT) : 1;
  return Math.max(1, byThread, bySlots);
}

/** A rollout starts the next `surge` workers once the last are ready; meanwhile the old ones finish what they hold. */
function drainingAtOnce(maxReplicas: number, { surge, deployment }: PlanInput): number {
  // With many in flight, one of them is always near the longest.
  const drain = Math.min(deployment.shutdownTimeout, deployment.longestMessage);
  return Math.min(maxReplicas, surge * Math.max(1, Math.ceil(drain / START_TIME)));
}

/** The operators' rules, for these cores; the second number is the prefetch that they came with. */
export function rulesOfThumb(
  cores: number,
): readonly { readonly rule: string; readonly workers: number; readonly concurrency: number }[] {
  const n = Math.max(1, Math.round(cores));
  return [
    { rule: 'N, CPU-bound', workers: n, concurrency: 5 },
    { rule: 'N x 10 (96 cores: 96 x 10 = 960)', workers: n, concurrency: 10 },
    { rule: '4/3 N x 15 (96 cores: 128 x 15 = 1,920)', workers: Math.round((4 / 3) * n), concurrency: 15 },
    { rule: '2N x 20 (96 cores: 192 x 20 = 3,840)', workers: 2 * n, concurrency: 20 },
    { rule: '2N + 1, I/O-bound', workers: 2 * n + 1, concurrency: 10 },
  ];
}
