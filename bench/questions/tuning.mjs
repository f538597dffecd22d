// @ts-check
/**
 * Whether `tune` finds in a third of the time what the whole grid has to offer, twice in a row, and whether `plan` would have said it.
 * The recommended points and the grid's best are measured again in turns, since the best of 21 noisy runs is lucky by nature.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutDir } from '../../scripts/services/checkout.mjs';
import { resultsDir } from '../results.mjs';
import { takeTurns } from '../rounds.mjs';
import { openStage, predict, tune } from '../tuner.mjs';

/** @typedef {import('../question.mjs').Context} Context */
/** @typedef {import('../tuner.mjs').Point} Point */

const MIXES = [
  { name: 'database-bound', mix: { serviceTime: 0, cpuTime: 0 } },
  { name: '200 ms external', mix: { serviceTime: 200, cpuTime: 0 } },
  { name: '20 ms CPU', mix: { serviceTime: 0, cpuTime: 20 } },
];

/** Seconds and warm-up are the tuner's own defaults. */
const FULL = { workers: '1,2,4', concurrency: '1,2,5,10,20,50,100', seconds: 5, warmUp: 2, rounds: 4 };
const QUICK = { workers: '1,2', concurrency: '5,20', seconds: 2, warmUp: 1, rounds: 1 };

/** @type {import('../question.mjs').Question} */
export default {
  name: 'tuning',
  asks: 'Does `tune` find the best point in a third of the time of the whole grid?',
  minutes: 26,
  targets: MIXES.flatMap(({ name }) => [
    {
      name: `${name}: recommended ÷ the grid's best`,
      of: `${name}, tune 1`,
      against: `${name}, grid's best`,
      figure: 'rate',
      atLeast: 0.95,
    },
    {
      name: `${name}: recommended the second time ÷ the grid's best`,
      of: `${name}, tune 2`,
      against: `${name}, grid's best`,
      figure: 'rate',
      atLeast: 0.95,
    },
    { name: `${name}: time of tune ÷ time of the grid`, of: `${name}, searches`, figure: 'time_share', atMost: 1 / 3 },
    {
      name: `${name}: plan's prediction beside what was measured, off by`,
      of: `${name}, plan`,
      figure: 'off_by',
      atMost: 0.25,
    },
  ]),
  charts: [{ title: 'Messages a second, in turns', figures: ['rate'] }],
  async run(context) {
    const settings = context.quick ? QUICK : FULL;
    /** @type {import('../targets.cjs').Measurement[]} */
    const measurements = [];
    /** @type {import('../line-chart.mjs').Lines[]} */
    const lines = [];
    /** @type {Record<string, string>} */
    const series = {};
    let costs;
    for (const one of MIXES) {
      const { grid, searches } = await searchAndGrid(one, settings, context);
      // Of the mix without work of its own: what a message costs the service itself.
      costs ??= searches[0].costs;
      const best = grid.measurements.reduce((/** @type {any} */ a, /** @type {any} */ b) =>
        a.throughput >= b.throughput ? a : b,
      );
      const points = new Map([
        [`${one.name}, tune 1`, pointOf(searches[0].answer.point)],
        [`${one.name}, tune 2`, pointOf(searches[1].answer.point)],
        [`${one.name}, grid's best`, pointOf(best)],
      ]);
      const runs = await inTurns(one, points, settings, context);
      measurements.push(...runs, ...shares(one.name, searches, grid), prediction(one, points, runs, costs));
      for (const [name, point] of points) series[name] = text(point);
      lines.push(gridLines(one.name, grid, searches));
    }
    return {
      settings: {
        'seconds of a point of the grid': settings.seconds,
        'warm-up before it': settings.warmUp,
        rounds: settings.rounds,
      },
      measurements,
      series,
      lines,
    };
  },
};

/** The grid between the two searches, so that a machine that grows slower or faster favours nobody. @param {typeof MIXES[number]} one @param {typeof FULL} settings @param {Context} context */
async function searchAndGrid({ name, mix }, settings, context) {
  const { workers, concurrency, seconds, warmUp } = settings;
  const args = [
    ...['--service-time', `${mix.serviceTime}ms`, '--cpu-time', `${mix.cpuTime}ms`],
    ...['--workers', workers, '--concurrency', concurrency, '--groups', '1'],
    ...['--seconds', `${seconds}s`, '--warm-up', `${warmUp}s`, '--repeats', '2'],
  ];
  const folder = (/** @type {string} */ kind) =>
    join(checkoutDir, '.local', 'tuning', `${name.replaceAll(' ', '-')}-${kind}`);
  const first = await tune(`${name}, tune 1`, args, folder('tune-1'), context);
  const grid = await tune(`${name}, grid`, [...args, '--grid'], folder('grid'), context);
  const second = await tune(`${name}, tune 2`, args, folder('tune-2'), context);
  if (!context.quick) {
    mkdirSync(join(resultsDir, 'tuning'), { recursive: true });
    copyFileSync(
      join(folder('tune-1'), 'report.html'),
      join(resultsDir, 'tuning', `${name.replaceAll(' ', '-')}.html`),
    );
  }
  return { grid, searches: [first, second] };
}

/**
 * Every point once a round. Points that are the same share their runs.
 * @param {typeof MIXES[number]} one @param {Map<string, Point>} points @param {typeof FULL} settings @param {Context} context
 */
async function inTurns({ mix }, points, { seconds, warmUp, rounds }, context) {
  const { stage, remove } = await openStage(mix, warmUp * 1_000, context);
  /** @type {Map<string, { series: string, point: Point, others: string[] }>} */
  const different = new Map();
  for (const [series, point] of points) {
    const same = different.get(text(point));
    if (same) same.others.push(series);
    else different.set(text(point), { series, point, others: [] });
  }
  let expected = 1_000;
  const entrants = [...different.values()].map(({ series, point }) => ({
    series,
    measure: async () => {
      const run = await stage.backlog(point, series, seconds * 1_000, expected, context.signal);
      expected = run.throughput;
      const wrong = run.failed > 0 ? [`expected no message to fail, got ${run.failed}`] : [];
      return { figures: { rate: run.throughput, delivery_p99: run.processing.p99 }, wrong };
    },
  }));
  const measured = await takeTurns(entrants, { rounds, progress: context.progress, signal: context.signal });
  await remove();
  return measured.flatMap((run) => [
    run,
    ...[...different.values()]
      .filter(({ series }) => series === run.series)
      .flatMap(({ others }) => others.map((series) => ({ ...run, series }))),
  ]);
}

/** @param {string} name @param {any[]} searches @param {any} grid */
function shares(name, searches, grid) {
  return [
    {
      series: `${name}, grid`,
      round: 1,
      wrong: [],
      figures: { seconds: grid.seconds, points: grid.measurements.length },
    },
    ...searches.map((search, index) => ({
      series: `${name}, searches`,
      round: index + 1,
      wrong: search.complete ? [] : ['expected a complete search'],
      figures: {
        seconds: search.seconds,
        points: search.measurements.length,
        time_share: search.seconds / grid.seconds,
      },
    })),
  ];
}

/** @param {typeof MIXES[number]} one @param {Map<string, Point>} points @param {import('../targets.cjs').Measurement[]} runs @param {any} costs */
function prediction({ name, mix }, points, runs, costs) {
  const series = `${name}, tune 1`;
  const point = /** @type {Point} */ (points.get(series));
  const rates = runs.filter((run) => run.series === series).map(({ figures }) => figures.rate ?? 0);
  const measured = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  const predicted = predict(point, mix, costs);
  return {
    series: `${name}, plan`,
    round: 1,
    wrong: [],
    // Never 0: the judge's means are geometric.
    figures: { predicted, off_by: Math.max(0.001, Math.abs(predicted / measured - 1)) },
  };
}

/** @param {string} name @param {any} grid @param {any[]} searches @returns {import('../line-chart.mjs').Lines} */
function gridLines(name, grid, searches) {
  const workers = [...new Set(grid.measurements.map((/** @type {Point} */ run) => run.workers))];
  return {
    title: `${name}: the grid`,
    x: 'C, messages in flight in a worker',
    y: 'messages a second',
    logX: true,
    series: workers.map((w) => ({
      name: `W ${w}`,
      points: grid.measurements
        .filter((/** @type {Point} */ run) => run.workers === w)
        .map((/** @type {any} */ run) => /** @type {const} */ ([run.concurrency, run.throughput])),
    })),
    marks: searches.map(({ answer: { point } }, index) => ({
      at: point.concurrency,
      label: `${index + 1}: W ${point.workers}`,
    })),
  };
}

/** @param {Point} point */
function pointOf({ workers, concurrency, poolSize, group }) {
  return { workers, concurrency, poolSize, group };
}

/** @param {Point} point */
function text({ workers, concurrency, poolSize }) {
  return `W ${workers} × C ${concurrency}, pool ${poolSize}`;
}
