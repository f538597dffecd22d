import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { integer, oneOf } from '../config/environment-fields';
import { readEnvironment } from '../config/environment';
import { errorCode } from '../errors/describe';
import { parse, print, UsageError, type StandaloneCommand } from './command';
import { integers, readFigures, time } from './figures';
import { capacity, type Mix } from './plan/capacity';
import { MEASURED_COSTS } from './plan/measured-costs';
import { number, timeText } from './plan/plan-units';
import { conversationsOf, syntheticConversations } from './tune/conversation-mix';
import { CORES } from './tune/cpu-clock';
import { pointText, type Measurement, type Point } from './tune/measurement';
import { renderReport } from './tune/report';
import { candidates, knee, search, type Measure, type SearchSpace } from './tune/search';
import { Stage } from './tune/stage';
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

const USUAL_WORKERS = [1, 2, 4, 8, 16, 32, 64].filter((workers) => workers <= 2 * CORES);
const USUAL_CONCURRENCY = [1, 2, 5, 10, 20, 50, 100];

const FIGURES = {
  'service-time': { parser: time, default: 0 },
  'cpu-time': { parser: time, default: 0 },
  workers: { parser: integers(1, 1_000), default: USUAL_WORKERS },
  concurrency: { parser: integers(1, 10_000), default: USUAL_CONCURRENCY },
  'start-workers': { parser: integer(1, 1_000) },
  'start-concurrency': { parser: integer(1, 10_000) },
  groups: { parser: integers(1, 1_000), default: [1, 10] },
  pool: { parser: integer(1, 500), default: 10 },
  seconds: { parser: time, default: 5_000 },
  'warm-up': { parser: time, default: 2_000 },
  repeats: { parser: integer(1, 20), default: 3 },
  users: { parser: integer(1, 1_000_000), default: 1_000 },
  preset: { parser: oneOf('classic') },
} as const;

const OPTIONS = {
  ...(Object.fromEntries(Object.keys(FIGURES).map((name) => [name, { type: 'string' }])) as Record<
    keyof typeof FIGURES,
    { type: 'string' }
  >),
  conversations: { type: 'string' },
  grid: { type: 'boolean' },
  out: { type: 'string', default: 'tune-report' },
  json: { type: 'boolean' },
} as const;

/** The classic test: this many requests on `POST /conversations/end`, by this many users at once, from this point on. */
const CLASSIC = { users: 100, requests: 500, workers: 4, concurrency: 10 };

/** Share of the highest throughput at which latency is measured: a service that is full has only queueing to show, and the api needs its part of the machine. */
const LATENCY_LOAD = 0.5;

/**
 * Share of `--seconds` and `--warm-up` that the search gives a run. Processes of the same settings differ by more than one of them
 * does from second to second, so its time is better spent on more of them.
 */
const SEARCH_SHARE = 0.5;

/** The workers say how far they are five times a second: less is no window. Milliseconds. */
const SHORTEST_WINDOW = 1_000;

/** A search makes a dozen runs; what takes hours each is a mistake. Milliseconds. */
const LONGEST_WINDOW = 3_600_000;

/** A run beside its window: start of the processes, seeding, their end. Milliseconds; corrected as runs are made. */
const OVERHEAD = 3_000;

async function run(args: string[]): Promise<number> {
  const { values } = parse(args, OPTIONS);
  const given = readFigures(FIGURES, values);
  if (given.seconds < SHORTEST_WINDOW || given.seconds > LONGEST_WINDOW)
    throw new UsageError(
      `--seconds: expected ${timeText(SHORTEST_WINDOW)} to ${timeText(LONGEST_WINDOW)}, got ${timeText(given.seconds)}`,
    );
  if (given['warm-up'] > LONGEST_WINDOW)
    throw new UsageError(`--warm-up: expected at most ${timeText(LONGEST_WINDOW)}, got ${timeText(given['warm-up'])}`);
  if (given.preset !== undefined && values.grid === true)
    throw new UsageError('--preset and --grid: expected one of them, since --grid measures every point, got both');
  for (const name of ['start-workers', 'start-concurrency'] as const)
    if (values.grid === true && values[name] !== undefined)
      throw new UsageError(`--${name}: expected it without --grid, which measures every point, got both`);
  if (given.preset !== undefined && values.users !== undefined)
    throw new UsageError(`--users: expected it without --preset classic, which has ${CLASSIC.users}, got both`);
  const mix: Mix = { serviceTime: given['service-time'], cpuTime: given['cpu-time'] };
  const classic = given.preset === 'classic';
  const start = {
    workers: given['start-workers'] ?? (classic ? CLASSIC.workers : given.workers[0]),
    concurrency: given['start-concurrency'] ?? (classic ? CLASSIC.concurrency : nearest(given.concurrency, 10)),
  };
  // A start that no list names is one more value; one beside a list that was given contradicts it.
  for (const name of ['workers', 'concurrency'] as const) {
    if (values[name] === undefined || given[name].includes(start[name])) continue;
    const whose = given[`start-${name}`] === undefined ? ', where --preset classic begins' : '';
    throw new UsageError(
      `--start-${name}: expected one of --${name} (${given[name].join(',')}), got ${start[name]}${whose}`,
    );
  }
  const mostInFlight = max(given.concurrency);
  if (values.groups !== undefined && max(given.groups) > mostInFlight)
    throw new UsageError(
      `--groups: expected at most the highest of --concurrency (${mostInFlight}), since a commit holds no more than is in flight, got ${max(given.groups)}`,
    );
  const space: SearchSpace = {
    workers: withValue(given.workers, start.workers),
    concurrency: withValue(given.concurrency, start.concurrency),
    start,
    poolSize: given.pool,
    poolFor: poolNeeded,
    groups: given.groups.filter((group) => group > 1),
    mostRepeats: given.repeats,
  };
  const templates =
    values.conversations === undefined
      ? syntheticConversations()
      : await conversationsOf(values.conversations as string);
  const environment = readEnvironment(undefined, { APP_ROLE: 'worker' });
  const folder = values.out as string;
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw new UsageError(`--out: expected a folder that can be written to, got ${folder} (${errorCode(error)})`);
  });
  const kind = classic ? 'classic' : values.grid === true ? 'grid' : 'search';
  const lasting = kind === 'grid' ? 1 : SEARCH_SHARE;
  const window = Math.max(SHORTEST_WINDOW, given.seconds * lasting);
  const warmUp = given['warm-up'] * lasting;
  const interrupted = listenForSignals();
  const users = classic ? CLASSIC.users : given.users;
  const stage = await Stage.create(environment, { mix, templates, users, warmUp });
  process.stderr.write(
    `in the database ${stage.databaseName}, dropped at the end; Ctrl-C ends with a report of what there is\n`,
  );

  const startedAt = new Date();
  const measured: Measurement[] = [];
  const begun = performance.now();
  const pace = new Pace(window + warmUp + OVERHEAD, expectedRuns(kind, space));
  const backlog: Measure = (point, why) =>
    pace.told(point, why, () =>
      stage.backlog(point, why, window, expectedThroughput(point, mix, measured), interrupted.signal),
    );
  let failure: Error | undefined;
  try {
    if (classic) {
      const start: Point = { ...space.start, poolSize: space.poolSize, group: 1 };
      const why = `${CLASSIC.requests} requests of ${CLASSIC.users} users`;
      measured.push(
        await pace.told(start, why, () => stage.burst(start, why, CLASSIC.requests, CLASSIC.users, interrupted.signal)),
      );
    }
    if (kind === 'grid') await everyPoint(space, measured, backlog);
    else await search(space, measured, backlog);
    const [best] = knee(candidates(measured));
    if (best && kind !== 'grid') {
      const perSecond = best.throughput * LATENCY_LOAD;
      const why = `latency at ${100 * LATENCY_LOAD} % of the highest throughput`;
      const latency = () => stage.atRate(best.point, why, window, perSecond, interrupted.signal);
      measured.push(await pace.told(best.point, why, latency));
    }
  } catch (error) {
    failure = error as Error;
  }
  const seconds = (performance.now() - begun) / 1_000;
  await stage.remove();
  if (failure !== undefined && !interrupted.signal.aborted) throw failure;

  const answer = answerOf(measured, { workers: max(space.workers), concurrency: max(space.concurrency) }, mix);
  const result: TuneResult = {
    complete: failure === undefined,
    kind,
    startedAt: startedAt.toISOString(),
    seconds,
    machine: { cores: CORES, cpu: cpus()[0]?.model ?? 'unknown', memory: totalmem(), node: process.version },
    mix,
    measurements: measured,
    answer,
    costs: costsOf(measured, mix),
    predicted: answer && predict(answer.point, mix),
  };
  await write(folder, result);
  if (values.json === true) print(JSON.stringify(result));
  else
    print(
      [
        ...(result.complete ? [] : [`Interrupted after ${measured.length} runs: this is what had been measured.`, '']),
        ...(answer ? answerText(answer) : [measured.length > 0 ? 'No message was finished.' : 'Nothing was measured.']),
        ...(answer && classic ? measured.filter(isBurst).map(burstText) : []),
        '',
        `Report: ${join(folder, 'report.html')}`,
      ].join('\n'),
    );
  return result.complete ? 0 : 130;
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
      measured.push(await measure({ workers, concurrency, poolSize: space.poolSize, group: 1 }, 'the grid'));
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
  return 6 + space.groups.length + 2 * (space.mostRepeats - 1) + 1;
}

async function write(folder: string, result: TuneResult): Promise<void> {
  await writeFile(join(folder, 'tune.json'), `${JSON.stringify(result, null, 1)}\n`);
  await writeFile(join(folder, 'report.html'), renderReport(result));
}

/** The first signal ends the measuring; whoever is impatient sends a second one. */
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

/** Progress with the time that is left, by the mean of the runs so far. */
class Pace {
  private readonly begun = performance.now();
  private runs = 0;

  constructor(
    private readonly firstGuess: number,
    private readonly expected: number,
  ) {}

  async told(point: Point, why: string, work: () => Promise<Measurement>): Promise<Measurement> {
    const elapsed = performance.now() - this.begun;
    const each = this.runs === 0 ? this.firstGuess : elapsed / this.runs;
    const left = Math.max(each, each * (this.expected - this.runs));
    process.stderr.write(
      `[${Math.round(elapsed / 1_000)} s, about ${Math.round(left / 1_000)} s left] ${pointText(point)}: ${why}\n`,
    );
    const run = await work();
    this.runs++;
    const machine =
      run.cpu.machine === undefined ? '' : `, machine ${Math.round((100 * run.cpu.machine) / run.cores)} %`;
    process.stderr.write(
      `    ${number(run.throughput)}/s in ${number(run.seconds)} s, processing p99 ${number(run.processing.p99)} ms, workers ${Math.round(100 * run.eventLoop)} % busy${machine}\n`,
    );
    return run;
  }
}

function withValue(values: readonly number[], value: number): number[] {
  return [...new Set([...values, value])].sort((a, b) => a - b);
}

function nearest(values: readonly number[], to: number): number {
  return values.reduce((best, value) =>
    Math.abs(Math.log(value / to)) < Math.abs(Math.log(best / to)) ? value : best,
  );
}

function max(values: readonly number[]): number {
  return Math.max(...values);
}
