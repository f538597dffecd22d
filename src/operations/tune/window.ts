/** What is seen of running processes between two moments. */
import { setTimeout as delay } from 'node:timers/promises';
import { CORES, cpuOfFamily, cpuOfMachine, cpuOfProcess } from './cpu-clock';
import type { CpuUse, Measurement, Sample } from './measurement';
import type { ServiceProcess } from './service-process';
import { percentiles } from './statistics';

/** How often the queue is looked at, milliseconds. */
export const SAMPLE_INTERVAL = 250;

export interface Watched {
  readonly workers: readonly ServiceProcess[];
  readonly api: ServiceProcess | undefined;
  /** Pids; undefined where they run elsewhere. */
  readonly postmaster: number | undefined;
  readonly brokerPid: number | undefined;
  /** Messages in the queue. */
  readonly waiting: () => Promise<number>;
}

/** CPU clocks at one moment, seconds. */
interface Clocks {
  readonly workers: number;
  readonly database: number | undefined;
  readonly broker: number | undefined;
  readonly api: number;
  readonly tuner: number;
  readonly machine: number | undefined;
}

type Window = Omit<
  Measurement,
  'workers' | 'concurrency' | 'poolSize' | 'group' | 'why' | 'load' | 'critical' | 'offered'
>;

/** Watches for `milliseconds`, or until `enough`. */
export async function observe(
  watched: Watched,
  milliseconds: number,
  signal: AbortSignal,
  enough?: AbortSignal,
): Promise<Window> {
  const { workers, waiting } = watched;
  // Reports come every 200 ms: rates are taken between two of a worker's own reports, so that their clock does not matter.
  const first = workers.map((worker) => worker.reports.length - 1);
  const before = clocks(watched);
  const begun = performance.now();
  const queue: Sample[] = [];
  while (performance.now() - begun < milliseconds && !(enough?.aborted ?? false)) {
    signal.throwIfAborted();
    const inQueue = await waiting();
    const inFlight = workers.reduce((sum, worker) => sum + (worker.latest?.inFlight ?? 0), 0);
    queue.push({ at: (performance.now() - begun) / 1_000, waiting: inQueue, inFlight });
    await delay(Math.min(SAMPLE_INTERVAL, Math.max(1, milliseconds - (performance.now() - begun))));
  }
  const seconds = (performance.now() - begun) / 1_000;
  const after = clocks(watched);
  const seen = workers.map((worker, index) => worker.reports.slice(Math.max(0, first[index])));
  const gained = (pick: (report: ServiceProcess['reports'][number]) => number) =>
    seen.reduce(
      (sum, reports) => sum + (reports.length > 1 ? pick(reports[reports.length - 1]) - pick(reports[0]) : 0),
      0,
    );
  const throughput = seen.reduce((sum, reports) => {
    const [from, to] = [reports[0], reports[reports.length - 1]];
    return reports.length > 1 ? sum + ((to.done - from.done) * 1_000) / (to.at - from.at) : sum;
  }, 0);
  const done = Math.max(
    1,
    gained((report) => report.done),
  );
  const loops = seen.flatMap((reports) => reports.slice(1).map(({ elu }) => elu));
  return {
    seconds,
    throughput,
    failed: gained((report) => report.failed),
    processing: percentiles(seen.flatMap((reports) => reports.slice(1).flatMap(({ times }) => times))),
    cpu: cpuBetween(before, after, seconds),
    cores: CORES,
    eventLoop: loops.reduce((sum, elu) => sum + elu, 0) / Math.max(1, loops.length),
    memory: workers.reduce((sum, worker) => sum + (worker.latest?.memory ?? 0), 0),
    pool: {
      waits: gained(({ pool }) => pool.waits) / done,
      waitMs: gained(({ pool }) => pool.waitMs) / done,
      heldMs: gained(({ pool }) => pool.heldMs) / done,
    },
    queue,
  };
}

function clocks({ workers, api, postmaster, brokerPid }: Watched): Clocks {
  const { user, system } = process.cpuUsage();
  return {
    workers: workers.reduce((sum, { pid }) => sum + (cpuOfProcess(pid) ?? 0), 0),
    database: postmaster === undefined ? undefined : cpuOfFamily(postmaster),
    broker: brokerPid === undefined ? undefined : cpuOfProcess(brokerPid),
    api: api ? (cpuOfProcess(api.pid) ?? 0) : 0,
    tuner: (user + system) / 1e6,
    machine: cpuOfMachine(),
  };
}

function cpuBetween(before: Clocks, after: Clocks, seconds: number): CpuUse {
  const used = (name: 'database' | 'broker' | 'machine') => {
    const [from, to] = [before[name], after[name]];
    return from === undefined || to === undefined ? undefined : (to - from) / seconds;
  };
  return {
    workers: (after.workers - before.workers) / seconds,
    database: used('database'),
    broker: used('broker'),
    machine: used('machine'),
    api: (after.api - before.api) / seconds,
    tuner: (after.tuner - before.tuner) / seconds,
  };
}
