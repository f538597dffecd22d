// @ts-check
/** Results as Markdown: a table of medians, and the targets. */
import { FIGURES, format } from './figures.mjs';
import statistics from './statistics.cjs';

/** @typedef {import('./results.mjs').Result} Result */

/** The median of a figure over the runs of a series that count, with its spread; undefined: there is none. @param {Result} result @param {string} series @param {string} figure */
export function medianOf({ measurements }, series, figure) {
  const values = measurements
    .filter((run) => run.series === series && run.wrong.length === 0)
    .flatMap(({ figures }) => figures[figure] ?? []);
  if (values.length === 0) return undefined;
  return { value: statistics.median(values), low: Math.min(...values), high: Math.max(...values) };
}

/** @param {Result} result @returns {string[]} in the order in which they ran first */
export function seriesOf({ measurements }) {
  return [...new Set(measurements.map(({ series }) => series))];
}

/** @param {Result} result @param {{ spread?: boolean }} [options] @returns {string} */
export function measurementTable(result, { spread = true } = {}) {
  const figures = Object.keys(FIGURES).filter((name) =>
    result.measurements.some((run) => run.figures[name] !== undefined),
  );
  const titles = figures.map((name) => [FIGURES[name]?.title, FIGURES[name]?.unit].filter(Boolean).join(', '));
  const rows = seriesOf(result).map((series) => {
    const runs = result.measurements.filter((run) => run.series === series);
    const wrong = runs.filter((run) => run.wrong.length > 0).length;
    const cells = figures.map((figure, index) => {
      const found = medianOf(result, series, figure);
      if (!found) return wrong === runs.length ? 'void' : '';
      const range = spread && index === 0 ? ` (${format(figure, found.low)}–${format(figure, found.high)})` : '';
      return `${format(figure, found.value)}${range}`;
    });
    return [series, ...cells, `${runs.length - wrong} of ${runs.length}`];
  });
  return table(['', ...titles, 'right'], rows);
}

/** @param {readonly import('./targets.cjs').Verdict[]} targets */
export function targetTable(targets) {
  const rows = targets.map(({ name, value, low, high, target, bound, pass, reason }) => {
    const interval = low === null || high === null || high === Infinity ? '' : `${digits(low)}–${digits(high)}`;
    return [
      name,
      value === null ? (reason ?? '') : digits(value),
      interval,
      `${bound === 'at least' ? '≥' : '≤'} ${digits(target)}`,
      pass ? 'pass' : '**FAIL**',
    ];
  });
  return table(['Target', 'Measured', '95 % interval', 'Wanted', ''], rows);
}

/** @param {Result} result */
export function settingsLine({ surroundings: { commit, date, machine, servers }, settings }) {
  const workload = Object.entries(settings).map(([name, value]) => `${name} ${value}`);
  const postgres = Object.entries(servers.settings).map(([name, value]) => `${name} ${value}`);
  return [
    `Commit ${commit}, ${date.slice(0, 10)}; ${machine.processors} × ${machine.model}, ${machine.memoryGiB} GiB, Linux ${machine.kernel}, Node ${machine.node}`,
    `PostgreSQL ${servers.postgres} (${postgres.join(', ')}), RabbitMQ ${servers.rabbitmq}, quorum queue; ${workload.join(', ')}`,
  ].join('; ');
}

function digits(/** @type {number} */ value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** @param {string[]} head @param {string[][]} rows */
function table(head, rows) {
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map((_, index) => (index === 0 ? '---' : '---:')).join('|')}|`, ...rows.map(line)].join(
    '\n',
  );
}
