import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError, FIELDS, readEnvironment, type Field } from './environment';

const REQUIRED = { DATABASE_URL: 'postgres://app:secret-1@db/friendship', RABBITMQ_URL: 'amqp://app:secret-2@mq' };
const KEY = 'k'.repeat(16);

const read = (settings: Record<string, string | undefined> = {}) => readEnvironment({ ...REQUIRED, ...settings });
const readProduction = (settings: Record<string, string> = {}) =>
  read({ NODE_ENV: 'production', API_KEYS: KEY, ...settings });

/** Everything that is wrong with these settings. */
function problemsOf(source: Record<string, string>): readonly string[] {
  try {
    readEnvironment(source);
  } catch (error) {
    if (error instanceof EnvironmentError) return error.problems;
    throw error;
  }
  return [];
}
const problems = (settings: Record<string, string>) => problemsOf({ ...REQUIRED, ...settings });

describe('defaults', () => {
  it('are those of development where nothing is set', () => {
    expect(read()).toEqual({
      ...REQUIRED,
      APP_ROLE: 'all',
      NODE_ENV: 'development',
      HOST: '0.0.0.0',
      PORT: 3000,
      SHUTDOWN_TIMEOUT: 25_000,
      LOG_LEVEL: 'debug',
      LOG_FORMAT: 'pretty',
      API_KEYS: [],
      HTTP_BODY_LIMIT: 8 * 1024 * 1024,
      PUBLISH_TIMEOUT: 500,
      DATABASE_POOL_SIZE: 10,
      DATABASE_TIMEOUT: 2_000,
      DATABASE_STATEMENT_TIMEOUT: 15_000,
      RABBITMQ_EXCHANGE: 'conversation_exchange',
      RABBITMQ_QUEUE: 'conversation_events_processing',
      RABBITMQ_ANALYSIS_QUEUE: 'conversation_events_analysis',
      RABBITMQ_RPC_QUEUE: 'friendship_rpc',
      RABBITMQ_CONSUMER_TIMEOUT: 1_800_000,
      WORKER_SURGE: 1,
      API_REPLICAS: 1,
      LONGEST_HOLD: 600_000,
      MESSAGE_CONCURRENCY_PER_WORKER: 1,
      RABBITMQ_CHANNELS: 1,
      CONCURRENCY_MODE: 'pinned',
      CONCURRENCY_MIN: 1,
      CONCURRENCY_MAX: 100,
      COMMIT_GROUP_SIZE: 1,
      ANALYSIS_CONCURRENCY_PER_WORKER: 1,
      ANALYSIS_CHANNELS: 1,
      ANALYSIS_LLM_TRY_TIMEOUT: 30_000,
      ANALYSIS_LLM_TIMEOUT: 90_000,
      ANALYSIS_LLM_CONCURRENCY: 100,
      MEMORY_API_TRY_TIMEOUT: 120_000,
      MEMORY_API_TIMEOUT: 300_000,
      MEMORY_API_CONCURRENCY: 100,
      CONVERSATION_API_TRY_TIMEOUT: 10_000,
      CONVERSATION_API_TIMEOUT: 30_000,
      CONVERSATION_API_CONCURRENCY: 10,
      PLAIN_HTTP_HOSTS: [],
      ANALYSIS_MAX_CHARS: 20_000,
      ANALYSIS_ON_FAILURE: 'retry',
      CIRCUIT_BREAKER_PAUSE: 30_000,
      RETRY_DELAYS: [5_000, 30_000, 120_000, 600_000],
      SCORING_SKIP_BOT_TYPES: ['NEXT_LESSON'],
      BUSINESS_TIME_ZONE: 'Asia/Ho_Chi_Minh',
    });
  });

  it('differ in production where the profile says so, and nowhere else', () => {
    expect(readProduction()).toEqual({
      ...read(),
      NODE_ENV: 'production',
      API_KEYS: [KEY],
      LOG_LEVEL: 'info',
      LOG_FORMAT: 'json',
      MESSAGE_CONCURRENCY_PER_WORKER: 10,
      ANALYSIS_CONCURRENCY_PER_WORKER: 100,
    });
  });

  it('hold for the test profile as for development', () => {
    expect(read({ NODE_ENV: 'test' })).toEqual({ ...read(), NODE_ENV: 'test' });
  });

  it('stand for an empty or blank value too', () => {
    const optional = Object.keys(FIELDS).filter((name) => !(name in REQUIRED));
    for (const blank of ['', '   '])
      expect(read(Object.fromEntries(optional.map((name) => [name, blank])))).toEqual(read());
    expect(readProduction({ LOG_LEVEL: '' }).LOG_LEVEL).toBe('info');
  });

  it('give way to what is set, in production as well', () => {
    const { LOG_LEVEL, MESSAGE_CONCURRENCY_PER_WORKER } = readProduction({
      LOG_LEVEL: 'warn',
      MESSAGE_CONCURRENCY_PER_WORKER: '4',
    });
    expect({ LOG_LEVEL, MESSAGE_CONCURRENCY_PER_WORKER }).toEqual({
      LOG_LEVEL: 'warn',
      MESSAGE_CONCURRENCY_PER_WORKER: 4,
    });
  });

  it('of production come with the profile, also when that has spaces around it', () => {
    expect(readProduction({ NODE_ENV: ' production ' })).toEqual(readProduction());
  });

  it.each(
    (Object.entries(FIELDS) as [string, Field][]).flatMap(([name, field]) =>
      [field.default, field.productionDefault].flatMap((value) =>
        value === undefined ? [] : [[name, value, field] as const],
      ),
    ),
  )('of %s, "%s", is accepted by its own parser', (_name, value, field) => {
    expect(() => field.parser.parse(value)).not.toThrow();
  });
});

describe('values', () => {
  it.each([
    ['RETRY_DELAYS', '100ms, 1s,1.5s,2m,1h', [100, 1_000, 1_500, 120_000, 3_600_000]],
    ['HTTP_BODY_LIMIT', '512KiB', 524_288],
    ['HTTP_BODY_LIMIT', '2048B', 2_048],
    ['PORT', '0', 0],
    ['PORT', ' 8080 ', 8080],
    ['API_KEYS', `${KEY}, ${'l'.repeat(20)},`, [KEY, 'l'.repeat(20)]],
    ['SCORING_SKIP_BOT_TYPES', 'NEXT_LESSON, REVIEW', ['NEXT_LESSON', 'REVIEW']],
    ['WORKER_REPLICAS', '3', 3],
    ['BUSINESS_TIME_ZONE', 'Europe/Berlin', 'Europe/Berlin'],
  ])('%s=%s is read as %p', (name, raw, value) => {
    expect(read({ [name]: raw })).toMatchObject({ [name]: value });
  });

  it.each([
    ['APP_ROLE', 'workers', 'one of api | worker | all'],
    ['NODE_ENV', 'prod', 'one of development | test | production'],
    ['HOST', 'a b', 'a host name or an IP address'],
    ['PORT', '65536', 'an integer 0..65535'],
    ['PORT', '-1', 'an integer 0..65535'],
    ['PORT', '80.5', 'an integer 0..65535'],
    ['PORT', '0x50', 'an integer 0..65535'],
    ['MESSAGE_CONCURRENCY_PER_WORKER', 'abc', 'an integer 1..10000'],
    ['MESSAGE_CONCURRENCY_PER_WORKER', '0', 'an integer 1..10000'],
    ['WORKER_REPLICAS', '0', 'an integer 1..10000'],
    ['SHUTDOWN_TIMEOUT', '25', 'a duration 1s..15m, such as 500ms, 5s or 2m'],
    ['SHUTDOWN_TIMEOUT', '500ms', 'a duration 1s..15m, such as 500ms, 5s or 2m'],
    ['SHUTDOWN_TIMEOUT', '16m', 'a duration 1s..15m, such as 500ms, 5s or 2m'],
    ['HTTP_BODY_LIMIT', '8MB', 'a size 1KiB..64MiB, such as 512KiB or 8MiB'],
    ['HTTP_BODY_LIMIT', '65MiB', 'a size 1KiB..64MiB, such as 512KiB or 8MiB'],
    ['RETRY_DELAYS', '5s,', '1..20 durations separated by commas, each 100ms..24h, such as 5s,30s,2m'],
    ['RETRY_DELAYS', '25h', '1..20 durations separated by commas, each 100ms..24h, such as 5s,30s,2m'],
    [
      'RETRY_DELAYS',
      Array(21).fill('1s').join(','),
      '1..20 durations separated by commas, each 100ms..24h, such as 5s,30s,2m',
    ],
    [
      'RABBITMQ_QUEUE',
      'a queue',
      '1..200 letters, digits, dots, dashes, underscores or colons, not beginning with "amq."',
    ],
    [
      'RABBITMQ_QUEUE',
      'q'.repeat(201),
      '1..200 letters, digits, dots, dashes, underscores or colons, not beginning with "amq."',
    ],
    [
      'RABBITMQ_EXCHANGE',
      'amq.fanout',
      '1..200 letters, digits, dots, dashes, underscores or colons, not beginning with "amq."',
    ],
    ['SCORING_SKIP_BOT_TYPES', 'b'.repeat(51), 'bot types of 1..50 characters, separated by commas'],
    ['BUSINESS_TIME_ZONE', 'Asia/Saigon_City', 'an IANA time zone such as Asia/Ho_Chi_Minh'],
    // PostgreSQL would read the sign the other way round.
    ['BUSINESS_TIME_ZONE', '+07:00', 'an IANA time zone such as Asia/Ho_Chi_Minh'],
  ])('%s=%s is refused with what was expected and what came', (name, raw, expected) => {
    expect(problems({ [name]: raw })).toEqual([
      `${name}: expected ${expected}, got ${JSON.stringify(raw.slice(0, 80))}`,
    ]);
  });

  it('cuts a long value short', () => {
    const [problem] = problems({ HOST: 'a b'.repeat(1000) });
    expect(problem.length).toBeLessThan(200);
  });

  it('are frozen', () => {
    expect(Object.isFrozen(read())).toBe(true);
  });
});

describe('problems', () => {
  it('are told all at once, in one error that says how many', () => {
    const source = { RABBITMQ_URL: 'http://mq', PORT: 'x', LOG_LEVEL: 'loud', BUSINESS_TIME_ZONE: 'Mars' };
    expect(
      problemsOf(source)
        .map((problem) => problem.split(':')[0])
        .sort(),
    ).toEqual(['BUSINESS_TIME_ZONE', 'DATABASE_URL', 'LOG_LEVEL', 'PORT', 'RABBITMQ_URL']);
    expect(() => readEnvironment(source)).toThrow(/^The environment has 5 problem\(s\):\n(  .*\n){4}  .*$/);
  });

  it('of one field do not hide those between fields', () => {
    expect(
      problems({ PORT: 'x', NODE_ENV: 'production', MESSAGE_CONCURRENCY_PER_WORKER: '10', RABBITMQ_CHANNELS: '3' }),
    ).toHaveLength(3);
  });

  it.each([
    ['DATABASE_URL', 'a URL that starts with postgres:// or postgresql://'],
    ['RABBITMQ_URL', 'a URL that starts with amqp:// or amqps://'],
  ])('%s is required', (name, expected) => {
    for (const empty of [undefined, '', ' ']) {
      expect(() => read({ [name]: empty })).toThrow(`${name}: expected ${expected}, got nothing`);
    }
  });

  it('never show a secret, only its length', () => {
    const secret = 'hunter2 is short';
    const secrets = (Object.entries(FIELDS) as [string, Field][])
      .filter(([, field]) => field.secret)
      .map(([name]) => name);
    expect(secrets.sort()).toEqual([
      'ANALYSIS_LLM_API_KEY',
      'ANALYSIS_LLM_URL',
      'API_KEYS',
      'CONVERSATION_API_URL',
      'DATABASE_URL',
      'ERASURE_KEY',
      'MEMORY_API_URL',
      'OPERATOR_KEY',
      'RABBITMQ_URL',
    ]);
    for (const name of secrets) {
      const [problem] = problems({ [name]: secret });
      expect(problem).toMatch(new RegExp(`^${name}: expected .*, got a value of 16 characters$`));
      expect(problem).not.toContain('hunter2');
    }
  });

  it.each([['mysql://app:hunter2@db/x'], ['postgres://'], ['//app:hunter2@db'], ['db.example']])(
    'DATABASE_URL is a URL of PostgreSQL, not %s',
    (url) => {
      expect(problems({ DATABASE_URL: url })).toEqual([
        `DATABASE_URL: expected a URL that starts with postgres:// or postgresql://, got a value of ${url.length} characters`,
      ]);
    },
  );

  it.each([['k'.repeat(15)], ['k'.repeat(257)], ['kkkkkkkk kkkkkkkk'], [`${KEY},short`], ['ключключключключ']])(
    'API_KEYS does not take %p',
    (keys) => {
      expect(problems({ API_KEYS: keys })).toEqual([
        `API_KEYS: expected keys of 16..256 visible characters, separated by commas, got a value of ${keys.length} characters`,
      ]);
    },
  );
});

describe('rules between fields', () => {
  it('concurrency is a multiple of the channels, so that each has the same prefetch', () => {
    expect(problems({ MESSAGE_CONCURRENCY_PER_WORKER: '12', RABBITMQ_CHANNELS: '4' })).toEqual([]);
    expect(problems({ MESSAGE_CONCURRENCY_PER_WORKER: '10', RABBITMQ_CHANNELS: '4' })).toEqual([
      'MESSAGE_CONCURRENCY_PER_WORKER: expected a multiple of RABBITMQ_CHANNELS (4), so that every channel gets the same prefetch, got 10',
    ]);
    expect(problems({ RABBITMQ_CHANNELS: '2' })).toHaveLength(1);
  });

  it('an adaptive worker has channels of its own, and no such rule', () => {
    expect(
      problems({ CONCURRENCY_MODE: 'adaptive', MESSAGE_CONCURRENCY_PER_WORKER: '10', RABBITMQ_CHANNELS: '4' }),
    ).toEqual([]);
  });

  it('the second lane has the same rule', () => {
    expect(problems({ ANALYSIS_CONCURRENCY_PER_WORKER: '480', ANALYSIS_CHANNELS: '4' })).toEqual([]);
    expect(problems({ ANALYSIS_CONCURRENCY_PER_WORKER: '10', ANALYSIS_CHANNELS: '4' })).toEqual([
      'ANALYSIS_CONCURRENCY_PER_WORKER: expected a multiple of ANALYSIS_CHANNELS (4), so that every channel gets the same prefetch, got 10',
    ]);
  });

  it.each([
    ['https://memory.example/api', {}, true],
    ['http://localhost:8080', {}, true],
    ['http://127.1.2.3:8080/', {}, true],
    ['http://[::1]:8080', {}, true],
    ['http://memory.example', {}, false],
    ['http://127.0.0.1.example', {}, false],
    ['http://memory', { PLAIN_HTTP_HOSTS: 'llm, memory' }, true],
    ['http://memory.other', { PLAIN_HTTP_HOSTS: 'memory' }, false],
  ])('conversations go to %s with %p: %p', (url, settings, allowed) => {
    const expected = `MEMORY_API_URL: expected https, or a host on loopback or in PLAIN_HTTP_HOSTS, got http to ${new URL(url).hostname}`;
    expect(problems({ MEMORY_API_URL: url, ...settings })).toEqual(allowed ? [] : [expected]);
  });

  it.each([['https://app:hunter2@memory'], ['https://memory?key=hunter2'], ['https://memory#hunter2'], ['memory:80']])(
    'an external service is no %s, and what it was is not repeated',
    (url) => {
      expect(problems({ MEMORY_API_URL: url })).toEqual([
        `MEMORY_API_URL: expected a URL that starts with https:// or http://, without user, password, query and fragment, got a value of ${url.length} characters`,
      ]);
    },
  );

  it('one try takes no longer than all tries', () => {
    expect(problems({ MEMORY_API_TRY_TIMEOUT: '10s', MEMORY_API_TIMEOUT: '5s' })).toEqual([
      'MEMORY_API_TRY_TIMEOUT: expected at most MEMORY_API_TIMEOUT (5000 ms), got 10000 ms',
    ]);
  });

  it('an LLM has a model', () => {
    expect(problems({ ANALYSIS_LLM_URL: 'https://llm' })).toEqual([
      'ANALYSIS_LLM_MODEL: expected a model when ANALYSIS_LLM_URL is set, got nothing',
    ]);
  });

  it('no two queues have one name', () => {
    expect(problems({ RABBITMQ_QUEUE: 'one', RABBITMQ_ANALYSIS_QUEUE: 'one', RABBITMQ_RPC_QUEUE: 'one' })).toEqual([
      'RABBITMQ_ANALYSIS_QUEUE: expected another queue than RABBITMQ_QUEUE, got one for both',
      'RABBITMQ_RPC_QUEUE: expected another queue than RABBITMQ_QUEUE, got one for both',
    ]);
  });

  it.each([
    ['production', 'api', true],
    ['production', 'all', true],
    ['production', 'worker', false],
    ['development', 'api', false],
    ['test', 'all', false],
  ])('without API_KEYS, %s for the role %s is refused: %p', (NODE_ENV, APP_ROLE, refused) => {
    const expected = ['API_KEYS: expected at least one key when NODE_ENV is production, got none'];
    for (const API_KEYS of ['', ' , '])
      expect(problems({ NODE_ENV, APP_ROLE, API_KEYS })).toEqual(refused ? expected : []);
  });

  it('the drain and the closing after it fit into the grace period of the orchestrator, where that is given', () => {
    expect(problems({ SHUTDOWN_TIMEOUT: '26s', TERMINATION_GRACE_PERIOD: '30s' })).toEqual([]);
    expect(problems({ SHUTDOWN_TIMEOUT: '27s', TERMINATION_GRACE_PERIOD: '30s' })).toEqual([
      'SHUTDOWN_TIMEOUT: expected at most 26000 ms, which is TERMINATION_GRACE_PERIOD less 4000 ms for closing, got 27000 ms: lower it, or raise the grace period in the orchestrator and here',
    ]);
    expect(problems({ SHUTDOWN_TIMEOUT: '15m' })).toEqual([]);
  });

  it('a message is given back before the broker closes the channel of whoever holds it', () => {
    expect(problems({ LONGEST_HOLD: '29m' })).toEqual([]);
    expect(problems({ LONGEST_HOLD: '30m' })).toEqual([
      "LONGEST_HOLD: expected at most 1740000 ms, which is RABBITMQ_CONSUMER_TIMEOUT less 60000 ms for what a held message still has to do, got 1800000 ms: lower it, or raise the broker's consumer_timeout and say so here",
    ]);
    expect(problems({ LONGEST_HOLD: '30m', RABBITMQ_CONSUMER_TIMEOUT: '1h' })).toEqual([]);
  });

  it('the connections of all processes stay within the budget, where budget and W are given', () => {
    const given = { WORKER_REPLICAS: '4', WORKER_SURGE: '2', API_REPLICAS: '2', DATABASE_POOL_SIZE: '9' };
    expect(problems({ ...given, APP_ROLE: 'worker', DATABASE_CONNECTION_BUDGET: '85' })).toEqual([]);
    for (const APP_ROLE of ['worker', 'api'])
      expect(problems({ ...given, APP_ROLE, DATABASE_CONNECTION_BUDGET: '84' })).toEqual([
        expect.stringMatching(
          /^DATABASE_CONNECTION_BUDGET: expected .* at most 84 connections .*, got 85 = \(4 workers \+ 2 surge \+ 0 draining\) x \(9 \+ 1\) \+ 2 api x \(9 \+ 1\) \+ 5: lower/,
        ),
      ]);
    expect(problems({ ...given, APP_ROLE: 'all', DATABASE_CONNECTION_BUDGET: '65' })).toEqual([]);
    expect(problems({ DATABASE_POOL_SIZE: '500', DATABASE_CONNECTION_BUDGET: '1' })).toEqual([]);
  });

  it('are all told at once, beside what one field alone has wrong', () => {
    const settings = {
      PORT: 'x',
      SHUTDOWN_TIMEOUT: '60s',
      TERMINATION_GRACE_PERIOD: '30s',
      LONGEST_HOLD: '1h',
      WORKER_REPLICAS: '10',
      DATABASE_CONNECTION_BUDGET: '20',
    };
    expect(problems(settings).map((problem) => problem.split(':')[0])).toEqual([
      'PORT',
      'SHUTDOWN_TIMEOUT',
      'LONGEST_HOLD',
      'DATABASE_CONNECTION_BUDGET',
    ]);
  });
});

describe('a secret in a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'friendship-secrets-'));
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('counts like the variable, without the line break at its end', () => {
    const url = 'postgres://app:from-a-file@db/friendship';
    const DATABASE_URL_FILE = file('url', ` ${url}\n`);
    expect(read({ DATABASE_URL: undefined, DATABASE_URL_FILE })).toMatchObject({ DATABASE_URL: url });
    expect(read({ API_KEYS_FILE: file('keys', `${KEY},\n${KEY}2\n`) }).API_KEYS).toEqual([KEY, `${KEY}2`]);
  });

  it('beside the variable is refused: nobody could tell which counts', () => {
    expect(problems({ DATABASE_URL_FILE: file('both', 'postgres://db/x') })).toEqual([
      'DATABASE_URL: expected either DATABASE_URL or DATABASE_URL_FILE, got both',
    ]);
  });

  it('that cannot be read, or is empty, is told with its path; a wrong one only with its length', () => {
    const missing = join(folder, 'missing');
    expect(problems({ API_KEYS_FILE: missing })).toEqual([
      `API_KEYS_FILE: expected a file that can be read, got ${JSON.stringify(missing)} (ENOENT)`,
    ]);
    const empty = file('empty', '\n');
    expect(problems({ API_KEYS_FILE: empty })).toEqual([
      `API_KEYS_FILE: expected a file with a value, got the empty file ${empty}`,
    ]);
    const [problem] = problems({ API_KEYS_FILE: file('short', 'hunter2') });
    expect(problem).toBe(
      'API_KEYS: expected keys of 16..256 visible characters, separated by commas, got a value of 7 characters',
    );
  });

  it('is not read for what is no secret', () => {
    expect(read({ PORT_FILE: file('port', '4000') }).PORT).toBe(3000);
  });
});

describe('encryption', () => {
  const folder = mkdtempSync(join(tmpdir(), 'friendship-ca-'));
  const ca = join(folder, 'ca.pem');
  const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
  beforeAll(() => writeFileSync(ca, pem));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('takes authorities from a file', () => {
    expect(read({ DATABASE_CA_FILE: ca, RABBITMQ_CA_FILE: ca, RABBITMQ_URL: 'amqps://mq' })).toMatchObject({
      DATABASE_CA_FILE: pem,
      RABBITMQ_CA_FILE: pem,
    });
    expect(problems({ DATABASE_CA_FILE: folder })).toEqual([
      `DATABASE_CA_FILE: expected the path of a PEM file with certificates, got ${JSON.stringify(folder)}`,
    ]);
  });

  it('is never one that only looks like it', () => {
    expect(problems({ RABBITMQ_CA_FILE: ca })).toEqual([
      'RABBITMQ_URL: expected amqps:// with RABBITMQ_CA_FILE, got amqp://, which is not encrypted',
    ]);
    expect(problems({ DATABASE_URL: 'postgres://db/x?sslmode=no-verify' })).toEqual([
      'DATABASE_URL: expected sslmode=verify-full, got no-verify, which accepts any certificate',
    ]);
    expect(problems({ DATABASE_URL: 'postgres://db/x?ssl=no-verify' })).toEqual([
      'DATABASE_URL: expected sslmode=verify-full, got no-verify, which accepts any certificate',
    ]);
    expect(problems({ DATABASE_URL: 'postgres://db/x?uselibpqcompat=true&sslmode=require' })).toEqual([
      'DATABASE_URL: expected no uselibpqcompat, with which sslmode=require accepts any certificate, got it',
    ]);
  });

  // What stands in the URL wins over the authorities of the file.
  it.each(['sslmode=disable', 'sslmode=verify-full', 'ssl=0', 'ssl=true', 'sslrootcert=other.pem', 'sslcert=own.pem'])(
    'is not left to the URL beside DATABASE_CA_FILE: %s',
    (parameter) => {
      const [name] = parameter.split('=');
      expect(problems({ DATABASE_URL: `postgres://db/x?${parameter}`, DATABASE_CA_FILE: ca })).toEqual([
        `DATABASE_URL: expected no ${name} with DATABASE_CA_FILE, which decides alone, got both`,
      ]);
    },
  );

  it('may be left out where nobody asked for it', () => {
    expect(problems({ DATABASE_URL: 'postgres://db/x?sslmode=disable' })).toEqual([]);
  });
});
