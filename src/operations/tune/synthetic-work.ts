/**
 * Loaded before the service by `tune` alone (`node --require`), with `--tune-service-time=MS --tune-cpu-time=MS` behind the program's
 * name: every message then waits and computes for as long as the operator's real ones would, before the service's own work on it.
 * It reports to its parent what only the process itself can see. The service knows nothing of it, so it cannot be switched on by a setting.
 */
import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool, type PoolClient } from 'pg';
import { Deliveries } from '../../messaging/deliveries';

/** What a process says of itself since its start, except for `times` and `elu`, which are since its last report. */
export interface ProcessReport {
  /** Unix time, milliseconds. */
  readonly at: number;
  readonly delivered: number;
  /** Ended with an ack; and in any other way. */
  readonly done: number;
  readonly failed: number;
  readonly inFlight: number;
  /** Bytes. */
  readonly memory: number;
  /** CPU, milliseconds. */
  readonly cpu: number;
  /** Share of the time in which the event loop was busy, 0..1. */
  readonly elu: number;
  /** Times at which a connection was asked for while all were lent; how long all waited and held, milliseconds. */
  readonly pool: { readonly waits: number; readonly waitMs: number; readonly heldMs: number };
  /** Processing times of what ended, milliseconds. */
  readonly times: readonly number[];
}

const REPORT_INTERVAL = 200;

/** The clock of the process is asked this often while it computes, iterations: about 20 µs. */
const SPIN = 20_000;

function argument(name: string): number {
  const given = process.argv.find((word) => word.startsWith(`--tune-${name}=`))?.split('=')[1];
  const value = Number(given);
  if (given === undefined || !(value >= 0)) throw new Error(`--tune-${name}: expected milliseconds, got ${given}`);
  return value;
}

let serviceTime = argument('service-time');
const cpuTime = argument('cpu-time');
const counts = { delivered: 0, done: 0, failed: 0 };
const pool = { waits: 0, waitMs: 0, heldMs: 0 };
let times: number[] = [];

/** CPU, not time: beside other processes it takes as much longer as real work would. */
function compute(milliseconds: number): void {
  if (milliseconds === 0) return;
  const begun = process.cpuUsage();
  for (let sink = 1; ;) {
    for (let step = 0; step < SPIN; step++) sink = (sink * 16_807) % 2_147_483_647;
    const { user, system } = process.cpuUsage(begun);
    if (user + system >= milliseconds * 1_000 || sink === 0) return;
  }
}

const { settle } = Object.getOwnPropertyDescriptors(Deliveries.prototype) as {
  settle: { value: Deliveries['settle'] };
};
Deliveries.prototype.settle = function (this: Deliveries, raw, queue, handler, whenHeldTooLong) {
  const begun = performance.now();
  counts.delivered++;
  const worked: typeof handler = async (message) => {
    if (serviceTime > 0) await delay(serviceTime);
    compute(cpuTime);
    const outcome = await handler(message);
    if (outcome.kind === 'ack') counts.done++;
    else counts.failed++;
    times.push(Math.round((performance.now() - begun) * 10) / 10);
    return outcome;
  };
  return settle.value.call(this, raw, queue, worked, whenHeldTooLong);
};

type Lend = (
  error: Error | undefined,
  client: PoolClient | undefined,
  release: (broken?: Error | boolean) => void,
) => void;
const lendOf = (Pool.prototype as unknown as { connect: (this: Pool, lend?: Lend) => Promise<PoolClient> | undefined })
  .connect;
(Pool.prototype as unknown as { connect: typeof lendOf }).connect = function (lend) {
  if (lend === undefined) return lendOf.call(this);
  const asked = performance.now();
  if (this.idleCount === 0 && this.totalCount >= this.options.max) pool.waits++;
  return lendOf.call(this, (error, client, release) => {
    const lent = performance.now();
    pool.waitMs += lent - asked;
    lend(error, client, (broken) => {
      pool.heldMs += performance.now() - lent;
      release(broken);
    });
  });
};

let last = performance.eventLoopUtilization();
setInterval(() => {
  const { user, system } = process.cpuUsage();
  const now = performance.eventLoopUtilization();
  const report: ProcessReport = {
    at: Date.now(),
    ...counts,
    inFlight: counts.delivered - counts.done - counts.failed,
    memory: process.memoryUsage.rss(),
    cpu: (user + system) / 1_000,
    elu: performance.eventLoopUtilization(now, last).utilization,
    pool: { ...pool },
    times,
  };
  last = now;
  times = [];
  process.send?.(report);
}, REPORT_INTERVAL).unref();

process.on('message', (message: { serviceTime: number }) => (serviceTime = message.serviceTime));

// Whoever started this process is gone, and so is the reason for it.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
