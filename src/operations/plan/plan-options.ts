/** The planner's options, and the files it reads: what `tune` measured, and a `.env` to check. */
import { readFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';
import type { ConnectionNeeds } from '../../config/connection-budget';
import { integer } from '../../config/environment-fields';
import { CLOSE_MARGIN, EnvironmentError, FIELDS, readEnvironment, type Environment } from '../../config/environment';
import { errorCode } from '../../errors/describe';
import { DELIVERY_LIMIT } from '../../messaging/topology';
import { UsageError } from '../command';
import { cores, figureOptions, memory, percent, rate, readFigures, time, type Figures } from '../figures';
import { residenceTime, type Mix } from './capacity';
import { MEASURED_COSTS, type Costs } from './measured-costs';
import { channelsFor, type Deployment, type PlanInput } from './plan';

/** PostgreSQL's own default, less what it keeps for superusers. */
const USUAL_CONNECTIONS = 97;

/** Where neither an option nor a checked file says. */
const USUAL_SURGE = 1;
const USUAL_APIS = 2;

/** From the mean of a message's time to the longest that is worth waiting for at a shutdown, where nobody says. */
const LONGEST_OVER_MEAN = 4;

const FIGURES = {
  cores: { parser: cores },
  'service-time': { parser: time, default: 0 },
  'cpu-time': { parser: time, default: 0 },
  rate: { parser: rate },
  memory: { parser: memory },
  'db-connections': { parser: integer(1, 100_000) },
  'max-replicas': { parser: integer(1, 10_000) },
  surge: { parser: integer(0, 1_000) },
  'api-replicas': { parser: integer(0, 1_000) },
  'api-pool': { parser: integer(1, 500), default: Number(FIELDS.DATABASE_POOL_SIZE.default) },
  'target-utilisation': { parser: percent, default: 0.7 },
  'grace-period': { parser: time },
  'shutdown-timeout': { parser: time },
  'longest-message': { parser: time },
  'consumer-timeout': { parser: time },
  'delivery-limit': { parser: integer(1, 1_000_000), default: DELIVERY_LIMIT },
  attempts: { parser: integer(1, 100), default: FIELDS.RETRY_DELAYS.default.split(',').length + 1 },
  workers: { parser: integer(1, 10_000) },
  concurrency: { parser: integer(1, 10_000) },
  channels: { parser: integer(1, 100) },
  pool: { parser: integer(1, 500) },
} as const;

/** For `parseArgs`. */
export const PLAN_OPTIONS = {
  ...figureOptions(FIGURES),
  shared: { type: 'boolean' },
  json: { type: 'boolean' },
  measured: { type: 'string' },
  check: { type: 'string' },
} as const;

type Given = Figures<typeof FIGURES>;

/** What `--check` alone can say nothing about is left out. */
export interface PlanRequest {
  readonly input: PlanInput | undefined;
  readonly deployment: Deployment;
  /** What can be said of connections without a rate: the workers are known. */
  readonly connections:
    { readonly needs: ConnectionNeeds; readonly budget: number; readonly source: string } | undefined;
  readonly checked: string | undefined;
  /** What the checked file has wrong by itself. */
  readonly fileProblems: readonly string[];
  /** What to know of the measured costs. */
  readonly remark: string | undefined;
}

/** @throws UsageError with every option that is not as expected */
export async function readPlanRequest(values: Readonly<Record<string, unknown>>): Promise<PlanRequest> {
  const given = readFigures(FIGURES, values);
  const file = values.check as string | undefined;
  const { environment, problems } =
    file === undefined ? { environment: undefined, problems: [] } : await readFileToCheck(file);
  if (file === undefined && (given.cores === undefined || given.rate === undefined)) {
    throw new UsageError(
      'plan: expected --cores and --rate (or --check FILE), such as --cores 8 --service-time 5s --cpu-time 4ms --rate 200/s',
    );
  }
  const measured = values.measured === undefined ? undefined : await readMeasured(values.measured as string);
  const costs = measured?.costs ?? MEASURED_COSTS;
  const mix: Mix = { serviceTime: given['service-time'], cpuTime: given['cpu-time'] };
  const workers = given['max-replicas'] ?? given.workers ?? environment?.WORKER_REPLICAS;
  const workerPoolSize = given.pool ?? environment?.DATABASE_POOL_SIZE;
  const deployment = deploymentOf(given, environment, residenceTime(mix, costs));
  return {
    checked: file,
    fileProblems: problems,
    remark: measured?.remark,
    deployment,
    connections:
      workers === undefined || workerPoolSize === undefined
        ? undefined
        : {
            needs: {
              workers,
              workerPoolSize,
              // WORKER_SURGE counts old workers that still drain as well.
              surge: given.surge ?? environment?.WORKER_SURGE ?? USUAL_SURGE,
              draining: given.surge ?? 0,
              apis: apisOf(given, environment),
              apiPoolSize: given['api-pool'],
            },
            ...budgetOf(given, environment),
          },
    input:
      given.cores === undefined || given.rate === undefined
        ? undefined
        : toInput(given, given.cores, given.rate, values.shared === true, mix, costs, deployment, environment),
  };
}

function toInput(
  given: Given,
  coreCount: number,
  perSecond: number,
  shared: boolean,
  mix: Mix,
  costs: Costs,
  deployment: Deployment,
  environment: Partial<Environment> | undefined,
): PlanInput {
  const { budget, source } = budgetOf(given, environment);
  const waits = mix.serviceTime > 0;
  // The first lane of an adaptive worker goes up to its most, and has a channel for each rung.
  const most =
    environment?.CONCURRENCY_MODE === 'adaptive' && !waits && given.concurrency === undefined
      ? environment.CONCURRENCY_MAX
      : undefined;
  return {
    mix,
    costs,
    deployment,
    machine: { cores: coreCount, shared },
    rate: perSecond,
    targetUtilisation: given['target-utilisation'],
    memory: given.memory,
    connectionBudget: budget,
    budgetSource: source,
    apis: apisOf(given, environment),
    apiPoolSize: given['api-pool'],
    surge: given.surge ?? USUAL_SURGE,
    maxReplicas: given['max-replicas'],
    adapts: most !== undefined,
    fixed: {
      workers: given.workers ?? environment?.WORKER_REPLICAS,
      // What waits for others does so in the second lane.
      concurrency:
        given.concurrency ??
        most ??
        (waits ? environment?.ANALYSIS_CONCURRENCY_PER_WORKER : environment?.MESSAGE_CONCURRENCY_PER_WORKER),
      channels:
        most === undefined
          ? (given.channels ?? (waits ? environment?.ANALYSIS_CHANNELS : environment?.RABBITMQ_CHANNELS))
          : channelsFor(most),
      poolSize: given.pool ?? environment?.DATABASE_POOL_SIZE,
    },
  };
}

type Checked = Partial<Environment> | undefined;

function budgetOf(given: Given, environment: Checked): { budget: number; source: string } {
  const named = given['db-connections'];
  if (named !== undefined) return { budget: named, source: '--db-connections' };
  const written = environment?.DATABASE_CONNECTION_BUDGET;
  if (written !== undefined) return { budget: written, source: 'DATABASE_CONNECTION_BUDGET' };
  return { budget: USUAL_CONNECTIONS, source: "PostgreSQL's default" };
}

function apisOf(given: Given, environment: Checked): number {
  return given['api-replicas'] ?? environment?.API_REPLICAS ?? USUAL_APIS;
}

function deploymentOf(given: Given, environment: Checked, residence: number): Deployment {
  const longestMessage = given['longest-message'] ?? LONGEST_OVER_MEAN * residence;
  const usual = FIELDS.SHUTDOWN_TIMEOUT.parser.parse(FIELDS.SHUTDOWN_TIMEOUT.default);
  const shutdownTimeout =
    given['shutdown-timeout'] ??
    environment?.SHUTDOWN_TIMEOUT ??
    Math.max(usual, Math.ceil(longestMessage / 1_000) * 1_000);
  return {
    meanMessage: residence,
    longestMessage,
    shutdownTimeout,
    gracePeriod: given['grace-period'] ?? environment?.TERMINATION_GRACE_PERIOD ?? shutdownTimeout + CLOSE_MARGIN,
    longestHold: environment?.LONGEST_HOLD ?? FIELDS.LONGEST_HOLD.parser.parse(FIELDS.LONGEST_HOLD.default),
    consumerTimeout:
      given['consumer-timeout'] ??
      environment?.RABBITMQ_CONSUMER_TIMEOUT ??
      FIELDS.RABBITMQ_CONSUMER_TIMEOUT.parser.parse(FIELDS.RABBITMQ_CONSUMER_TIMEOUT.default),
    deliveryLimit: given['delivery-limit'],
    attempts: environment?.RETRY_DELAYS ? environment.RETRY_DELAYS.length + 1 : given.attempts,
  };
}

/** What the service would make of the file; secrets and files that are put in elsewhere are no problem of a plan. */
async function readFileToCheck(
  file: string,
): Promise<{ environment: Partial<Environment>; problems: readonly string[] }> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`--check: expected a file that can be read, got ${file} (${errorCode(error)})`);
  });
  if (text.includes('\0'))
    throw new UsageError(`--check: expected a text file of NAME=value lines, got bytes: ${file}`);
  const settings = parseEnv(text) as Record<string, string>;
  const problems = [
    ...strayLines(text, settings),
    ...roleProblems(settings.APP_ROLE),
    ...Object.keys(settings).flatMap(misspelling),
  ];
  try {
    return { environment: readEnvironment(forWorker(settings)), problems };
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    return { environment: {}, problems: [...problems, ...error.problems] };
  }
}

/** Lines that say nothing, and over which a program that reads the file passes. Their text may be a secret's, so it is not told. */
function strayLines(text: string, settings: Readonly<Record<string, string>>): string[] {
  // A value in quotes may go on over lines.
  if (Object.values(settings).some((value) => value.includes('\n'))) return [];
  return text.split(/\r?\n/).flatMap((line, index) => {
    if (/^\s*(#|$|(export\s+)?[\w.-]+\s*=)/.test(line)) return [];
    return [`line ${index + 1}: expected NAME=value, got a line without ${line.includes('=') ? 'a name' : '='}`];
  });
}

/** A worker's environment: what stands in files elsewhere is only there where the service runs. */
function forWorker(settings: Readonly<Record<string, string>>): Record<string, string> {
  const here = Object.entries(settings).filter(
    ([name, value]) => !(name.endsWith('_FILE') && value !== '' && !(name.slice(0, -'_FILE'.length) in settings)),
  );
  const elsewhere = { DATABASE_URL: 'postgresql://elsewhere', RABBITMQ_URL: 'amqps://elsewhere' };
  return { ...elsewhere, ...Object.fromEntries(here), APP_ROLE: 'worker' };
}

function roleProblems(role: string | undefined): string[] {
  const { parser } = FIELDS.APP_ROLE;
  try {
    if (role) parser.parse(role);
    return [];
  } catch {
    return [`APP_ROLE: expected ${parser.expected}, got ${JSON.stringify(role)}`];
  }
}

/** A name that no setting has, one slip away from one that does: the service would pass over it. Other programs' names are no problem. */
function misspelling(name: string): string[] {
  if (name in FIELDS) return [];
  const meant = Object.keys(FIELDS).find((known) => areNear(known, name));
  return meant === undefined ? [] : [`${name}: expected ${meant}, got a name that no setting has`];
}

/** The same but for one letter, missing, added or another, or for two that changed places. */
function areNear(a: string, b: string): boolean {
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && a[start] === b[start]) start++;
  let end = 0;
  while (end < shorter - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const [left, right] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  return Math.max(left.length, right.length) === 1 || (left.length === 2 && left === [...right].reverse().join(''));
}

/** The costs that a run of `tune` measured, from its JSON. */
async function readMeasured(file: string): Promise<{ costs: Costs; remark: string | undefined }> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`--measured: expected a file that can be read, got ${file} (${errorCode(error)})`);
  });
  const expected = Object.keys(MEASURED_COSTS) as (keyof Costs)[];
  try {
    const { costs, complete } = JSON.parse(text) as { costs: Record<keyof Costs, unknown>; complete?: unknown };
    if (expected.every((name) => isCost(name, costs[name])))
      return {
        costs: costs as Costs,
        remark: complete === false ? `${file} is of a run that was interrupted` : undefined,
      };
  } catch {
    // said below
  }
  throw new UsageError(
    `--measured: expected the JSON that tune writes, with costs ${expected.join(', ')}, all finite numbers and those of a worker above 0; got ${file}`,
  );
}

/** Where nothing more was seen in flight, or PostgreSQL and RabbitMQ could not be watched, a cost may be 0. */
function isCost(name: keyof Costs, value: unknown): boolean {
  const positive = name === 'workerCpu' || name === 'connectionTime' || name === 'processMemory';
  return typeof value === 'number' && Number.isFinite(value) && (positive ? value > 0 : value >= 0);
}
