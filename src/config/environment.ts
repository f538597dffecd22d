/** The only reader of `process.env`. Everything else receives the frozen, typed {@link Environment}. */
import { readFileSync } from 'node:fs';
import {
  bytes,
  certificates,
  duration,
  durations,
  integer,
  list,
  oneOf,
  serviceUrl,
  text,
  timeZone,
  url,
  type Parser,
} from './environment-fields';
import { connectionBudgetProblem, type ConnectionNeeds } from './connection-budget';
import { tracingSettings, type TracingSettings } from './tracing-settings';

/** One setting: what it means, what it accepts, and its default. The README's table and `.env.example` are made from these. */
export interface Field {
  readonly group: string;
  readonly description: string;
  readonly parser: Parser<unknown>;
  /** Used when the variable is unset or empty; `undefined` with `required` false means "not set". */
  readonly default?: string;
  /** Overrides `default` when `NODE_ENV` is production. */
  readonly productionDefault?: string;
  readonly required?: boolean;
  /** Its value is never shown, in an error or anywhere else. It may come from a file: `NAME_FILE`. */
  readonly secret?: boolean;
}

/** The broker keeps names that begin with `amq.` for itself: nobody may declare one. */
const BROKER_NAME = text(
  '1..200 letters, digits, dots, dashes, underscores or colons, not beginning with "amq."',
  /^(?!amq\.)[\w.:-]{1,200}$/,
);

/** Every setting of the service, by the name of its environment variable. */
export const FIELDS = {
  APP_ROLE: {
    group: 'Process',
    description: 'What this process does: answer HTTP and RPC requests, process messages, or both.',
    parser: oneOf('api', 'worker', 'all'),
    default: 'all',
  },
  NODE_ENV: {
    group: 'Process',
    description: 'The profile. It decides some defaults, and production requires API_KEYS for the api role.',
    parser: oneOf('development', 'test', 'production'),
    default: 'development',
  },
  HOST: {
    group: 'Process',
    description: 'Address to listen on.',
    parser: text('a host name or an IP address', /^[\w.:-]{1,255}$/),
    default: '0.0.0.0',
  },
  PORT: {
    group: 'Process',
    description: 'Port to listen on; 0 takes any free one. A worker serves only health and metrics on it.',
    parser: integer(0, 65_535),
    default: '3000',
  },
  SHUTDOWN_TIMEOUT: {
    group: 'Process',
    description:
      'How long messages and requests in flight may take after SIGTERM before they are handed back. Keep it below the grace period of the orchestrator.',
    parser: duration('1s', '15m'),
    default: '25s',
  },
  TERMINATION_GRACE_PERIOD: {
    group: 'Process',
    description:
      'How long the orchestrator waits after SIGTERM before it kills (`terminationGracePeriodSeconds`, `stop_grace_period`), where known. A start is refused when SHUTDOWN_TIMEOUT and the 4 s for closing do not fit into it.',
    parser: duration('1s', '24h'),
  },
  LOG_LEVEL: {
    group: 'Process',
    description: 'The least severe level that is logged.',
    parser: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    default: 'debug',
    productionDefault: 'info',
  },
  LOG_FORMAT: {
    group: 'Process',
    description: 'One JSON object a line, or coloured text for people.',
    parser: oneOf('json', 'pretty'),
    default: 'pretty',
    productionDefault: 'json',
  },
  API_KEYS: {
    group: 'HTTP',
    description:
      'Keys that callers may present as `X-API-Key` or `Authorization: Bearer`, separated by commas. Empty: no key is asked for, which production refuses.',
    parser: list('keys of 16..256 visible characters, separated by commas', /^[!-+\--~]{16,256}$/),
    default: '',
    secret: true,
  },
  OPERATOR_KEY: {
    group: 'HTTP',
    description:
      'Key with which operators log in to the live page at /ops, the same for every api process. Unset: there is no such page. Whoever is logged in when it changes is logged out.',
    parser: text('16..256 visible characters', /^[!-~]{16,256}$/),
    secret: true,
  },
  HTTP_RATE_LIMIT: {
    group: 'HTTP',
    description:
      'Requests that one API key (where no key is asked for: one address) may make in a minute, at each api process. More are answered 429. Unset: there is no limit. Health and metrics have none.',
    parser: integer(1, 10_000_000),
  },
  HTTP_BODY_LIMIT: {
    group: 'HTTP',
    description: 'The largest request body. The same limit holds for the body of a message.',
    parser: bytes('1KiB', '64MiB'),
    default: '8MiB',
  },
  PUBLISH_TIMEOUT: {
    group: 'HTTP',
    description:
      'How long a request waits for the broker to confirm its message. After that the answer is still 202: the event is stored, and is queued later.',
    parser: duration('10ms', '30s'),
    default: '500ms',
  },
  DATABASE_URL: {
    group: 'PostgreSQL',
    description: 'Where PostgreSQL (14 or later) is.',
    parser: url('postgres', 'postgresql'),
    required: true,
    secret: true,
  },
  DATABASE_CA_FILE: {
    group: 'PostgreSQL',
    description:
      "PEM file of the authorities that PostgreSQL's certificate must come from. With it, there is no connection without TLS. (For an authority that Node knows, `?sslmode=verify-full` in DATABASE_URL does.)",
    parser: certificates,
  },
  DATABASE_POOL_SIZE: {
    group: 'PostgreSQL',
    description:
      'Connections of this process for its work; one more is kept apart for health and for noticing that the database is back.',
    parser: integer(1, 500),
    default: '10',
  },
  DATABASE_TIMEOUT: {
    group: 'PostgreSQL',
    description: 'How long to wait for a connection. Longer counts as "the database is away".',
    parser: duration('100ms', '1m'),
    default: '2s',
  },
  DATABASE_STATEMENT_TIMEOUT: {
    group: 'PostgreSQL',
    description: 'How long one statement may run before it is given up.',
    parser: duration('1s', '10m'),
    default: '15s',
  },
  DATABASE_CONNECTION_BUDGET: {
    group: 'PostgreSQL',
    description:
      "Connections that all processes together may take. Unset: the server's max_connections less what it reserves. A start that would exceed it is refused; without WORKER_REPLICAS nobody can tell, and a warning says so.",
    parser: integer(1, 1_000_000),
  },
  RABBITMQ_URL: {
    group: 'RabbitMQ',
    description: 'Where RabbitMQ (3.10 or later) is.',
    parser: url('amqp', 'amqps'),
    required: true,
    secret: true,
  },
  RABBITMQ_CA_FILE: {
    group: 'RabbitMQ',
    description:
      "PEM file of the authorities that RabbitMQ's certificate must come from, where Node does not know them. Needs amqps:// in RABBITMQ_URL.",
    parser: certificates,
  },
  RABBITMQ_EXCHANGE: {
    group: 'RabbitMQ',
    description: 'The topic exchange that events are published to.',
    parser: BROKER_NAME,
    default: 'conversation_exchange',
  },
  RABBITMQ_QUEUE: {
    group: 'RabbitMQ',
    description: 'The quorum queue that workers consume. The retry and dead-letter queues are named after it.',
    parser: BROKER_NAME,
    default: 'conversation_events_processing',
  },
  RABBITMQ_ANALYSIS_QUEUE: {
    group: 'RabbitMQ',
    description:
      'The quorum queue of the second lane: events that need an external service. It exists only where one is configured.',
    parser: BROKER_NAME,
    default: 'conversation_events_analysis',
  },
  RABBITMQ_RPC_QUEUE: {
    group: 'RabbitMQ',
    description: 'The queue on which the api role answers the pattern `friendship.status.get`.',
    parser: BROKER_NAME,
    default: 'friendship_rpc',
  },
  RABBITMQ_CONSUMER_TIMEOUT: {
    group: 'RabbitMQ',
    description:
      "The broker's `consumer_timeout`: it closes the channel of whoever holds a message for longer. Only compared with LONGEST_HOLD; say here what the broker is set to.",
    parser: duration('1m', '240h'),
    default: '30m',
  },
  MESSAGE_CONCURRENCY_PER_WORKER: {
    group: 'Concurrency',
    description: 'C: messages in flight in one worker.',
    parser: integer(1, 10_000),
    default: '1',
    productionDefault: '10',
  },
  RABBITMQ_CHANNELS: {
    group: 'Concurrency',
    description:
      'K: channels (consumers) of one worker. C must be a multiple of it; the prefetch of each is P = C / K.',
    parser: integer(1, 100),
    default: '1',
  },
  ANALYSIS_CONCURRENCY_PER_WORKER: {
    group: 'Concurrency',
    description:
      'C of the second lane: messages that wait for external services in one worker. They hold no connection to PostgreSQL.',
    parser: integer(1, 10_000),
    default: '1',
    productionDefault: '100',
  },
  ANALYSIS_CHANNELS: {
    group: 'Concurrency',
    description: 'K of the second lane. Its C must be a multiple of it.',
    parser: integer(1, 100),
    default: '1',
  },
  WORKER_REPLICAS: {
    group: 'Concurrency',
    description:
      'W: most worker processes, where known. Docker Compose starts this many; a process that is told checks the connections of all with it.',
    parser: integer(1, 10_000),
  },
  WORKER_SURGE: {
    group: 'Concurrency',
    description:
      'Worker processes that may exist for a while beside W: new ones of a rollout, and old ones that still drain. For the check of connections only.',
    parser: integer(0, 10_000),
    default: '1',
  },
  API_REPLICAS: {
    group: 'Concurrency',
    description: 'Most api processes. For the check of connections only.',
    parser: integer(0, 10_000),
    default: '1',
  },
  CONCURRENCY_MODE: {
    group: 'Concurrency',
    description:
      'pinned: C stays what it is. adaptive: each worker adjusts that of its first lane between CONCURRENCY_MIN and CONCURRENCY_MAX by what it sees, from C on; RABBITMQ_CHANNELS does not count then.',
    parser: oneOf('pinned', 'adaptive'),
    default: 'pinned',
  },
  CONCURRENCY_MIN: {
    group: 'Concurrency',
    description:
      'The least that an adaptive worker holds in flight. MESSAGE_CONCURRENCY_PER_WORKER, with which it begins, lies between this and CONCURRENCY_MAX.',
    parser: integer(1, 10_000),
    default: '1',
  },
  CONCURRENCY_MAX: {
    group: 'Concurrency',
    description: 'The most that an adaptive worker holds in flight.',
    parser: integer(1, 10_000),
    default: '100',
  },
  COMMIT_GROUP_SIZE: {
    group: 'Concurrency',
    description:
      'The most messages that share a transaction. 1: each has its own. Above 1, what becomes ready while a commit is under way goes into the next one; nobody waits for company. It helps where C is large, since a group cannot be larger than C.',
    parser: integer(1, 1_000),
    default: '1',
  },
  RETRY_DELAYS: {
    group: 'Failures',
    description:
      'How long a message waits after its first, second, … failed attempt. After one attempt more than there are delays it is dead-lettered. Each delay has a queue of its own.',
    parser: durations('100ms', '24h', 20),
    default: '5s,30s,2m,10m',
  },
  LONGEST_HOLD: {
    group: 'Failures',
    description:
      'How long a message is held, unacknowledged, while PostgreSQL is away. Then it waits in the first retry queue, and no attempt is spent.',
    parser: duration('1s', '12h'),
    default: '10m',
  },
  ANALYSIS_LLM_URL: {
    group: 'External services',
    description:
      'Base URL of an OpenAI-compatible API, such as `https://api.example.com/v1`: asked for the questions of the child and for the mood where the metadata lacks them. Unset: nobody is asked.',
    parser: serviceUrl,
    secret: true,
  },
  ANALYSIS_LLM_MODEL: {
    group: 'External services',
    description: 'The model to ask. Required with ANALYSIS_LLM_URL.',
    parser: text('1..200 visible characters', /^[!-~]{1,200}$/),
  },
  ANALYSIS_LLM_API_KEY: {
    group: 'External services',
    description: 'Sent as `Authorization: Bearer`. Unset: no key is sent.',
    parser: text('1..1000 visible characters', /^[!-~]{1,1000}$/),
    secret: true,
  },
  ANALYSIS_LLM_TRY_TIMEOUT: {
    group: 'External services',
    description: 'How long one try may take, the last byte of the answer included.',
    parser: duration('10ms', '10m'),
    default: '30s',
  },
  ANALYSIS_LLM_TIMEOUT: {
    group: 'External services',
    description: 'How long all tries of one call may take together.',
    parser: duration('10ms', '10m'),
    default: '90s',
  },
  ANALYSIS_LLM_CONCURRENCY: {
    group: 'External services',
    description: 'The most calls of this process that are under way at once; the others wait for their turn.',
    parser: integer(1, 10_000),
    default: '100',
  },
  MEMORY_API_URL: {
    group: 'External services',
    description:
      'Base URL of the memory service, which is asked for the number of new memories where the metadata lacks it. Unset: nobody is asked.',
    parser: serviceUrl,
    secret: true,
  },
  MEMORY_API_TRY_TIMEOUT: {
    group: 'External services',
    description: 'As ANALYSIS_LLM_TRY_TIMEOUT. The service is known to take 61 s for one call in ten.',
    parser: duration('10ms', '10m'),
    default: '2m',
  },
  MEMORY_API_TIMEOUT: {
    group: 'External services',
    description: 'As ANALYSIS_LLM_TIMEOUT.',
    parser: duration('10ms', '10m'),
    default: '5m',
  },
  MEMORY_API_CONCURRENCY: {
    group: 'External services',
    description: 'As ANALYSIS_LLM_CONCURRENCY.',
    parser: integer(1, 10_000),
    default: '100',
  },
  CONVERSATION_API_URL: {
    group: 'External services',
    description:
      'Where a conversation that is not in the database is fetched: `GET {CONVERSATION_API_URL}/{conversation_id}`, which answers with the body of `conversations/end`. Unset: it is waited for.',
    parser: serviceUrl,
    secret: true,
  },
  CONVERSATION_API_TRY_TIMEOUT: {
    group: 'External services',
    description: 'As ANALYSIS_LLM_TRY_TIMEOUT.',
    parser: duration('10ms', '10m'),
    default: '10s',
  },
  CONVERSATION_API_TIMEOUT: {
    group: 'External services',
    description: 'As ANALYSIS_LLM_TIMEOUT.',
    parser: duration('10ms', '10m'),
    default: '30s',
  },
  CONVERSATION_API_CONCURRENCY: {
    group: 'External services',
    description: 'As ANALYSIS_LLM_CONCURRENCY.',
    parser: integer(1, 10_000),
    default: '10',
  },
  PLAIN_HTTP_HOSTS: {
    group: 'External services',
    description:
      'Hosts that may be reached without TLS, separated by commas, such as services of the same cluster. Conversations are sent there in the clear. Loopback always may.',
    parser: list('host names, separated by commas', /^[\w.-]{1,253}$/),
    default: '',
  },
  ANALYSIS_MAX_CHARS: {
    group: 'External services',
    description: 'The most characters of a conversation that are sent to an external service; the end is kept.',
    parser: integer(100, 1_000_000),
    default: '20000',
  },
  ANALYSIS_ON_FAILURE: {
    group: 'External services',
    description:
      'What to do when an analysis fails: try the message again later, or score without it (neutral) and say so in the breakdown.',
    parser: oneOf('retry', 'neutral'),
    default: 'retry',
  },
  CIRCUIT_BREAKER_PAUSE: {
    group: 'External services',
    description:
      'How long a service that keeps failing is left alone before one call tries it again. With ANALYSIS_ON_FAILURE `retry` the second lane pauses meanwhile.',
    parser: duration('10ms', '10m'),
    default: '30s',
  },
  ERASURE_KEY: {
    group: 'Privacy',
    description:
      'Key under which the ids of erased children and conversations are hashed, so that they can be recognised but not read. The same for every process, for ever: under another key, what was erased could come back. Without it nothing can be erased.',
    parser: text('32..256 characters', /^.{32,256}$/),
    secret: true,
  },
  CONVERSATION_RETENTION_DAYS: {
    group: 'Privacy',
    description:
      'Texts of settled conversations and dead letters are purged this many days after they were accepted or recorded; scores and fingerprints stay. Unset: they are kept.',
    parser: integer(1, 36_500),
  },
  SCORING_SKIP_BOT_TYPES: {
    group: 'Scoring',
    description: 'Bot types whose conversations are stored but never scored, separated by commas, case-insensitive.',
    parser: list('bot types of 1..50 characters, separated by commas', /^.{1,50}$/),
    default: 'NEXT_LESSON',
  },
  BUSINESS_TIME_ZONE: {
    group: 'Scoring',
    description:
      'The time zone in which days with a conversation are counted. Fix it before the first event: days already counted stay as they are.',
    parser: timeZone,
    default: 'Asia/Ho_Chi_Minh',
  },
} as const satisfies Record<string, Field>;

type Fields = typeof FIELDS;
type Name = keyof Fields;
type Value<F> = F extends { parser: Parser<infer T> } ? T : never;
type Optional<F> = F extends { default: string } | { required: true } ? never : undefined;

/** All settings, parsed. Durations are in milliseconds, sizes in bytes. */
export type Environment = { readonly [K in Name]: Value<Fields[K]> | Optional<Fields[K]> };

/** How long closing connections may take after the drain before the process ends by force, milliseconds. */
export const CLOSE_MARGIN = 4_000;

/** What a message may still need after it was held: its work, and being forwarded. The broker looks once a minute. Milliseconds. */
const HOLD_MARGIN = 60_000;

/** Thrown once, with every problem found; nothing has been started by then. */
export class EnvironmentError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(
      `The environment has ${problems.length} problem(s):\n${problems.map((problem) => `  ${problem}`).join('\n')}`,
    );
    this.name = 'EnvironmentError';
  }
}

/**
 * Reads every setting.
 * @throws EnvironmentError with all problems at once, each naming what was expected and what came (for a secret: only its length)
 */
export function readEnvironment(
  source: NodeJS.ProcessEnv = process.env,
  overrides: Partial<Record<Name, string>> = {},
): Environment {
  const problems: string[] = [];
  const given = { ...source, ...overrides };
  const production = given.NODE_ENV?.trim() === 'production';
  const values: Partial<Record<Name, unknown>> = {};
  for (const [name, definition] of Object.entries(FIELDS) as [Name, Field][]) {
    const raw =
      givenValue(name, definition, given, problems) ||
      (production ? definition.productionDefault : undefined) ||
      definition.default;
    if (raw === undefined) {
      if (definition.required) problems.push(`${name}: expected ${definition.parser.expected}, got nothing`);
      continue;
    }
    try {
      values[name] = definition.parser.parse(raw);
    } catch {
      const got = definition.secret ? `a value of ${raw.length} characters` : JSON.stringify(raw.slice(0, 80));
      problems.push(`${name}: expected ${definition.parser.expected}, got ${got}`);
    }
  }
  problems.push(...crossFieldProblems(values as Partial<Environment>));
  if (problems.length > 0) throw new EnvironmentError(problems);
  return Object.freeze(values as Environment);
}

/**
 * For a process into which tracing was preloaded.
 * @returns undefined where it is switched off all the same
 * @throws EnvironmentError with all problems at once
 */
export function readTracingSettings(source: NodeJS.ProcessEnv = process.env): TracingSettings | undefined {
  const problems: string[] = [];
  const settings = tracingSettings(source, problems);
  if (problems.length > 0) throw new EnvironmentError(problems);
  return settings;
}

/** The variable's own value, or for a secret that of the file which `NAME_FILE` names. */
function givenValue(name: Name, { secret }: Field, given: NodeJS.ProcessEnv, problems: string[]): string | undefined {
  const value = given[name]?.trim();
  const file = secret ? given[`${name}_FILE`]?.trim() : undefined;
  if (!file) return value;
  if (value) problems.push(`${name}: expected either ${name} or ${name}_FILE, got both`);
  try {
    const content = readFileSync(file, 'utf8').trim();
    if (content === '') problems.push(`${name}_FILE: expected a file with a value, got the empty file ${file}`);
    return content;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    problems.push(`${name}_FILE: expected a file that can be read, got ${JSON.stringify(file)} (${code})`);
    return value;
  }
}

/** @param values what could be parsed; a rule about a setting that could not is passed over */
function crossFieldProblems(values: Partial<Environment>): string[] {
  const problems: string[] = [...externalServiceProblems(values), ...surroundingProblems(values)];
  const { APP_ROLE, NODE_ENV, API_KEYS } = values;
  const adapts = values.CONCURRENCY_MODE === 'adaptive';
  for (const [concurrency, channels] of [
    // An adaptive worker has a channel for each rung instead.
    ...(adapts ? [] : [['MESSAGE_CONCURRENCY_PER_WORKER', 'RABBITMQ_CHANNELS'] as const]),
    ['ANALYSIS_CONCURRENCY_PER_WORKER', 'ANALYSIS_CHANNELS'],
  ] as const) {
    const [c, k] = [values[concurrency], values[channels]];
    if (c !== undefined && k !== undefined && c % k !== 0) {
      problems.push(
        `${concurrency}: expected a multiple of ${channels} (${k}), so that every channel gets the same prefetch, got ${c}`,
      );
    }
  }
  const { CONCURRENCY_MIN: min, CONCURRENCY_MAX: max } = values;
  if (min !== undefined && max !== undefined && min > max) {
    problems.push(`CONCURRENCY_MIN: expected at most CONCURRENCY_MAX (${max}), got ${min}`);
  }
  const start = values.MESSAGE_CONCURRENCY_PER_WORKER;
  if (adapts && start !== undefined && max !== undefined && start > max) {
    problems.push(
      `MESSAGE_CONCURRENCY_PER_WORKER: expected at most CONCURRENCY_MAX (${max}), which an adaptive worker never passes, got ${start}: lower it or raise CONCURRENCY_MAX`,
    );
  }
  if (adapts && start !== undefined && min !== undefined && start < min) {
    problems.push(
      `MESSAGE_CONCURRENCY_PER_WORKER: expected at least CONCURRENCY_MIN (${min}), below which an adaptive worker never goes, got ${start}: raise it or lower CONCURRENCY_MIN`,
    );
  }
  if (NODE_ENV === 'production' && APP_ROLE !== 'worker' && API_KEYS?.length === 0) {
    problems.push('API_KEYS: expected at least one key when NODE_ENV is production, got none');
  }
  problems.push(...encryptionProblems(values));
  const queues = ['RABBITMQ_QUEUE', 'RABBITMQ_ANALYSIS_QUEUE', 'RABBITMQ_RPC_QUEUE'] as const;
  queues.forEach((name, index) => {
    const queue = values[name];
    const taken = queues.slice(0, index).find((other) => queue !== undefined && values[other] === queue);
    if (taken) problems.push(`${name}: expected another queue than ${taken}, got ${queue} for both`);
  });
  return problems;
}

/** Where encryption is asked for, nothing may undo it. */
function encryptionProblems(values: Partial<Environment>): string[] {
  const problems: string[] = [];
  if (values.RABBITMQ_CA_FILE !== undefined && values.RABBITMQ_URL?.startsWith('amqp:')) {
    problems.push('RABBITMQ_URL: expected amqps:// with RABBITMQ_CA_FILE, got amqp://, which is not encrypted');
  }
  const parameters = new URL(values.DATABASE_URL ?? 'postgres://unset').searchParams;
  if ([parameters.get('sslmode'), parameters.get('ssl')].includes('no-verify')) {
    problems.push('DATABASE_URL: expected sslmode=verify-full, got no-verify, which accepts any certificate');
  }
  if (parameters.has('uselibpqcompat')) {
    problems.push(
      'DATABASE_URL: expected no uselibpqcompat, with which sslmode=require accepts any certificate, got it',
    );
  }
  // pg lets what stands in the URL win.
  const rival = [...parameters.keys()].find((name) => name.startsWith('ssl'));
  if (values.DATABASE_CA_FILE !== undefined && rival !== undefined) {
    problems.push(`DATABASE_URL: expected no ${rival} with DATABASE_CA_FILE, which decides alone, got both`);
  }
  return problems;
}

/** TLS wherever a conversation leaves the machine, unless somebody said otherwise. */
function externalServiceProblems(values: Partial<Environment>): string[] {
  const problems: string[] = [];
  for (const service of ['ANALYSIS_LLM', 'MEMORY_API', 'CONVERSATION_API'] as const) {
    const { protocol, hostname } = new URL(values[`${service}_URL`] ?? 'https://unset');
    if (protocol === 'http:' && !isLoopback(hostname) && !values.PLAIN_HTTP_HOSTS?.includes(hostname)) {
      problems.push(
        `${service}_URL: expected https, or a host on loopback or in PLAIN_HTTP_HOSTS, got http to ${hostname}`,
      );
    }
    const [aTry, all] = [values[`${service}_TRY_TIMEOUT`], values[`${service}_TIMEOUT`]];
    if (aTry !== undefined && all !== undefined && aTry > all) {
      problems.push(`${service}_TRY_TIMEOUT: expected at most ${service}_TIMEOUT (${all} ms), got ${aTry} ms`);
    }
  }
  if (values.ANALYSIS_LLM_URL !== undefined && values.ANALYSIS_LLM_MODEL === undefined) {
    problems.push('ANALYSIS_LLM_MODEL: expected a model when ANALYSIS_LLM_URL is set, got nothing');
  }
  return problems;
}

/** What the orchestrator, the broker and PostgreSQL allow, as far as that is given. */
function surroundingProblems(values: Partial<Environment>): string[] {
  const problems: string[] = [];
  const { SHUTDOWN_TIMEOUT: drain, TERMINATION_GRACE_PERIOD: grace } = values;
  if (drain !== undefined && grace !== undefined && drain + CLOSE_MARGIN > grace) {
    problems.push(
      `SHUTDOWN_TIMEOUT: expected at most ${Math.max(0, grace - CLOSE_MARGIN)} ms, which is TERMINATION_GRACE_PERIOD less ${CLOSE_MARGIN} ms for closing, got ${drain} ms: ` +
        'lower it, or raise the grace period in the orchestrator and here',
    );
  }
  const { LONGEST_HOLD: hold, RABBITMQ_CONSUMER_TIMEOUT: consumerTimeout } = values;
  if (hold !== undefined && consumerTimeout !== undefined && hold + HOLD_MARGIN > consumerTimeout) {
    problems.push(
      `LONGEST_HOLD: expected at most ${consumerTimeout - HOLD_MARGIN} ms, which is RABBITMQ_CONSUMER_TIMEOUT less ${HOLD_MARGIN} ms for what a held message still has to do, got ${hold} ms: ` +
        "lower it, or raise the broker's consumer_timeout and say so here",
    );
  }
  const needs = connectionNeeds(values);
  if (needs && values.DATABASE_CONNECTION_BUDGET !== undefined) {
    const source = 'DATABASE_CONNECTION_BUDGET';
    const problem = connectionBudgetProblem(needs, values.DATABASE_CONNECTION_BUDGET, source);
    if (problem !== undefined) problems.push(`${source}: ${problem}`);
  }
  return problems;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/**
 * All processes, each with the pool of this one: a process cannot know another's. In the role `all` they are workers that answer
 * requests as well.
 * @returns undefined when W is not known
 */
export function connectionNeeds(values: Partial<Environment>): ConnectionNeeds | undefined {
  const { WORKER_REPLICAS: workers, WORKER_SURGE: surge, API_REPLICAS: apis, DATABASE_POOL_SIZE: poolSize } = values;
  if (workers === undefined || surge === undefined || apis === undefined || poolSize === undefined) return undefined;
  const others = values.APP_ROLE === 'all' ? 0 : apis;
  return { workers, surge, draining: 0, workerPoolSize: poolSize, apis: others, apiPoolSize: poolSize };
}

/** Nest's injection token for the {@link Environment}. */
export const ENVIRONMENT = Symbol('ENVIRONMENT');
