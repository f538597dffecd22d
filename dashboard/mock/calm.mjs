// @ts-check
/** A day like any other; what other scenes are told apart from. Its numbers move, so that the page can be watched. */

/** @typedef {import('../src/contract.js').State} State */
/** @typedef {import('../src/contract.js').Moment} Moment */
/** @typedef {import('../src/contract.js').Instance} Instance */

const MINUTES_SHOWN = 10;
/** Seconds between two states. */
export const INTERVAL = 2;

/** The same "random" numbers each time, so that two pictures of a scene can be compared. */
export function wave(/** @type {number} */ at, /** @type {number} */ seed) {
  return (Math.sin(at / 7 + seed) + Math.sin(at / 2.3 + seed * 3) * 0.6 + Math.sin(at / 19 + seed * 5)) / 2.6;
}

export function ago(/** @type {number} */ seconds) {
  return new Date(Date.now() - seconds * 1000).toISOString();
}

/** @param {(secondsAgo: number) => Omit<Moment, 'at'>} at @param {number} [minutes] @returns {Moment[]} */
export function history(at, minutes = MINUTES_SHOWN) {
  const points = (minutes * 60) / INTERVAL;
  return Array.from({ length: points }, (_, index) => {
    const secondsAgo = (points - 1 - index) * INTERVAL;
    return { at: ago(secondsAgo), ...at(secondsAgo) };
  });
}

/** @param {Partial<Instance> & { instance: string }} some @returns {Instance} */
export function instance(some) {
  return {
    role: 'worker',
    version: '0.1.0',
    started_at: ago(93_600),
    seen_seconds_ago: 0.8,
    ready: true,
    reason: null,
    in_flight: 4,
    concurrency: 10,
    cpu_share: 0.31,
    event_loop_p99_seconds: 0.012,
    memory_bytes: 142 * 1_048_576,
    pool_used: 2,
    pool_size: 10,
    pool_waiting: 0,
    settled_per_second: 59.5,
    ...some,
  };
}

/** @param {number} second @returns {State} */
export function calm(second) {
  const now = Date.now() / 1000;
  const arriving = (/** @type {number} */ back) => 120 + 16 * wave(now - back, 1);
  return {
    at: new Date().toISOString(),
    interval_seconds: INTERVAL,
    version: '0.1.0',
    unavailable: [],
    backlog: {
      oldest_unsettled_seconds: 0.34,
      lanes: [
        { name: 'main', queue: 'conversation_events_processing', ready: 0, consumers: 8 },
        { name: 'analysis', queue: 'conversation_events_analysis', ready: 3, consumers: 8 },
      ],
      retry_waiting: 2,
      dead_letters_arriving: 0,
      in_flight: 8,
      seconds_to_drain: null,
      growing: false,
    },
    rates: { accepted: arriving(0), settled: arriving(1.5), failed_attempts: 0.2, duplicates: 0.1 },
    history: history((back) => ({
      accepted: arriving(back),
      settled: arriving(back + 1.5),
      ready: Math.max(0, Math.round(3 + 4 * wave(now - back, 2))),
      in_flight: Math.round(8 + 3 * wave(now - back, 3)),
      p50: 0.018 + 0.003 * wave(now - back, 4),
      p99: 0.062 + 0.02 * wave(now - back, 5),
    })),
    workers: {
      expected: 2,
      ready: 2,
      in_flight: 8,
      concurrency: 20,
      list: [
        instance({ instance: 'worker-7d9c5b-x2x4q' }),
        instance({ instance: 'worker-7d9c5b-p8m2t', cpu_share: 0.28, memory_bytes: 138 * 1_048_576 }),
        instance({
          instance: 'api-5f6b8d-k4w9z',
          role: 'api',
          in_flight: 0,
          concurrency: 0,
          cpu_share: 0.22,
          settled_per_second: 0,
        }),
      ],
    },
    binds: { resource: 'nothing', why: 'Every part has room: 8 of 20 places are in use.' },
    critical_time: {
      p50: 0.018,
      p95: 0.041,
      p99: 0.064,
      count: 7_140 + Math.round(60 * wave(second, 1)),
      split: [
        { part: 'queue', mean: 0.0041, p95: 0.012 },
        { part: 'slot', mean: 0.0004, p95: 0.0011 },
        { part: 'external', mean: 0, p95: 0 },
        { part: 'database', mean: 0.0092, p95: 0.021 },
        { part: 'ack', mean: 0.0009, p95: 0.003 },
      ],
    },
    external: [
      { service: 'Language model', breaker: 'closed', calls_per_second: 4.2, p95: 2.1, failures_per_second: 0 },
      { service: 'Memory service', breaker: 'closed', calls_per_second: 4.2, p95: 23.4, failures_per_second: 0.02 },
    ],
    database: { connections: 31, budget: 97, used_by_us: 24 },
    totals: { duplicates_suppressed: 1_204, republished: 3, open_dead_letters: 0, failed_events: 0 },
    audit: { at: ago(15_400), users: 48_210, events: 1_930_442, differences: 0 },
    actions: [],
  };
}
