// @ts-check
/** The recorded results as parts of the documentation; `npm run docs` puts them where they belong. */
import { chart } from './chart.mjs';
import { FIGURES, format } from './figures.mjs';
import { measurementTable, medianOf, settingsLine, targetTable } from './report.mjs';
import { readResults } from './results.mjs';

const NOTHING_YET = 'No full run has been recorded yet: `npm run bench -- all`.';

/** What a reader of the README wants to compare: series of the question `throughput`, and what each is in plain words. */
const SHORT = [
  ['service C=300 group=100', 'this service, grouped commit'],
  ['service C=10', 'this service, a commit for each message'],
  ['plain C=10', 'plain amqplib + pg, the same statements'],
  ['golevelup + entities C=10', 'golevelup + TypeORM entities'],
  ['Nest transport C=10', "Nest's own transport + TypeORM entities"],
  ['Python, 10 threads, one commit', 'Python, 10 threads, one commit'],
  ['Python, 10 threads', 'Python, 10 threads, several commits'],
  ['Python, one by one', 'Python, one by one'],
];

const SHORT_FIGURES = ['rate', 'worker_us', 'postgres_us', 'rabbitmq_us'];

/** Questions whose answers stand in docs/tuning.md. */
const OF_TUNING = ['tuning', 'adaptive'];

/** The body of docs/performance.md: every question, its targets, its table, its picture. */
export function performanceChapter() {
  const results = readResults().filter(({ question }) => !OF_TUNING.includes(question));
  if (results.length === 0) return NOTHING_YET;
  return results
    .map((result) =>
      [
        `## ${result.asks}`,
        `\`npm run bench -- ${result.question}\`, ${result.minutes.toFixed(0)} minutes. ${settingsLine(result)}.`,
        ...(result.targets.length > 0 ? [targetTable(result.targets)] : []),
        measurementTable(result),
        ...explanations(result),
        `![${result.asks}](../bench/results/${result.question}.svg)`,
      ].join('\n\n'),
    )
    .join('\n\n');
}

/** @param {import('./results.mjs').Result} result */
function explanations({ series }) {
  const lines = Object.entries(series).map(([name, what]) => `- ${name}: ${what}`);
  return lines.length > 0 ? [lines.join('\n')] : [];
}

/** What `npm run bench -- tuning` and `-- adaptive` found, for docs/tuning.md. @param {string} question */
export function tuningPart(question) {
  const result = readResults().find((one) => one.question === question);
  if (!result) return `No full run has been recorded yet: \`npm run bench -- ${question}\`.`;
  return [
    `\`npm run bench -- ${question}\`, ${result.minutes.toFixed(0)} minutes. ${settingsLine(result)}.`,
    targetTable(result.targets),
    measurementTable(result, { spread: false }),
    ...explanations(result),
    ...(result.lines ?? []).filter(({ logX }) => logX).map(gridTable),
    `![${result.asks}](../bench/results/${question}.svg)`,
  ].join('\n\n');
}

/** Throughput at every point. @param {import('./line-chart.mjs').Lines} lines */
function gridTable({ title, series }) {
  const columns = [...new Set(series.flatMap(({ points }) => points.map(([c]) => c)))].sort((a, b) => a - b);
  return [
    `${title}, messages a second:`,
    '',
    `| | ${columns.map((c) => `C ${c}`).join(' | ')} |`,
    `|---|${columns.map(() => '---:').join('|')}|`,
    ...series.map(({ name, points }) => {
      const cells = columns.map((c) => points.find(([x]) => x === c)?.[1]);
      return `| ${name} | ${cells.map((rate) => (rate === undefined ? '' : format('rate', rate))).join(' | ')} |`;
    }),
  ].join('\n');
}

/** The README's table. */
export function shortTable() {
  const throughput = readResults().find(({ question }) => question === 'throughput');
  if (!throughput) return NOTHING_YET;
  const rows = SHORT.flatMap(([series = '', words = '']) => {
    const cells = SHORT_FIGURES.map((figure) => medianOf(throughput, series, figure));
    if (!cells[0]) return [];
    return [[words, ...cells.map((cell, index) => (cell ? format(SHORT_FIGURES[index] ?? '', cell.value) : ''))]];
  });
  const titles = SHORT_FIGURES.map((figure) => `${FIGURES[figure]?.title}, ${FIGURES[figure]?.unit}`);
  const { machine, commit } = throughput.surroundings;
  return [
    `| | ${titles.join(' | ')} |`,
    `|---|${titles.map(() => '---:').join('|')}|`,
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
    '',
    `One process each, 20,000 queued conversations of 10,000 children, fsync on, quorum queue; ${machine.processors} × ${machine.model}, shared by clients and servers; commit ${commit}. CPU of one message.`,
  ].join('\n');
}

/** @returns {{ file: string, render: () => string }[]} a picture for each recorded result */
export function pictures() {
  return readResults().map((result) => ({ file: `bench/results/${result.question}.svg`, render: () => chart(result) }));
}
