// @ts-check
/** The names of figures, with what people read: a title, a unit, and how many digits mean something. */

/** @type {Record<string, { title: string, unit: string, digits: number }>} */
export const FIGURES = {
  rate: { title: 'rate', unit: 'msg/s', digits: 0 },
  worker_us: { title: 'worker', unit: 'µs', digits: 0 },
  postgres_us: { title: 'PostgreSQL', unit: 'µs', digits: 0 },
  rabbitmq_us: { title: 'RabbitMQ', unit: 'µs', digits: 0 },
  total_us: { title: 'all CPU', unit: 'µs', digits: 0 },
  memory_mib: { title: 'memory', unit: 'MiB', digits: 0 },
  peak_mib: { title: 'peak memory', unit: 'MiB', digits: 0 },
  seconds: { title: 'time', unit: 's', digits: 2 },
  events: { title: 'messages', unit: '', digits: 0 },
};

/** @param {string} name @param {number} value */
export function format(name, value) {
  const { digits } = FIGURES[name] ?? { digits: 2 };
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
