/** What a run of `tune` found: the JSON it writes, and what its report shows. */
import { poolFor, type Mix } from '../plan/capacity';
import type { Costs } from '../plan/measured-costs';
import { MEASURED_COSTS } from '../plan/measured-costs';
import { channelsFor } from '../plan/plan';
import { concurrencyLines } from '../plan/plan-text';
import { number } from '../plan/plan-units';
import {
  isDisturbed,
  keptUp,
  machineUse,
  othersUse,
  pointText,
  samePoint,
  type Measurement,
  type Point,
} from './measurement';
import {
  bindingResource,
  candidates,
  CLEAR,
  knee,
  KNEE_TOLERANCE,
  MACHINE_FULL,
  POOL_WAITS,
  rivalOf,
  type Candidate,
} from './search';
import { pairedRatio } from './statistics';

export interface TuneResult {
  /** False when it was interrupted: the answer is that of what was measured until then. */
  readonly complete: boolean;
  readonly kind: 'search' | 'grid' | 'classic';
  readonly startedAt: string;
  readonly seconds: number;
  readonly machine: { readonly cores: number; readonly cpu: string; readonly memory: number; readonly node: string };
  readonly mix: Mix;
  readonly measurements: readonly Measurement[];
  readonly answer: Answer | undefined;
  /** For `plan --measured`. */
  readonly costs: Costs | undefined;
  /** What `plan` would have said of the recommended point before anything ran, messages a second. */
  readonly predicted: number | undefined;
}

export interface Answer {
  readonly point: Point;
  readonly throughput: number;
  readonly env: readonly string[];
  /** Against the next best, with the interval that holds the ratio with 90 %; null where there were too few runs for one. */
  readonly nextBest:
    | {
        readonly point: Point;
        readonly throughput: number;
        readonly ratio: number;
        readonly interval: readonly [number, number] | null;
      }
    | undefined;
  readonly binding: string;
  /** What else the operator should know. */
  readonly remarks: readonly string[];
}

/** The most that could be chosen. */
export interface Limits {
  readonly workers: number;
  readonly concurrency: number;
  /** The largest pool of each of so many workers that the server has connections for. */
  readonly poolLimit: (workers: number) => number;
}

export function answerOf(measured: readonly Measurement[], limits: Limits, mix: Mix): Answer | undefined {
  const [chosen, ...others] = knee(candidates(measured));
  // What takes longer than a point was measured for has no throughput.
  if (!chosen || chosen.throughput === 0) return undefined;
  const next = rivalOf(chosen, others);
  const pairs =
    next &&
    pairedRatio(
      ...([chosen.runs, next.runs].map((runs) => runs.map(({ throughput }) => throughput)) as [number[], number[]]),
    );
  return {
    point: chosen.point,
    throughput: chosen.throughput,
    env: environmentLines(chosen.point, mix),
    nextBest: next &&
      pairs && {
        point: next.point,
        throughput: next.throughput,
        ratio: chosen.throughput / next.throughput,
        interval: Number.isFinite(pairs.high) ? [pairs.low, pairs.high] : null,
      },
    binding: bindingOf(chosen, others),
    remarks: [...smallerPools(chosen, others), ...remarksOn(measured, chosen.runs, next?.runs ?? [], limits)],
  };
}

/** At the knee something may have a little left: then what ends the gain further up is what binds. */
function bindingOf(chosen: Candidate, others: readonly Candidate[]): string {
  const at = ({ runs }: Candidate) => runs.map(bindingResource).find((resource) => resource !== undefined);
  const here = at(chosen);
  if (here !== undefined) return here;
  const inFlight = ({ point }: Candidate) => point.workers * point.concurrency;
  const beyond = others.find(
    (other) => inFlight(other) > inFlight(chosen) && doesAsMuch(other, chosen) && at(other) !== undefined,
  );
  if (beyond) return `nothing here yet; with more in flight, at ${pointText(beyond.point)}, ${at(beyond)}`;
  return 'nothing on this machine that can be seen from here';
}

function doesAsMuch(other: Candidate, { throughput }: Candidate): boolean {
  return other.throughput >= throughput * KNEE_TOLERANCE;
}

/** The same point with fewer connections is no other answer, but one that a server with few of them may prefer. */
function smallerPools(chosen: Candidate, others: readonly Candidate[]): string[] {
  const { point } = chosen;
  return others
    .filter((other) => other.point.poolSize < point.poolSize && doesAsMuch(other, chosen))
    .filter((other) => samePoint({ ...other.point, poolSize: point.poolSize }, point))
    .map(
      (other) =>
        `a pool of ${other.point.poolSize} did ${Math.round(other.throughput).toLocaleString('en-US')} a second, within ${Math.round(100 * (1 - KNEE_TOLERANCE))} %, with fewer connections`,
    );
}

function environmentLines({ workers, concurrency, poolSize, group }: Point, mix: Mix): string[] {
  return [
    `WORKER_REPLICAS=${workers}`,
    ...concurrencyLines(mix, concurrency, channelsFor(concurrency)),
    `COMMIT_GROUP_SIZE=${group}`,
    `DATABASE_POOL_SIZE=${poolSize}`,
  ];
}

function remarksOn(
  measured: readonly Measurement[],
  runs: readonly Measurement[],
  rivals: readonly Measurement[],
  limits: Limits,
): string[] {
  const [{ workers, concurrency, poolSize }] = runs;
  const remarks: string[] = [];
  const full = runs.every((run) => (machineUse(run) ?? 0) >= MACHINE_FULL);
  if (concurrency === limits.concurrency && !full)
    remarks.push(`C is at the highest that was allowed: try higher ones with --concurrency`);
  if (workers === limits.workers && !full)
    remarks.push(
      limits.poolLimit(2 * workers) < 1
        ? 'W is at the highest that PostgreSQL has connections for: raise max_connections to try more'
        : 'W is at the highest that was allowed: try more with --workers',
    );
  if (poolSize === limits.poolLimit(workers) && runs[0].pool.waits > POOL_WAITS)
    remarks.push(
      `messages wait for a connection, and PostgreSQL has none for more than ${workers} x ${poolSize} of them: raise max_connections to try larger pools`,
    );
  const disturbed = [...runs, ...rivals].filter(isDisturbed);
  if (disturbed.length > 0) {
    const most = Math.max(...disturbed.map((run) => othersUse(run) / run.cores));
    remarks.push(
      `others used up to ${Math.round(100 * most)} % of this machine in ${disturbed.length} of the ${runs.length + rivals.length} runs of these two points: repeat on a quiet one`,
    );
  }
  for (const late of measured.filter((run) => !keptUp(run)))
    remarks.push(
      `${number(late.offered ?? 0)} posts a second were offered and ${number(late.throughput)} worked on: the latency there is that of a queue that grows`,
    );
  if (runs.some(({ failed }) => failed > 0))
    remarks.push('some messages failed: look at them before trusting the figures');
  if (runs.some(({ cpu }) => cpu.database === undefined))
    remarks.push('PostgreSQL does not run here, or cannot be looked at: its CPU is not known');
  if (runs.some(({ cpu }) => cpu.broker === undefined))
    remarks.push('RabbitMQ does not run here, or cannot be looked at: its CPU is not known');
  return remarks;
}

/**
 * What a message and a process cost here, beside the mix's own work. CPU is that of the best point: with less in flight a message costs more,
 * since fewer share a trip, and with more processes than cores too. Of those without commit groups, of which `plan` knows nothing.
 */
export function costsOf(measured: readonly Measurement[], mix: Mix): Costs | undefined {
  const [chosen] = knee(candidates(measured.filter(({ group }) => group === 1)));
  if (!chosen || chosen.throughput === 0) return undefined;
  const runs = measured.filter(({ throughput, load }) => throughput > 0 && load === 'backlog');
  const perMessage = (pick: (run: Measurement) => number | undefined) => {
    const known = chosen.runs.map((run) => ({ run, cpu: pick(run) })).filter(({ cpu }) => cpu !== undefined);
    return known.length === 0
      ? undefined
      : (1_000 * sum(known.map(({ cpu }) => cpu ?? 0))) / sum(known.map(({ run }) => run.throughput));
  };
  const each = (run: Measurement) => run.memory / run.workers;
  const [least] = [...runs].sort((a, b) => a.concurrency - b.concurrency);
  const [most] = [...runs].sort((a, b) => b.concurrency - a.concurrency);
  const slope =
    most.concurrency > least.concurrency ? (each(most) - each(least)) / (most.concurrency - least.concurrency) : 0;
  return {
    workerCpu: Math.max(0, (perMessage(({ cpu }) => cpu.workers) ?? 0) - mix.cpuTime),
    databaseCpu: perMessage(({ cpu }) => cpu.database) ?? MEASURED_COSTS.databaseCpu,
    brokerCpu: perMessage(({ cpu }) => cpu.broker) ?? MEASURED_COSTS.brokerCpu,
    connectionTime: Math.min(...runs.map(({ pool }) => pool.heldMs)),
    processMemory: each(least),
    messageMemory: Math.max(0, slope),
  };
}

/** The pool that a run would have needed, by what each message held. */
export function poolNeeded(run: Measurement): number {
  const costs = { ...MEASURED_COSTS, connectionTime: run.pool.heldMs };
  return poolFor(run.throughput / run.workers, run.concurrency, costs);
}

/** The short answer. */
export function answerText(answer: Answer): string[] {
  const { point, throughput, nextBest, binding, env, remarks } = answer;
  return [
    `${pointText(point)}: ${Math.round(throughput).toLocaleString('en-US')} messages a second.`,
    ...(nextBest
      ? [
          `Next: ${sameSize(point, nextBest.point) ? `the same with commit group ${nextBest.point.group}` : pointText(nextBest.point)} with ${Math.round(nextBest.throughput).toLocaleString('en-US')}, ${margin(nextBest)}.`,
        ]
      : []),
    `What binds: ${binding}.`,
    ...remarks.map((remark) => `Note: ${remark}.`),
    '',
    ...env.map((line) => `  ${line}`),
  ];
}

function sameSize(a: Point, b: Point): boolean {
  return a.workers === b.workers && a.concurrency === b.concurrency;
}

/** How far the next best is behind, and how sure that is. */
function margin({ ratio, interval }: NonNullable<Answer['nextBest']>): string {
  const difference = (of: number) => Math.round(100 * (1 - 1 / of));
  const behind = `${Math.abs(difference(ratio))} % ${ratio >= 1 ? 'less' : 'more'}`;
  if (interval === null) {
    return Math.max(ratio, 1 / ratio) > CLEAR
      ? `${behind}: measured once, and more than identical runs differ by (${difference(CLEAR)} %)`
      : `${behind}: measured once, and no more than identical runs may differ by (${difference(CLEAR)} %)`;
  }
  const [low, high] = interval;
  return low > 1 || high < 1 ? `${behind}, beyond the noise` : `${behind}, which is within the noise`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
