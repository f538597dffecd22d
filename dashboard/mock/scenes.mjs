// @ts-check
/**
 * Situations of a service that does not exist, as the api would answer them: what the page is drawn against.
 * The times count from when a scene is asked for.
 */
import { ago, calm, history, instance, wave } from './calm.mjs';

/** @typedef {import('../src/contract.js').State} State */
/** @typedef {import('../src/contract.js').FailureGroup} FailureGroup */
/** @typedef {import('../src/contract.js').Action} Action */

/**
 * @typedef {object} Scene
 * @property {string} says
 * @property {(state: State, second: number) => State} change what is different from a calm day
 * @property {FailureGroup[]} [failures]
 */

/** @param {string} reason @param {string | null} code @param {number} count @param {Partial<FailureGroup>} [more] @returns {FailureGroup} */
function cause(reason, code, count, more = {}) {
  return {
    reason,
    error_code: code,
    count,
    first_at: ago(5_400),
    last_at: ago(45),
    replayable: count,
    example_conversation_ids: ['b1f7c2a4-90d4-4be2-8a53-2f3c9de1a001', '7c01ef55-1c2b-4e0e-9a5b-aa10be22c002'],
    ...more,
  };
}

const FAILURES = [
  cause('RETRIES_EXHAUSTED', 'EXTERNAL_SERVICE_TIMEOUT', 1_240),
  cause('RETRIES_EXHAUSTED', 'EXTERNAL_SERVICE_UNAVAILABLE', 312),
  cause('CONVERSATION_NOT_FOUND', null, 41),
  cause('INVALID_MESSAGE', 'VALIDATION_FAILED', 17, { replayable: 0, example_conversation_ids: [] }),
  cause('CONVERSATION_CONFLICT', null, 3, { replayable: 2 }),
  cause('WORKER_CRASHED', null, 1, { example_conversation_ids: [`robot-hanoi-${'0123456789'.repeat(6)}`] }),
];

/** @type {Readonly<Record<string, Scene>>} */
export const SCENES = {
  calm: { says: 'a day like any other', change: (state) => state },

  burst: {
    says: 'ten times the base rate for two minutes; the backlog grows',
    change: (state) => {
      const since = 130;
      const now = Date.now() / 1000;
      const accepted = (/** @type {number} */ back) => (back < since ? 1_180 : 120) + 30 * wave(now - back, 1);
      const settled = (/** @type {number} */ back) => (back < since ? 742 : 120) + 18 * wave(now - back, 2);
      const ready = (/** @type {number} */ back) => (back < since ? Math.round((since - back) * 438) : 2);
      return {
        ...state,
        backlog: {
          ...state.backlog,
          oldest_unsettled_seconds: 76.4,
          lanes: state.backlog.lanes.map((lane, index) => ({ ...lane, ready: index === 0 ? ready(0) : 9 })),
          in_flight: 20,
          growing: true,
        },
        rates: { ...state.rates, accepted: accepted(0), settled: settled(0) },
        history: history((back) => ({
          accepted: accepted(back),
          settled: settled(back),
          ready: ready(back),
          in_flight: back < since ? 20 : 8,
          p50: back < since ? 0.02 + (since - back) * 0.55 : 0.018,
          p99: back < since ? 0.07 + (since - back) * 0.59 : 0.064,
        })),
        workers: {
          ...state.workers,
          in_flight: 20,
          list: state.workers.list.map((one) =>
            one.role === 'worker' ? { ...one, in_flight: 10, cpu_share: 0.97 } : one,
          ),
        },
        binds: {
          resource: 'worker_cpu',
          why: 'All 20 places are in use and both workers use 97 % of a core. More workers help; more concurrency does not.',
        },
        critical_time: {
          p50: 61.2,
          p95: 74.8,
          p99: 76.1,
          count: 44_510,
          split: [
            { part: 'queue', mean: 60.4, p95: 74.1 },
            { part: 'slot', mean: 0.008, p95: 0.021 },
            { part: 'external', mean: 0, p95: 0 },
            { part: 'database', mean: 0.019, p95: 0.044 },
            { part: 'ack', mean: 0.0031, p95: 0.009 },
          ],
        },
      };
    },
  },

  'worker-lost': {
    says: 'one of two workers is gone, the other drains what is left',
    change: (state) => ({
      ...state,
      backlog: {
        ...state.backlog,
        oldest_unsettled_seconds: 41,
        lanes: state.backlog.lanes.map((lane) => ({ ...lane, ready: 310, consumers: 4 })),
        in_flight: 10,
        seconds_to_drain: 134,
      },
      workers: {
        ...state.workers,
        ready: 1,
        in_flight: 10,
        concurrency: 10,
        list: [
          ...state.workers.list
            .slice(1)
            .map((one) => (one.role === 'worker' ? { ...one, in_flight: 10, cpu_share: 0.91 } : one)),
          instance({ instance: 'worker-7d9c5b-x2x4q', seen_seconds_ago: 8.2, in_flight: 10 }),
        ],
      },
      binds: {
        resource: 'concurrency',
        why: 'All 10 places are in use while 620 messages wait, and no other part is at its limit.',
      },
    }),
  },

  'broker-down': {
    says: 'RabbitMQ is away: the database’s figures and those of the answering process',
    change: (state) => ({
      ...state,
      unavailable: [{ part: 'broker', since: ago(95), reason: 'ECONNREFUSED' }],
      backlog: {
        ...state.backlog,
        oldest_unsettled_seconds: 95,
        lanes: state.backlog.lanes.map((lane) => ({ ...lane, ready: null, consumers: null })),
        retry_waiting: null,
        dead_letters_arriving: null,
        in_flight: 0,
      },
      rates: { ...state.rates, settled: 0 },
      history: state.history.map((moment, index) =>
        index < 253 ? moment : { ...moment, settled: 0, ready: null, in_flight: 0, p50: null, p99: null },
      ),
      workers: { ...state.workers, ready: 0, in_flight: 0, concurrency: 0, list: state.workers.list.slice(2) },
      binds: { resource: 'broker', why: 'Nothing is delivered while RabbitMQ is away.' },
      critical_time: {
        p50: null,
        p95: null,
        p99: null,
        count: 0,
        split: state.critical_time.split.map(({ part }) => ({ part, mean: null, p95: null })),
      },
    }),
  },

  'database-down': {
    says: 'PostgreSQL is away: the figures of the processes and the queues',
    change: (state) => ({
      ...state,
      unavailable: [{ part: 'database', since: ago(62), reason: '57P03' }],
      backlog: { ...state.backlog, oldest_unsettled_seconds: null, in_flight: 20 },
      rates: { ...state.rates, accepted: 0, settled: 0 },
      workers: {
        ...state.workers,
        ready: 0,
        in_flight: 20,
        list: state.workers.list.map((one) => ({
          ...one,
          ready: one.role === 'api',
          reason: one.role === 'api' ? null : 'PostgreSQL is away',
        })),
      },
      binds: { resource: 'database', why: 'PostgreSQL is away; what is in flight goes on when it is back.' },
      database: { connections: null, budget: 97, used_by_us: null },
      totals: { ...state.totals, open_dead_letters: null, failed_events: null },
      audit: null,
    }),
  },

  'many-failures': {
    says: 'an external service was away for an hour',
    change: (state) => ({
      ...state,
      external: state.external.map((service, index) =>
        index === 1
          ? { ...service, breaker: 'open', failures_per_second: 3.9, calls_per_second: 0.2, p95: 30 }
          : service,
      ),
      rates: { ...state.rates, failed_attempts: 3.9 },
      totals: { ...state.totals, open_dead_letters: 1_614, failed_events: 1_597 },
    }),
    failures: FAILURES,
  },

  differences: {
    says: 'the last audit found differences',
    change: (state) => ({ ...state, audit: { at: ago(300), users: 48_210, events: 1_930_442, differences: 2 } }),
  },

  empty: {
    says: 'just started: no conversation yet, one process of each role',
    change: (state) => ({
      ...state,
      backlog: {
        oldest_unsettled_seconds: null,
        lanes: [{ name: 'main', queue: 'conversation_events_processing', ready: 0, consumers: 1 }],
        retry_waiting: 0,
        dead_letters_arriving: 0,
        in_flight: 0,
        seconds_to_drain: null,
        growing: false,
      },
      rates: { accepted: 0, settled: 0, failed_attempts: 0, duplicates: 0 },
      history: history(() => ({ accepted: 0, settled: 0, ready: 0, in_flight: 0, p50: null, p99: null }), 0.2),
      workers: {
        expected: null,
        ready: 1,
        in_flight: 0,
        concurrency: 1,
        list: [
          instance({
            instance: 'worker-1',
            in_flight: 0,
            concurrency: 1,
            cpu_share: 0.01,
            settled_per_second: 0,
            started_at: ago(14),
          }),
          instance({
            instance: 'api-1',
            role: 'api',
            in_flight: 0,
            concurrency: 0,
            cpu_share: 0.01,
            settled_per_second: 0,
            started_at: ago(15),
          }),
        ],
      },
      binds: { resource: 'nothing', why: 'Nothing waits.' },
      critical_time: {
        p50: null,
        p95: null,
        p99: null,
        count: 0,
        split: state.critical_time.split.map(({ part }) => ({ part, mean: null, p95: null })),
      },
      external: [],
      totals: { duplicates_suppressed: 0, republished: 0, open_dead_letters: 0, failed_events: 0 },
      audit: null,
    }),
  },
};

/** @param {string} name @param {number} second since the mock started @param {readonly Action[]} actions @returns {State} */
export function stateOf(name, second, actions) {
  const scene = SCENES[name];
  if (!scene) throw new Error(`Expected a scene of ${Object.keys(SCENES).join(', ')}; got "${name}".`);
  return { ...scene.change(calm(second), second), actions: actions.slice(0, 10) };
}
