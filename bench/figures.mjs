// @ts-check
/** The names of figures, with what people read: a title, a unit, and how many digits mean something. */

/** @type {Record<string, { title: string, unit: string, digits: number }>} */
export const FIGURES = {
  rate: { title: 'rate', unit: 'msg/s', digits: 0 },
  requests: { title: 'requests', unit: '/s', digits: 0 },
  http_p50: { title: 'p50', unit: 'ms', digits: 0 },
  http_p99: { title: 'p99', unit: 'ms', digits: 0 },
  failures: { title: 'failures', unit: '', digits: 0 },
  settled_seconds: { title: 'until all are processed', unit: 's', digits: 1 },
  api_us: { title: 'api', unit: 'µs', digits: 0 },
  worker_us: { title: 'worker', unit: 'µs', digits: 0 },
  postgres_us: { title: 'PostgreSQL', unit: 'µs', digits: 0 },
  rabbitmq_us: { title: 'RabbitMQ', unit: 'µs', digits: 0 },
  total_us: { title: 'all CPU', unit: 'µs', digits: 0 },
  memory_mib: { title: 'memory', unit: 'MiB', digits: 0 },
  peak_mib: { title: 'peak memory', unit: 'MiB', digits: 0 },
  delivery_p50: { title: 'delivery → commit p50', unit: 'ms', digits: 1 },
  delivery_p95: { title: 'p95', unit: 'ms', digits: 1 },
  delivery_p99: { title: 'p99', unit: 'ms', digits: 1 },
  acceptance_p50: { title: 'acceptance → commit p50', unit: 'ms', digits: 1 },
  acceptance_p95: { title: 'p95', unit: 'ms', digits: 1 },
  acceptance_p99: { title: 'p99', unit: 'ms', digits: 1 },
  loop_p99: { title: "event loop's delay p99", unit: 'ms', digits: 0 },
  memory_spread: { title: 'most ÷ least memory', unit: '', digits: 2 },
  start_seconds: { title: 'until all consume', unit: 's', digits: 1 },
  crash_seconds: { title: 'a crash costs', unit: 's', digits: 1 },
  in_flight: { title: 'C in the end', unit: '', digits: 0 },
  seconds_to: { title: '0.9 of the pinned best after', unit: 's', digits: 0 },
  points: { title: 'runs', unit: '', digits: 0 },
  time_share: { title: 'of the time of the grid', unit: '', digits: 2 },
  predicted: { title: 'plan says', unit: 'msg/s', digits: 0 },
  off_by: { title: 'off by', unit: '', digits: 2 },
  seconds: { title: 'time', unit: 's', digits: 2 },
  events: { title: 'messages', unit: '', digits: 0 },
};

/** @param {string} name @param {number} value */
export function format(name, value) {
  const { digits } = FIGURES[name] ?? { digits: 2 };
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** The figures that tell most, in a few words. @param {Record<string, number>} figures */
export function inWords(figures) {
  const known = Object.keys(FIGURES).filter((name) => figures[name] !== undefined);
  return known
    .slice(0, 4)
    .map((name) => `${FIGURES[name]?.title} ${format(name, figures[name] ?? 0)} ${FIGURES[name]?.unit}`.trim())
    .join(', ');
}
