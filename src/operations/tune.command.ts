import { mkdir, rm, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { CONNECTIONS_FOR_OTHERS, largestWorkerPool } from '../config/connection-budget';
import { readEnvironment } from '../config/environment';
import { errorCode } from '../errors/describe';
import { parse, print, UsageError, type StandaloneCommand } from './command';
import { capacity, type Mix } from './plan/capacity';
import { MEASURED_COSTS } from './plan/measured-costs';
import { number } from './plan/plan-units';
import { CORES } from './tune/cpu-clock';
import { pointText, type Measurement, type Point } from './tune/measurement';
import { Pace } from './tune/pace';
import { renderReport } from './tune/report';
import { candidates, knee, pointOf, search, type Measure, type SearchSpace } from './tune/search';
import { API_POOL_SIZE, Stage } from './tune/stage';
import { CLASSIC, readTuneRequest, TUNE_OPTIONS, type TuneRequest } from './tune/tune-options';
import { answerOf, answerText, costsOf, poolNeeded, type TuneResult } from './tune/tune-result';

export const tuneCommand: StandaloneCommand = {
  usage:
    'tune [--service-time 200ms] [--cpu-time 4ms] [--conversations FILE] [--workers 1,2,4] [--concurrency 1,2,5,10,20,50,100] [--start-workers N] ' +
    '[--start-concurrency N] [--groups 1,10] [--pool 10] [--seconds 5s] [--warm-up 2s] [--repeats 3] [--users 1000] [--preset classic] [--grid] [--out FOLDER] [--json]',
  summary:
    'measures how many workers and how much concurrency are best, on your machine with your PostgreSQL and RabbitMQ (in a database and queues of ' +
    'its own), and writes a report; docs/tuning.md has every option. --grid: every point instead of a search. --preset classic: 500 requests of 100 users, from W 4, C 10',
  standalone: true,
  run,
};

/** Share of the highest throughput at which latency is measured: a service that is full has only queueing to show, and the api needs its part of the machine. */
const LATENCY_LOAD = 0.5;

/** A run beside its window: start of the processes, seeding, their end. Milliseconds; corrected as runs are made. */
const OVERHEAD = 3_000;

async function run(args: string[]): Promise<number> {
  const { values } = parse(args, TUNE_OPTIONS);
  const request = await readTuneRequest(values);
  const { kind, mix, folder } = request;
  const environment = readEnvironment(undefined, { APP_ROLE: 'worker' });
  // Tried before anything is measured.
  const trial = join(folder, '.tune-trial');
  await makeFolder(resolve(folder))
    .then(() => writeFile(trial, ''))
    .then(() => rm(trial))
    .catch((error: unknown) => {
      throw new UsageError(`--out: expected a folder that can be written to, got ${folder} (${errorCode(error)})`);
    });
  const interrupted = listenForSignals();
  const stage = await Stage.create(environment, request);
  let output: string;
  let complete: boolean;
  try {
    const space = spaceOf(request, stage.freeConnections);
    process.stderr.write(
      `in the database ${stage.databaseName}, dropped at the end; Ctrl-C ends with a report of what there is\n`,
    );
    const startedAt = new Date();
    const measured: Measurement[] = [];
    complete = await measureAll(request, space, stage, measured, interrupted.signal);
    const limits = { workers: max(space.workers), concurrency: max(space.concurrency), poolLimit: space.poolLimit };
    const answer = answerOf(measured, limits, mix);
    const result: TuneResult = {
      complete,
      kind,
      startedAt: startedAt.toISOString(),
      seconds: (Date.now() - startedAt.getTime()) / 1_000,
      machine: { cores: CORES, cpu: cpus()[0]?.model ?? 'unknown', memory: totalmem(), node: process.version },
      mix,
      measurements: measured,
      answer,
      costs: costsOf(measured, mix),
      predicted: answer && predict(answer.point, mix),
    };
    await writeFile(join(folder, 'tune.json'), `${JSON.stringify(result, null, 1)}\n`);
    await writeFile(join(folder, 'report.html'), renderReport(result));
    output = request.json ? JSON.stringify(result) : resultText(result, folder);
  } finally {
    await stage.remove();
  }
  // Last of all: who reads it may have gone, and that ends the process.
  print(output);
  return complete ? 0 : 130;
}

/**
 * What may be chosen, with the connections that the server has left.
 * @throws UsageError where somebody asked for workers for which there are none
 */
function spaceOf(request: TuneRequest, freeConnections: number): SearchSpace {
  const poolLimit = (workers: number) =>
    largestWorkerPool({ workers, surge: 0, draining: 0, apis: 1, apiPoolSize: API_POOL_SIZE }, freeConnections);
  const workers = request.workers.filter((one) => poolLimit(one) >= 1);
  if (workers.length < request.workers.length) {
    if (request.workersGiven || !workers.includes(request.start.workers))
      throw new UsageError(
        `--workers: expected as many as PostgreSQL has connections for, which is ${freeConnections} at the moment (each worker takes two, ` +
          `the api ${API_POOL_SIZE + 1}, and ${CONNECTIONS_FOR_OTHERS} are for others), got ${request.workers.join(',')}: raise max_connections`,
      );
    process.stderr.write(
      `PostgreSQL has ${freeConnections} connections left, which is enough for ${max(workers)} workers\n`,
    );
  }
  return {
    workers,
    concurrency: request.concurrency,
    start: request.start,
    poolSize: request.poolSize,
    poolLimit,
    poolFor: poolNeeded,
    groups: request.groups.filter((group) => group > 1),
    cpuTime: request.mix.cpuTime,
    mostRepeats: request.mostRepeats,
  };
}

/** @param measured grows as it goes on @returns whether all was measured that was to be, or it was interrupted */
async function measureAll(
  { kind, mix, window, warmUp }: TuneRequest,
  space: SearchSpace,
  stage: Stage,
  measured: Measurement[],
  signal: AbortSignal,
): Promise<boolean> {
  const pace = new Pace(window + warmUp + OVERHEAD, expectedRuns(kind, space));
  const backlog: Measure = (point, why) =>
    pace.told(point, why, () => stage.backlog(point, why, window, expectedThroughput(point, mix, measured), signal));
  try {
    if (kind === 'classic') {
      const start = pointOf(space, space.start.workers, space.start.concurrency);
      const why = `${CLASSIC.requests} requests of ${CLASSIC.users} users`;
      const burst = () => stage.burst(start, why, CLASSIC.requests, CLASSIC.users, signal);
      measured.push(await pace.told(start, why, burst));
    }
    if (kind === 'grid') await everyPoint(space, measured, backlog);
    else await search(space, measured, backlog);
    const [best] = knee(candidates(measured));
    if (best && kind !== 'grid') {
      const perSecond = best.throughput * LATENCY_LOAD;
      const why = `latency at ${100 * LATENCY_LOAD} % of the highest throughput`;
      const latency = () => stage.atRate(best.point, why, window, perSecond, signal);
      measured.push(await pace.told(best.point, why, latency));
    }
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

/** The short answer, and where the long one is. */
function resultText({ complete, kind, measurements, answer }: TuneResult, folder: string): string {
  return [
    ...(complete ? [] : [`Interrupted after ${measurements.length} runs: this is what had been measured.`, '']),
    ...(answer ? answerText(answer) : [measurements.length > 0 ? 'No message was finished.' : 'Nothing was measured.']),
    ...(answer && kind === 'classic' ? measurements.filter(isBurst).map(burstText) : []),
    '',
    `Report: ${join(folder, 'report.html')}`,
  ].join('\n');
}

function isBurst({ load, offered }: Measurement): boolean {
  return load === 'open loop' && offered === undefined;
}

/** What the classic test itself says, beside the point that is best for a backlog. */
function burstText(run: Measurement): string {
  const times = run.critical
    ? `; acceptance to commit p50 ${number(run.critical.p50)}, p99 ${number(run.critical.p99)} ms`
    : '';
  return `\nThe classic test at ${pointText(run)}: ${CLASSIC.requests} requests of ${CLASSIC.users} users counted in ${number(run.seconds)} s, ${number(run.throughput)} a second${times}.`;
}

async function everyPoint(space: SearchSpace, measured: Measurement[], measure: Measure): Promise<void> {
  for (const workers of space.workers) {
    for (const concurrency of space.concurrency) {
      measured.push(await measure(pointOf(space, workers, concurrency), 'the grid'));
    }
  }
}

/** How much to put into the backlog: by what was measured where there is something, by the plan's arithmetic else. */
function expectedThroughput(point: Point, mix: Mix, measured: readonly Measurement[]): number {
  const planned = predict(point, mix);
  const [best] = candidates(measured);
  return best ? Math.min(planned, 2 * best.throughput) : planned;
}

function predict(point: Point, mix: Mix): number {
  return capacity(point, mix, { cores: CORES, shared: true }, MEASURED_COSTS).perSecond;
}

function expectedRuns(kind: TuneResult['kind'], space: SearchSpace): number {
  if (kind === 'grid') return space.workers.length * space.concurrency.length;
  return 8 + space.groups.length + 2 * (space.mostRepeats - 1) + 1;
}

/** The first signal ends the measuring; further ones change nothing, since what was made must be removed. */
function listenForSignals(): AbortController {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (interrupted.signal.aborted) return;
      process.stderr.write(`${signal}: ending the run, removing what was made, writing the report\n`);
      interrupted.abort(new Error('interrupted'));
    });
  }
  // Nobody reads on, as with `| head`: what was made must be removed all the same.
  for (const output of [process.stdout, process.stderr])
    output.on('error', () => interrupted.abort(new Error('interrupted')));
  return interrupted;
}

/** Node's own `recursive` never ends where a parent is there but takes no folders, as `/proc` does. */
async function makeFolder(path: string): Promise<void> {
  const make = () =>
    mkdir(path).catch((error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error;
    });
  await make().catch(async (error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error;
    await makeFolder(dirname(path));
    await make();
  });
}

function max(values: readonly number[]): number {
  return Math.max(...values);
}
