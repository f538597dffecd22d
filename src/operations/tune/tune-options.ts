/** The tuner's options, checked against each other. */
import { integer, oneOf } from '../../config/environment-fields';
import { UsageError } from '../command';
import { figureOptions, integers, readFigures, time } from '../figures';
import type { Mix } from '../plan/capacity';
import { timeText } from '../plan/plan-units';
import { conversationsOf, syntheticConversations } from './conversation-mix';
import { CORES } from './cpu-clock';
import type { Template } from './tune-database.repository';
import type { TuneResult } from './tune-result';

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

/** For `parseArgs`. */
export const TUNE_OPTIONS = {
  ...figureOptions(FIGURES),
  conversations: { type: 'string' },
  grid: { type: 'boolean' },
  out: { type: 'string', default: 'tune-report' },
  json: { type: 'boolean' },
} as const;

/** The classic test: this many requests on `POST /conversations/end`, by this many users at once, from this point on. */
export const CLASSIC = { users: 100, requests: 500, workers: 4, concurrency: 10 };

/**
 * Share of `--seconds` and `--warm-up` that the search gives a run. Processes of the same settings differ by more than one of them
 * does from second to second, so its time is better spent on more of them.
 */
const SEARCH_SHARE = 0.5;

/** The workers say how far they are five times a second: less is no window. Milliseconds. */
const SHORTEST_WINDOW = 1_000;

/** A search makes a dozen runs; what takes hours each is a mistake. Milliseconds. */
const LONGEST_WINDOW = 3_600_000;
const LONGEST_MESSAGE = LONGEST_WINDOW / 3;

export interface TuneRequest {
  readonly kind: TuneResult['kind'];
  readonly mix: Mix;
  readonly templates: readonly Template[];
  readonly users: number;
  /** W and C that may be chosen, in rising order, the start among them. */
  readonly workers: readonly number[];
  readonly concurrency: readonly number[];
  readonly start: { readonly workers: number; readonly concurrency: number };
  /** The workers were asked for, and not only the usual ones. */
  readonly workersGiven: boolean;
  readonly groups: readonly number[];
  readonly poolSize: number;
  readonly mostRepeats: number;
  /** Of one run, milliseconds. */
  readonly window: number;
  readonly warmUp: number;
  /** Where the report goes. */
  readonly folder: string;
  readonly json: boolean;
}

type Values = Partial<Record<keyof typeof TUNE_OPTIONS, string | boolean>>;

/** @throws UsageError that says what was expected and what came */
export async function readTuneRequest(values: Values): Promise<TuneRequest> {
  const given = readFigures(FIGURES, values);
  if (given.seconds < SHORTEST_WINDOW || given.seconds > LONGEST_WINDOW)
    throw new UsageError(
      `--seconds: expected ${timeText(SHORTEST_WINDOW)} to ${timeText(LONGEST_WINDOW)}, got ${timeText(given.seconds)}`,
    );
  if (given['warm-up'] > LONGEST_WINDOW)
    throw new UsageError(`--warm-up: expected at most ${timeText(LONGEST_WINDOW)}, got ${timeText(given['warm-up'])}`);
  const mix: Mix = { serviceTime: given['service-time'], cpuTime: given['cpu-time'] };
  if (mix.serviceTime + mix.cpuTime > LONGEST_MESSAGE)
    throw new UsageError(
      `--service-time and --cpu-time: expected at most ${timeText(LONGEST_MESSAGE)} together, since every point is measured for three times ` +
        `as long, got ${timeText(mix.serviceTime + mix.cpuTime)}`,
    );
  if (given.preset !== undefined && values.grid === true)
    throw new UsageError('--preset and --grid: expected one of them, since --grid measures every point, got both');
  for (const name of ['start-workers', 'start-concurrency'] as const)
    if (values.grid === true && values[name] !== undefined)
      throw new UsageError(`--${name}: expected it without --grid, which measures every point, got both`);
  if (given.preset !== undefined && values.users !== undefined)
    throw new UsageError(`--users: expected it without --preset classic, which has ${CLASSIC.users}, got both`);
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
  const templates =
    values.conversations === undefined
      ? syntheticConversations()
      : await conversationsOf(values.conversations as string);
  const kind = classic ? 'classic' : values.grid === true ? 'grid' : 'search';
  const share = kind === 'grid' ? 1 : SEARCH_SHARE;
  return {
    kind,
    mix,
    templates,
    users: classic ? CLASSIC.users : given.users,
    workers: withValue(given.workers, start.workers),
    concurrency: withValue(given.concurrency, start.concurrency),
    start,
    workersGiven: values.workers !== undefined,
    groups: given.groups,
    poolSize: given.pool,
    mostRepeats: given.repeats,
    window: Math.max(SHORTEST_WINDOW, given.seconds * share),
    warmUp: given['warm-up'] * share,
    folder: values.out as string,
    json: values.json === true,
  };
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
