/** How much a number of workers can do, by Little's law and the utilisation law. Pure arithmetic; times in milliseconds. */
import type { Costs } from './measured-costs';

/** What the messages ask for, beside the service's own work. */
export interface Mix {
  /** Waiting for others: external calls. */
  readonly serviceTime: number;
  /** CPU of the worker. */
  readonly cpuTime: number;
}

export interface Machine {
  /** Cores for the workers; for everything, when `shared`. */
  readonly cores: number;
  /** PostgreSQL and RabbitMQ run on the same cores. */
  readonly shared: boolean;
}

/** How many of what. */
export interface Fleet {
  readonly workers: number;
  /** C: messages in flight in one worker. */
  readonly concurrency: number;
  readonly poolSize: number;
}

/** What can bind, in the words of the answer. */
export const RESOURCES = {
  slots: 'messages in flight (W x C)',
  process: "a worker's one thread of JavaScript",
  cores: 'the cores',
  pool: 'connections of the pools',
} as const;
export type Resource = keyof typeof RESOURCES;

/** From delivery to commit when nothing waits for anything: what Little's law multiplies the rate with. */
export function residenceTime(mix: Mix, costs: Costs): number {
  return mix.serviceTime + mix.cpuTime + costs.workerCpu + costs.connectionTime;
}

/**
 * How long all that is in flight takes, if it begins at once: what waits does so side by side, what computes does so one after the other
 * in each process, and processes share the cores. Milliseconds.
 */
export function roundTime(fleet: Pick<Fleet, 'workers' | 'concurrency'>, mix: Mix, cores: number): number {
  return mix.serviceTime + mix.cpuTime * fleet.concurrency * Math.max(1, fleet.workers / cores);
}

/** CPU of all that works on a message on these cores. */
export function cpuPerMessage(mix: Mix, machine: Machine, costs: Costs): number {
  const worker = mix.cpuTime + costs.workerCpu;
  return machine.shared ? worker + costs.databaseCpu + costs.brokerCpu : worker;
}

/** The highest rate that each resource allows, messages a second. */
export function ceilings(fleet: Fleet, mix: Mix, machine: Machine, costs: Costs): Record<Resource, number> {
  return {
    slots: (1_000 * fleet.workers * fleet.concurrency) / residenceTime(mix, costs),
    process: (1_000 * fleet.workers) / (mix.cpuTime + costs.workerCpu),
    cores: (1_000 * machine.cores) / cpuPerMessage(mix, machine, costs),
    pool: (1_000 * fleet.workers * fleet.poolSize) / costs.connectionTime,
  };
}

/** The lowest of the ceilings is what the fleet can do. */
export function capacity(
  fleet: Fleet,
  mix: Mix,
  machine: Machine,
  costs: Costs,
): { readonly perSecond: number; readonly binding: Resource } {
  const all = Object.entries(ceilings(fleet, mix, machine, costs)) as [Resource, number][];
  const [binding, perSecond] = all.reduce((lowest, other) => (other[1] < lowest[1] ? other : lowest));
  return { perSecond, binding };
}

/** Resident memory of a fleet, bytes. */
export function memoryOf({ workers, concurrency }: Fleet, costs: Costs): number {
  return workers * (costs.processMemory + concurrency * costs.messageMemory);
}

/**
 * Connections for one worker at `perSecond`: the mean number in use, and twice its square root on top, which leaves few waits
 * (the square-root staffing rule for many servers: Halfin and Whitt, 1981). More than C are never in use by messages; one
 * beside them is for the sweeper.
 */
export function poolFor(perSecond: number, concurrency: number, costs: Costs): number {
  const inUse = (perSecond * costs.connectionTime) / 1_000;
  return Math.min(concurrency, Math.ceil(inUse + 2 * Math.sqrt(inUse))) + 1;
}
