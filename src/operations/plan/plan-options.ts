/** The planner's options, and the files it reads: what `tune` measured, and a `.env` to check. */
import { readFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';
import type { ConnectionNeeds } from '../../config/connection-budget';
import { integer } from '../../config/environment-fields';
import { EnvironmentError, FIELDS, readEnvironment, type Environment } from '../../config/environment';
import { DELIVERY_LIMIT } from '../../messaging/topology';
import { UsageError } from '../command';
import { cores, memory, percent, rate, readFigures, time, type Figures } from '../figures';
import { residenceTime, type Mix } from './capacity';
import { MEASURED_COSTS, type Costs } from './measured-costs';
import type { Deployment, PlanInput } from './plan';

/** PostgreSQL's own default, less what it keeps for superusers. */
const USUAL_CONNECTIONS = 97;

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
  surge: { parser: integer(0, 1_000), default: 1 },
  'api-replicas': { parser: integer(0, 1_000), default: 2 },
  'api-pool': { parser: integer(1, 500), default: Number(FIELDS.DATABASE_POOL_SIZE.default) },
  'target-utilisation': { parser: percent, default: 0.7 },
  'grace-period': { parser: time },
  'shutdown-timeout': { parser: time },
  'longest-message': { parser: time },
  'consumer-timeout': { parser: time, default: 30 * 60_000 },
  'delivery-limit': { parser: integer(1, 1_000_000), default: DELIVERY_LIMIT },
  attempts: { parser: integer(1, 100), default: FIELDS.RETRY_DELAYS.default.split(',').length + 1 },
  workers: { parser: integer(1, 10_000) },
  concurrency: { parser: integer(1, 10_000) },
  channels: { parser: integer(1, 100) },
  pool: { parser: integer(1, 500) },
} as const;

/** For `parseArgs`. */
export const PLAN_OPTIONS = {
  ...(Object.fromEntries(Object.keys(FIGURES).map((name) => [name, { type: 'string' }])) as Record<
    keyof typeof FIGURES,
    { type: 'string' }
  >),
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
  const costs = values.measured === undefined ? MEASURED_COSTS : await readCosts(values.measured as string);
  const mix: Mix = { serviceTime: given['service-time'], cpuTime: given['cpu-time'] };
  const workers = given['max-replicas'] ?? given.workers ?? environment?.WORKER_REPLICAS;
  const workerPoolSize = given.pool ?? environment?.DATABASE_POOL_SIZE;
  const deployment = deploymentOf(given, environment, residenceTime(mix, costs));
  return {
    checked: file,
    fileProblems: problems,
    deployment,
    connections:
      workers === undefined || workerPoolSize === undefined
        ? undefined
        : {
            needs: {
              workers,
              workerPoolSize,
              surge: given.surge,
              draining: given.surge,
              apis: given['api-replicas'],
              apiPoolSize: given['api-pool'],
            },
            ...budgetOf(given),
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
  return {
    mix,
    costs,
    deployment,
    machine: { cores: coreCount, shared },
    rate: perSecond,
    targetUtilisation: given['target-utilisation'],
    memory: given.memory,
    connectionBudget: budgetOf(given).budget,
    budgetSource: budgetOf(given).source,
    apis: given['api-replicas'],
    apiPoolSize: given['api-pool'],
    surge: given.surge,
    maxReplicas: given['max-replicas'],
    fixed: {
      workers: given.workers ?? environment?.WORKER_REPLICAS,
      concurrency: given.concurrency ?? environment?.MESSAGE_CONCURRENCY_PER_WORKER,
      channels: given.channels ?? environment?.RABBITMQ_CHANNELS,
      poolSize: given.pool ?? environment?.DATABASE_POOL_SIZE,
    },
  };
}

function budgetOf(given: Given): { budget: number; source: string } {
  const named = given['db-connections'];
  return named === undefined
    ? { budget: USUAL_CONNECTIONS, source: "PostgreSQL's default" }
    : { budget: named, source: '--db-connections' };
}

function deploymentOf(given: Given, environment: Partial<Environment> | undefined, residence: number): Deployment {
  const longestMessage = given['longest-message'] ?? LONGEST_OVER_MEAN * residence;
  const usual = FIELDS.SHUTDOWN_TIMEOUT.parser.parse(FIELDS.SHUTDOWN_TIMEOUT.default);
  const shutdownTimeout =
    given['shutdown-timeout'] ??
    environment?.SHUTDOWN_TIMEOUT ??
    Math.max(usual, Math.ceil(longestMessage / 1_000) * 1_000);
  return {
    longestMessage,
    shutdownTimeout,
    gracePeriod: given['grace-period'] ?? shutdownTimeout + 5_000,
    longestHold: environment?.LONGEST_HOLD ?? FIELDS.LONGEST_HOLD.parser.parse(FIELDS.LONGEST_HOLD.default),
    consumerTimeout: given['consumer-timeout'],
    deliveryLimit: given['delivery-limit'],
    attempts: environment?.RETRY_DELAYS ? environment.RETRY_DELAYS.length + 1 : given.attempts,
  };
}

/** Only what the file says counts; secrets that are put in elsewhere are no problem of a plan. */
async function readFileToCheck(
  file: string,
): Promise<{ environment: Partial<Environment>; problems: readonly string[] }> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new UsageError(`--check: expected a file that can be read, got ${file}`);
  });
  const elsewhere = { DATABASE_URL: 'postgresql://elsewhere', RABBITMQ_URL: 'amqp://elsewhere', APP_ROLE: 'worker' };
  const settings = parseEnv(text) as Record<string, string>;
  try {
    return { environment: readEnvironment({ ...elsewhere, ...settings, APP_ROLE: 'worker' }), problems: [] };
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    return { environment: {}, problems: error.problems };
  }
}

/** The costs that a run of `tune` measured, from its JSON. */
async function readCosts(file: string): Promise<Costs> {
  const expected = Object.keys(MEASURED_COSTS) as (keyof Costs)[];
  try {
    const { costs } = JSON.parse(await readFile(file, 'utf8')) as { costs: Record<keyof Costs, unknown> };
    const wrong = expected.find((name) => typeof costs[name] !== 'number' || !(costs[name] >= 0));
    if (wrong === undefined) return costs as Costs;
  } catch {
    // said below
  }
  throw new UsageError(
    `--measured: expected the JSON that tune writes, with costs ${expected.join(', ')}; got ${file}`,
  );
}
