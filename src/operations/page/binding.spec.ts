import { bindingResource, type Signs } from './binding';
import { drainOf } from './drain';
import type { InstanceState, Moment, SplitPart } from './state';

const WORKER: InstanceState = {
  instance: 'a/1',
  role: 'worker',
  version: '1',
  started_at: '',
  seen_seconds_ago: 0,
  ready: true,
  reason: null,
  in_flight: 10,
  concurrency: 10,
  cpu_share: 0.3,
  event_loop_p99_seconds: 0,
  memory_bytes: 0,
  pool_used: 2,
  pool_size: 10,
  pool_waiting: 0,
  settled_per_second: 0,
};

function signs(worker: Partial<InstanceState> = {}, means: Partial<Record<SplitPart, number>> = {}): Signs {
  const split = (['queue', 'slot', 'external', 'database', 'ack'] as const).map((part) => ({
    part,
    mean: means[part] ?? null,
    p95: null,
  }));
  return {
    unavailable: [],
    ready: 100,
    workers: [{ ...WORKER, ...worker }],
    critical: { p50: null, p95: null, p99: null, count: 1, split },
    external: [],
  };
}

const SERVICE = { service: 'MEMORY_API', calls_per_second: 1, p95: null, failures_per_second: 1 };

describe('the resource that binds', () => {
  it.each([
    ['nothing', 'nothing waits', { ...signs({ in_flight: 2 }), ready: 0 }],
    ['nothing', 'there is no worker and nothing to do', { ...signs(), ready: 0, workers: [] }],
    ['concurrency', 'there is no worker', { ...signs(), workers: [] }],
    ['concurrency', 'all slots are taken by workers with time left', signs()],
    ['concurrency', 'all slots are taken and nothing waits yet', { ...signs(), ready: 0 }],
    ['worker_cpu', 'the workers have no time left', signs({ cpu_share: 0.95 })],
    ['database_pool', 'messages wait for a connection', signs({ pool_used: 10, pool_waiting: 5 })],
    ['database', 'most of the time is spent in a slow database', signs({}, { database: 0.4, ack: 0.001 })],
    ['concurrency', 'most of the time is spent in a fast database', signs({}, { database: 0.004, ack: 0.001 })],
    ['external_service', 'most of the time is spent outside', signs({}, { external: 5, database: 0.01 })],
    ['external_service', 'a breaker is open', { ...signs(), external: [{ ...SERVICE, breaker: 'open' as const }] }],
    ['unknown', 'messages wait beside free slots', signs({ in_flight: 1 })],
    [
      'broker',
      'both are away',
      {
        ...signs(),
        unavailable: [
          { part: 'database' as const, since: null, reason: 'x' },
          { part: 'broker' as const, since: null, reason: 'ECONNREFUSED' },
        ],
      },
    ],
  ])('is %s when %s', (resource, _when, given) => {
    expect(bindingResource(given)).toEqual({ resource, why: expect.stringMatching(/\.$/) });
  });
});

describe('the time to drain', () => {
  const moments = (readies: (number | null)[], more: Partial<Moment> = {}): Moment[] =>
    readies.map((ready) => ({ at: '', accepted: 0, settled: 0, ready, in_flight: 0, p50: null, p99: null, ...more }));

  it.each([
    ['what waits over how fast it gets less', moments([200, 180, 160, 140, 120, 100]), { seconds: 10, growing: false }],
    ['unknown while it grows', moments([100, 120, 140, 160, 180, 200]), { seconds: null, growing: true }],
    ['unknown while it stays', moments([100, 100, 101, 100, 99, 101]), { seconds: null, growing: false }],
    ['nothing where nothing waits', moments([0, 0, 0, 0, 0, 0]), { seconds: null, growing: false }],
    ['unknown without the broker', moments([200, null, null, null, null, null]), { seconds: null, growing: false }],
    ['told by what was settled at first', moments([100], { settled: 25, accepted: 5 }), { seconds: 5, growing: false }],
    ['unknown before the first look', [], { seconds: null, growing: false }],
  ])('is %s', (_what, history, expected) => {
    expect(drainOf(history, 2)).toEqual(expected);
  });
});
