/** The report: one HTML file that needs nothing else. Its figures come from the result alone. */
import { number, timeText } from '../plan/plan-units';
import { escapeHtml, lineChart, stackedBars, type Series } from './charts';
import { keptUp, othersUse, pointText, samePoint, type Measurement } from './measurement';
import { candidates, type Candidate } from './search';
import { mean } from './statistics';
import { answerText, type TuneResult } from './tune-result';

const CPU_NAMES = ['workers', 'PostgreSQL', 'RabbitMQ', 'api', 'tune', 'others'];

const STYLE = `
:root{color-scheme:light dark;--ground:#fcfcfb;--ink:#1d1c1a;--soft:#6b6a66;--rule:#e4e3df;--panel:#f4f3f0;
--c1:#2a78d6;--c2:#d95f1e;--c3:#128a60;--c4:#b07800;--c5:#a5509b;--c6:#8a8983}
@media (prefers-color-scheme:dark){:root{--ground:#191917;--ink:#f0efec;--soft:#a3a29d;--rule:#383733;--panel:#232220;
--c1:#5b9cec;--c2:#f08a50;--c3:#3fbf90;--c4:#dba63a;--c5:#cf86c6;--c6:#9b9a94}}
body{font:16px/1.5 system-ui,sans-serif;background:var(--ground);color:var(--ink);max-width:60rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.5rem;line-height:1.25;margin:0}h2{font-size:1.1rem;margin:2.5rem 0 .5rem}p{margin:.5rem 0}.soft{color:var(--soft)}
pre,table{background:var(--panel);border-radius:6px}pre{padding:.75rem 1rem;overflow-x:auto}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:.3rem .6rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--rule)}th:first-child,td:first-child,td:last-child,th:last-child{text-align:left}
td:last-child{white-space:normal;min-width:14rem}tr.chosen td{font-weight:600}
figure{margin:1.5rem 0}figcaption{font-weight:600}svg{width:100%;height:auto;display:block}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;font-size:.85rem;color:var(--soft)}.legend i{display:inline-block;width:.75rem;height:.75rem;border-radius:3px;margin-right:.4rem}
.tick,.axis{font-size:12px;fill:var(--soft)}.marked{font-size:12px;font-weight:600;fill:var(--ink)}.grid{stroke:var(--rule)}
.limit{stroke:var(--ink);stroke-dasharray:4 3}.mark{fill:none;stroke:var(--ink);stroke-width:2}.line{fill:none;stroke-width:2}
${[1, 2, 3, 4, 5, 6].map((n) => `.fill-${n}{fill:var(--c${n})}.line-${n}{stroke:var(--c${n})}.back-${n}{background:var(--c${n})}`).join('')}`;

export function renderReport(result: TuneResult): string {
  const { answer, mix, machine, complete } = result;
  const title = answer
    ? `${pointText(answer.point)}: ${number(answer.throughput)} messages a second`
    : result.measurements.length > 0
      ? 'No message was finished'
      : 'Nothing was measured';
  const ranked = candidates(result.measurements);
  const facts =
    `${number(result.seconds)} s, ${result.measurements.length} runs, ${result.startedAt}; ${machine.cores} cores (${machine.cpu}), Node ${machine.node}. ` +
    `The mix: ${timeText(mix.serviceTime)} waiting for others and ${timeText(mix.cpuTime)} of CPU a message, beside the service's own.`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,"><title>tune: ${escapeHtml(title)}</title><style>${STYLE}</style></head><body>
<h1>${escapeHtml(title)}</h1>
<p class="soft">${escapeHtml(facts)}${complete ? '' : ' <strong>Interrupted: this is what had been measured.</strong>'}</p>
${answer ? `<pre>${escapeHtml(answerText(answer).join('\n'))}</pre>` : ''}
${predictedText(result)}
${throughputChart(result, ranked)}
${latencyChart(ranked)}
${cpuChart(result, ranked)}
${queueCharts(result)}
<h2>Every run, in its order</h2>
${runsTable(result)}
</body></html>
`;
}

function predictedText({ predicted, answer }: TuneResult): string {
  if (predicted === undefined || !answer) return '';
  const difference = Math.round(100 * (predicted / answer.throughput - 1));
  return `<p>Before anything ran, <code>plan</code> would have said ${number(predicted)} messages a second for this point: ${Math.abs(difference)} % ${difference >= 0 ? 'more' : 'less'} than measured.</p>`;
}

/** A line for each W, over all that is in flight; of runs that differ in pool or group only, the fastest stands for the point. */
function perWorkers(ranked: readonly Candidate[], value: (candidate: Candidate) => number): Series[] {
  const workers = [...new Set(ranked.map(({ point }) => point.workers))].sort((a, b) => a - b);
  return workers.map((w, index) => {
    const best = new Map<number, number>();
    for (const candidate of ranked.filter(({ point }) => point.workers === w)) {
      const inFlight = w * candidate.point.concurrency;
      if (!best.has(inFlight)) best.set(inFlight, value(candidate));
    }
    return { name: `W ${w}`, colour: (index % 6) + 1, points: [...best].sort(([a], [b]) => a - b) };
  });
}

function throughputChart({ answer }: TuneResult, ranked: readonly Candidate[]): string {
  return lineChart({
    title: 'Throughput over messages in flight (W x C)',
    x: 'messages in flight',
    y: 'messages a second',
    logX: true,
    series: perWorkers(ranked, ({ throughput }) => throughput),
    mark: answer && {
      x: answer.point.workers * answer.point.concurrency,
      y: answer.throughput,
      label: `the knee: ${answer.point.workers} x ${answer.point.concurrency}`,
    },
  });
}

function latencyChart(ranked: readonly Candidate[]): string {
  return lineChart({
    title: 'Processing time, p99, over messages in flight: what is paid for it',
    x: 'messages in flight',
    y: 'milliseconds',
    logX: true,
    logY: true,
    series: perWorkers(ranked, ({ runs }) => mean(runs.map(({ processing }) => processing.p99))),
  });
}

function cpuChart({ answer, machine }: TuneResult, ranked: readonly Candidate[]): string {
  const bars = [...ranked]
    .sort(
      (a, b) =>
        a.point.workers - b.point.workers || a.point.concurrency - b.point.concurrency || a.point.group - b.point.group,
    )
    .map(({ point, runs: [run] }) => ({
      label: `${point.workers} x ${point.concurrency}, pool ${point.poolSize}${point.group > 1 ? `, group ${point.group}` : ''}`,
      strong: answer && samePoint(answer.point, point),
      parts: [run.cpu.workers, run.cpu.database ?? 0, run.cpu.broker ?? 0, run.cpu.api, run.cpu.tuner, othersUse(run)],
    }));
  return stackedBars('CPU, in cores', CPU_NAMES, bars, { at: machine.cores, label: `${machine.cores} cores` });
}

function queueCharts({ measurements, answer }: TuneResult): string {
  const chosen = answer && measurements.findLast((run) => samePoint(run, answer.point) && run.load === 'backlog');
  const open = measurements.filter(({ load }) => load === 'open loop');
  const chart = (run: Measurement, title: string) =>
    lineChart({
      title,
      x: 'seconds',
      y: 'messages',
      series: [
        {
          name: 'waiting in the queue',
          colour: 1,
          plain: true,
          points: run.queue.map(({ at, waiting }) => [at, waiting]),
        },
        { name: 'in flight', colour: 2, plain: true, points: run.queue.map(({ at, inFlight }) => [at, inFlight]) },
      ],
    });
  return [
    ...(chosen ? [chart(chosen, `Queue over time, working through a backlog at ${pointText(chosen)}`)] : []),
    ...open.map((run) =>
      chart(
        run,
        `Queue over time, ${run.offered === undefined ? 'a burst of posts' : `${number(run.offered)} posts a second`} at ${pointText(run)}${keptUp(run) ? '' : `, of which ${number(run.throughput)} a second were worked on`}`,
      ),
    ),
  ].join('\n');
}

function runsTable({ measurements, answer }: TuneResult): string {
  const head = [
    'point',
    'load',
    'messages/s',
    'processing p50 / p95 / p99 ms',
    'acceptance → commit p50 / p95 / p99 ms',
    'event loop',
    'CPU, cores',
    'of others',
    'memory',
    'waits for a connection',
    'why',
  ];
  const rows = measurements.map((run) => {
    const { processing: p, critical: c } = run;
    const cells = [
      pointText(run),
      run.offered === undefined ? run.load : `${number(run.offered)}/s`,
      number(run.throughput),
      [p.p50, p.p95, p.p99].map(number).join(' / '),
      c ? [c.p50, c.p95, c.p99].map(number).join(' / ') : '',
      `${Math.round(100 * run.eventLoop)} %`,
      run.cpu.machine === undefined ? number(run.cpu.workers) : number(run.cpu.machine),
      run.cpu.machine === undefined ? 'unknown' : number(othersUse(run)),
      `${Math.round(run.memory / 2 ** 20)} MiB`,
      `${Math.round(100 * run.pool.waits)} % of messages, ${number(run.pool.waitMs)} ms a message`,
      run.why,
    ];
    const chosen = answer && samePoint(run, answer.point);
    return `<tr${chosen ? ' class="chosen"' : ''}>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`;
  });
  return `<div class="scroll"><table><thead><tr>${head.map((cell) => `<th>${escapeHtml(cell)}</th>`).join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}
