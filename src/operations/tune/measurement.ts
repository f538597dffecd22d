/** What one run at one point says. */
import type { Percentiles } from './statistics';

/** Where to measure. */
export interface Point {
  readonly workers: number;
  readonly concurrency: number;
  readonly poolSize: number;
  /** COMMIT_GROUP_SIZE */
  readonly group: number;
}

/** CPU in cores: 1 is one core kept busy. Undefined where it cannot be seen from here. */
export interface CpuUse {
  readonly workers: number;
  readonly database: number | undefined;
  readonly broker: number | undefined;
  readonly api: number;
  readonly tuner: number;
  /** Everything on this machine, those above included. */
  readonly machine: number | undefined;
}

export interface Sample {
  /** Seconds since the measuring began. */
  readonly at: number;
  readonly waiting: number;
  readonly inFlight: number;
}

export interface Measurement extends Point {
  readonly load: 'backlog' | 'open loop';
  /** Why it was measured. */
  readonly why: string;
  readonly seconds: number;
  /** Messages a second, committed and acknowledged. */
  readonly throughput: number;
  readonly failed: number;
  /** From delivery to outcome, milliseconds. */
  readonly processing: Percentiles;
  /** From acceptance to commit, milliseconds; only where messages come at a rate, since in a backlog it is the queue's age. */
  readonly critical: Percentiles | undefined;
  /** Offered rate of the open loop, messages a second. */
  readonly offered: number | undefined;
  readonly cpu: CpuUse;
  /** Cores of this machine. */
  readonly cores: number;
  /** Share of its time in which a worker's event loop was busy: the mean of the workers, 0..1. */
  readonly eventLoop: number;
  /** Resident memory of all workers at the end, bytes. */
  readonly memory: number;
  /** Per message: waits for a connection (count and milliseconds), and how long one was held, milliseconds. */
  readonly pool: { readonly waits: number; readonly waitMs: number; readonly heldMs: number };
  readonly queue: readonly Sample[];
}

export function samePoint(a: Point, b: Point): boolean {
  return a.workers === b.workers && a.concurrency === b.concurrency && a.poolSize === b.poolSize && a.group === b.group;
}

export function pointText({ workers, concurrency, poolSize, group }: Point): string {
  return `W ${workers} x C ${concurrency}, pool ${poolSize}${group > 1 ? `, commit group ${group}` : ''}`;
}

/** Share of the machine in use, 0..1; undefined where it cannot be seen. */
export function machineUse({ cpu, cores }: Measurement): number | undefined {
  return cpu.machine === undefined ? undefined : cpu.machine / cores;
}

/** CPU of others above which the figures are not the service's own. Share of the machine. */
const DISTURBED = 0.1;

export function isDisturbed(run: Measurement): boolean {
  return othersUse(run) > DISTURBED * run.cores;
}

/** An open loop whose posts were not all worked on in their time has no latency of its own: what is measured is a queue that grows. */
const KEPT_UP = 0.9;

export function keptUp({ offered, throughput }: Measurement): boolean {
  return offered === undefined || throughput >= KEPT_UP * offered;
}

/** Cores used by processes that have nothing to do with it. */
export function othersUse({ cpu }: Measurement): number {
  if (cpu.machine === undefined) return 0;
  const known = cpu.workers + (cpu.database ?? 0) + (cpu.broker ?? 0) + cpu.api + cpu.tuner;
  return Math.max(0, cpu.machine - known);
}
