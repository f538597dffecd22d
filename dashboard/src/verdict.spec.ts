import type { Instance, State } from './contract';
import { verdict, waitingMessages } from './verdict';

const worker: Instance = {
  instance: 'worker-1',
  role: 'worker',
  version: '1',
  started_at: '2026-11-25T00:00:00Z',
  seen_seconds_ago: 1,
  ready: true,
  reason: null,
  in_flight: 0,
  concurrency: 10,
  cpu_share: 0.1,
  event_loop_p99_seconds: 0.01,
  memory_bytes: 1,
  pool_used: 0,
  pool_size: 10,
  pool_waiting: 0,
  settled_per_second: 0,
};

const calm: State = {
  at: '2026-11-25T00:10:00Z',
  interval_seconds: 2,
  version: '1',
  unavailable: [],
  backlog: {
    oldest_unsettled_seconds: 0.2,
    lanes: [{ name: 'main', queue: 'q', ready: 0, consumers: 4 }],
    retry_waiting: 0,
    dead_letters_arriving: 0,
    in_flight: 0,
    seconds_to_drain: null,
    growing: false,
  },
  rates: { accepted: 0, settled: 0, failed_attempts: 0, duplicates: 0 },
  history: [],
  workers: {
    expected: 2,
    ready: 2,
    in_flight: 0,
    concurrency: 20,
    list: [worker, { ...worker, instance: 'worker-2' }],
  },
  binds: { resource: 'nothing', why: 'Nothing waits.' },
  critical_time: { p50: null, p95: null, p99: null, count: 0, split: [] },
  external: [],
  database: { connections: 5, budget: 97, used_by_us: 4 },
  totals: { duplicates_suppressed: 0, republished: 0, open_dead_letters: 0, failed_events: 0 },
  audit: null,
  actions: [],
};

describe('the state in one sentence', () => {
  it('is good news where nothing waits', () => {
    expect(verdict(calm)).toMatchObject({ level: 'good', headline: 'All is well', why: 'Nothing waits.' });
  });

  it('names what is unreachable before anything else', () => {
    const state: State = {
      ...calm,
      unavailable: [{ part: 'broker', since: null, reason: 'ECONNREFUSED' }],
      workers: { ...calm.workers, ready: 0, list: [] },
    };
    expect(verdict(state)).toMatchObject({ level: 'bad', headline: 'RabbitMQ unreachable' });
  });

  it('tells no worker at all from none that is ready, and says why', () => {
    const list = [{ ...worker, ready: false, reason: 'draining' }];
    expect(
      verdict({ ...calm, workers: { ...calm.workers, ready: 0, list: [{ ...worker, role: 'api' }] } }),
    ).toMatchObject({
      level: 'bad',
      headline: 'No worker is running',
    });
    expect(verdict({ ...calm, workers: { ...calm.workers, ready: 0, list } })).toMatchObject({
      level: 'bad',
      headline: 'No worker is ready',
      why: 'draining',
    });
  });

  it('puts differences that an audit found above a long queue', () => {
    const state: State = {
      ...calm,
      audit: { at: '2026-11-25T00:00:00Z', users: 3, events: 9, differences: 1 },
      backlog: { ...calm.backlog, growing: true },
    };
    expect(verdict(state)).toMatchObject({ level: 'bad', headline: 'The last audit found 1 difference' });
  });

  it('says at which rates a backlog grows', () => {
    const state: State = {
      ...calm,
      rates: { ...calm.rates, accepted: 300, settled: 200 },
      backlog: { ...calm.backlog, growing: true },
    };
    expect(verdict(state).why).toBe('300/s arrive, 200/s are completed. Nothing waits.');
  });

  it('counts missing workers only where it is known how many there should be', () => {
    const one = { ...calm.workers, ready: 1, list: [worker] };
    expect(verdict({ ...calm, workers: one })).toMatchObject({ level: 'warn', headline: '1 worker of 2 missing' });
    expect(verdict({ ...calm, workers: { ...one, expected: null } }).level).toBe('good');
  });

  it('warns of an old message, and says when the backlog is gone', () => {
    const backlog = { ...calm.backlog, oldest_unsettled_seconds: 41, seconds_to_drain: 134 };
    expect(verdict({ ...calm, backlog })).toMatchObject({
      level: 'warn',
      headline: 'The oldest message waits 41 s',
      why: 'The backlog shrinks, and is gone in about 2 min.',
    });
  });

  it('has another kind for every other sentence, whatever its numbers', () => {
    const aged = (seconds: number) =>
      verdict({ ...calm, backlog: { ...calm.backlog, oldest_unsettled_seconds: seconds } }).kind;
    expect(aged(40)).toBe(aged(50));
    expect(aged(40)).not.toBe(aged(1));
  });
});

it('the messages that wait are not known while one queue is not', () => {
  expect(waitingMessages(calm)).toBe(0);
  const lanes = [...calm.backlog.lanes, { name: 'analysis' as const, queue: 'a', ready: null, consumers: null }];
  expect(waitingMessages({ ...calm, backlog: { ...calm.backlog, lanes } })).toBeNull();
});
