// @ts-check
/**
 * One worker that finds its C, beside workers whose C is pinned: from 1 on with an external service of 200 ms, when that becomes four
 * times slower, when PostgreSQL does, and what adapting costs where there is nothing to adapt to.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Link } from '../../test/chaos/link.mjs';
import statistics from '../statistics.cjs';
import { openStage } from '../tuner.mjs';

/** @typedef {import('../question.mjs').Context} Context */
/** @typedef {import('../targets.cjs').Measurement} Measurement */

const SERVICE_MS = 200;
const SLOWER = 4;
/** Each way between the worker and PostgreSQL, milliseconds. */
const DATABASE_DELAY_MS = 10;
const POOL = 10;

const PINNED = [100, 200, 400];
const PINNED_SLOWER = [400, 800];
const PINNED_SHORT = [10, 50, 100];
const PINNED_SLOW_DATABASE = [50, 100, 150, 200];
/** Of the fastest pinned run: the least C that does this much of it is the best, since more only wait longer. */
const KNEE = 0.9;

const FULL = { short: 60, rise: 60, slower: 60, database: 40, before: 20, window: 6, warm: 3, pairs: 9, backOff: 10 };
const QUICK = { short: 20, rise: 25, slower: 20, database: 20, before: 6, window: 3, warm: 2, pairs: 1, backOff: 8 };

/** The end of a phase, over which its rate is taken, seconds. */
const END = 20;

const COST_CONCURRENCY = 50;
/** Posts a second to each of the two, of the 250 a second that C = 50 could take. */
const STEADY_RATE = 120;
const STEADY_WARM_UP_MS = 8_000;
const STEADY_WINDOW_MS = 12_000;

/** @type {import('../question.mjs').Question} */
export default {
  name: 'adaptive',
  asks: 'Does an adaptive worker find its concurrency, and what does that cost?',
  minutes: 11,
  targets: [
    {
      name: '200 ms external, from C = 1: seconds until 0.9 of the pinned best, kept for three',
      of: 'adaptive, 200 ms',
      figure: 'seconds_to',
      atMost: 60,
    },
    {
      name: '200 ms external, from C = 1: rate after 40 to 60 s ÷ pinned best',
      of: 'adaptive, 200 ms',
      against: 'pinned best, 200 ms',
      figure: 'rate',
      // A rung lower is 315 where 400 is best, and a busy neighbour of the machine lasts up to twenty seconds.
      atLeast: 0.8,
    },
    {
      name: 'nothing but the database, from C = 1: rate after 40 to 60 s ÷ pinned best',
      of: 'adaptive, no service',
      against: 'pinned best, no service',
      figure: 'rate',
      // A step that seems to gain less than it must (GAIN in concurrency-decision.ts) is not taken, and a look is off by more than that:
      // simulated with the noise as it was seen, two runs in a hundred are below this.
      atLeast: 0.7,
    },
    {
      name: 'four times slower in mid-run: rate after 40 to 60 s ÷ pinned best',
      of: 'adaptive, 800 ms',
      against: 'pinned best, 800 ms',
      figure: 'rate',
      atLeast: 0.9,
    },
    {
      name: 'database slowed, from 10 s on: rate ÷ pinned best',
      of: 'adaptive, slow database',
      against: 'pinned best, slow database',
      figure: 'rate',
      // A rung lower may cost 7 %, and so do the looks for whether it would.
      atLeast: 0.85,
    },
    {
      name: 'database slowed, from 10 s on: p99 ÷ pinned best',
      of: 'adaptive, slow database',
      against: 'pinned best, slow database',
      figure: 'delivery_p99',
      atMost: 2,
    },
    {
      name: 'steady load: CPU of the worker for a message, adaptive ÷ pinned',
      of: 'adaptive, steady',
      against: 'pinned, steady',
      figure: 'worker_us',
      atMost: 1.03,
    },
  ],
  charts: [],
  async run(context) {
    const settings = context.quick ? QUICK : FULL;
    const external = await atExternalService(settings, context);
    const short = await withoutService(settings, context);
    const database = await atSlowDatabase(settings, external.best, context);
    const cost = await atSteadyLoad(settings, context);
    return {
      settings: {
        external_ms: SERVICE_MS,
        slower: SLOWER,
        pool: POOL,
        workers: 1,
        database_delay_ms: DATABASE_DELAY_MS,
      },
      measurements: [...external.measurements, ...short.measurements, ...database.measurements, ...cost],
      lines: [...external.lines, ...short.lines, ...database.lines],
    };
  },
};

const adaptive = (/** @type {number} */ most) => ({
  CONCURRENCY_MODE: 'adaptive',
  CONCURRENCY_MIN: '1',
  CONCURRENCY_MAX: String(most),
  RABBITMQ_CHANNELS: '1',
});

const at = (/** @type {number} */ concurrency) => ({ workers: 1, concurrency, poolSize: POOL, group: 1 });

/** @param {typeof FULL} settings @param {Context} context */
async function atExternalService({ rise, slower, window, warm }, context) {
  const { progress, signal } = context;
  const { stage, remove } = await openStage({ serviceTime: SERVICE_MS, cpuTime: 0 }, 0, context);
  const pinned = (/** @type {number} */ concurrency, /** @type {number} */ factor) =>
    pinnedRun(stage, { concurrency, window, warm: warm * Math.sqrt(factor), factor }, context);
  const fast = [];
  for (const concurrency of PINNED) fast.push(await pinned(concurrency, 1));
  const watched = await progress.step('adaptive from C = 1, then slower', () =>
    stage.underLoad(
      at(1),
      500,
      signal,
      async (/** @type {any[]} */ [worker], /** @type {AbortSignal} */ stop) => {
        const since = Date.now();
        await delay(rise * 1_000, undefined, { signal: stop });
        worker.setServiceTime(SERVICE_MS * SLOWER);
        await delay(slower * 1_000, undefined, { signal: stop });
        return timeline(worker, since, 1);
      },
      adaptive(1_000),
    ),
  );
  const best = fastest(fast);
  fast.push(await pinned(best.concurrency, 1));
  const slow = [];
  for (const concurrency of PINNED_SLOWER) slow.push(await pinned(concurrency, SLOWER));
  await remove();
  const end = (/** @type {number} */ second) => over(watched, second - Math.min(END, rise / 3), second);
  const bestSlow = fastest(slow);
  const again = fast.filter((run) => run.concurrency === best.concurrency);
  /** @type {Measurement[]} */
  const measurements = [
    ...[...fast.map((run) => ({ run, ms: SERVICE_MS })), ...slow.map((run) => ({ run, ms: SERVICE_MS * SLOWER }))].map(
      ({ run, ms }) => measurement(`pinned C=${run.concurrency}, ${ms} ms`, run),
    ),
    measurement('pinned best, 200 ms', mean(again)),
    measurement('adaptive, 200 ms', { ...end(rise), ...reached(watched, 0, rise, 0.9 * mean(again).rate) }),
    measurement('pinned best, 800 ms', bestSlow),
    measurement('adaptive, 800 ms', {
      ...end(rise + slower),
      ...reached(watched, rise, rise + slower, 0.9 * bestSlow.rate),
    }),
  ];
  const marks = [{ at: rise, label: 'external service four times slower' }];
  return {
    best: best.concurrency,
    measurements,
    lines: [
      chartOf('From C = 1, then the external service slower: C', 'messages in flight', watched, 'concurrency', marks),
      chartOf('The same run: throughput', 'messages a second', watched, 'rate', marks),
    ],
  };
}

/**
 * Messages of a few milliseconds are on their way to and from the broker for most of their time.
 * @param {typeof FULL} settings @param {Context} context
 */
async function withoutService({ short, window, warm }, context) {
  const { progress, signal } = context;
  const { stage, remove } = await openStage({ serviceTime: 0, cpuTime: 0 }, 0, context);
  const pinnedAt = (/** @type {number} */ concurrency) =>
    pinnedRun(stage, { concurrency, window: 2 * window, warm: 2 * warm, factor: 0 }, context);
  const pinned = [];
  for (const concurrency of PINNED_SHORT) pinned.push(await pinnedAt(concurrency));
  const watched = await progress.step('adaptive from C = 1, no service', () =>
    stage.underLoad(
      at(1),
      5_000,
      signal,
      async (/** @type {any[]} */ [worker], /** @type {AbortSignal} */ stop) => {
        const since = Date.now();
        await delay(short * 1_000, undefined, { signal: stop });
        return timeline(worker, since, 1);
      },
      adaptive(1_000),
    ),
  );
  // Before it and after it: the machine's speed changes by a third within minutes, and the fastest of three is so by chance as well.
  const { concurrency } = fastest(pinned);
  pinned.push(await pinnedAt(concurrency));
  await remove();
  return {
    measurements: [
      ...pinned.map((run) => measurement(`pinned C=${run.concurrency}, no service`, run)),
      measurement('pinned best, no service', mean(pinned.filter((run) => run.concurrency === concurrency))),
      measurement('adaptive, no service', over(watched, short - Math.min(END, short / 3), short)),
    ],
    lines: [
      chartOf('From C = 1, nothing but the database: C', 'messages in flight', watched, 'concurrency', []),
      chartOf('The same run: throughput', 'messages a second', watched, 'rate', []),
    ],
  };
}

/** @param {typeof FULL} settings @param {number} concurrency to begin with @param {Context} context */
async function atSlowDatabase({ before, database, window, warm, backOff }, concurrency, context) {
  const { progress, signal } = context;
  const { stage, remove } = await openStage({ serviceTime: SERVICE_MS, cpuTime: 0 }, 0, context);
  const link = await new Link(() => Number(new URL(stage.databaseUrl).port)).listen();
  context.onExit('the slow way to PostgreSQL', async () => link.close());
  const through = { DATABASE_URL: link.through(stage.databaseUrl) };
  const watched = await progress.step('adaptive, then PostgreSQL slowed', () =>
    stage.underLoad(
      at(concurrency),
      2_000,
      signal,
      async (/** @type {any[]} */ [worker], /** @type {AbortSignal} */ stop) => {
        const since = Date.now();
        await delay(before * 1_000, undefined, { signal: stop });
        link.slow(DATABASE_DELAY_MS);
        await delay(database * 1_000, undefined, { signal: stop });
        return timeline(worker, since, concurrency);
      },
      { ...adaptive(1_000), ...through },
    ),
  );
  const pinned = [];
  for (const c of PINNED_SLOW_DATABASE)
    pinned.push(await pinnedRun(stage, { concurrency: c, window, warm, factor: 1, variables: through }, context));
  await remove();
  const best = knee(pinned);
  const marks = [{ at: before, label: `PostgreSQL ${2 * DATABASE_DELAY_MS} ms further away` }];
  return {
    measurements: [
      ...pinned.map((run) => measurement(`pinned C=${run.concurrency}, slow database`, run)),
      measurement('pinned best, slow database', best),
      measurement('adaptive, slow database', over(watched, before + backOff, before + database)),
      measurement('adaptive, slow database, back-off included', over(watched, before, before + database)),
    ],
    lines: [
      chartOf('PostgreSQL slowed: C', 'messages in flight', watched, 'concurrency', marks),
      chartOf('The same run: throughput', 'messages a second', watched, 'rate', marks),
      chartOf('The same run: p99 of the processing time', 'milliseconds', watched, 'p99', marks),
    ],
  };
}

/**
 * Both at the same time, each with an api and queues of its own: whatever the machine does, it does to both. Each pair is of new
 * processes. Posts come at a rate, as children talk: fifty messages that are taken from a backlog at once end at once, for as long as
 * they stay in step, and then cost up to a tenth less; which of two workers stays in step longer is luck.
 * @param {typeof FULL} settings @param {Context} context
 */
async function atSteadyLoad({ pairs }, context) {
  const { progress, signal } = context;
  const mix = { serviceTime: SERVICE_MS, cpuTime: 0 };
  const contenders = [
    { series: 'pinned, steady', variables: {}, ...(await openStage(mix, STEADY_WARM_UP_MS, context)) },
    {
      series: 'adaptive, steady',
      variables: adaptive(COST_CONCURRENCY),
      ...(await openStage(mix, STEADY_WARM_UP_MS, context)),
    },
  ];
  /** @type {Measurement[]} */
  const measurements = [];
  for (let round = 1; round <= pairs; round++) {
    const figures = await Promise.all(
      contenders.map(async ({ stage, series, variables }) => {
        const found = await stage.atRate(
          at(COST_CONCURRENCY),
          series,
          STEADY_WINDOW_MS,
          STEADY_RATE,
          signal,
          variables,
        );
        return { worker_us: (1_000_000 * found.cpu.workers) / found.throughput, rate: found.throughput };
      }),
    );
    progress.note(`pair ${round}: CPU of a message ${figures.map((f) => f.worker_us.toFixed(0)).join(', ')} µs`);
    for (const [index, { series }] of contenders.entries())
      measurements.push({ series, round, wrong: [], figures: figures[index] ?? {} });
  }
  for (const { remove } of contenders) await remove();
  return measurements;
}

/**
 * @param {any} stage
 * @param {{ concurrency: number, window: number, warm: number, factor: number, variables?: Record<string, string> }} options
 * @param {Context} context
 */
async function pinnedRun(stage, { concurrency, window, warm, factor, variables = {} }, { progress, signal }) {
  const found = await stage.underLoad(
    at(concurrency),
    1_000,
    signal,
    async (/** @type {any[]} */ [worker], /** @type {AbortSignal} */ stop) => {
      worker.setServiceTime(SERVICE_MS * factor);
      await delay((warm + (factor > 1 ? 1 : 0)) * 1_000, undefined, { signal: stop });
      const since = Date.now();
      await delay(window * 1_000, undefined, { signal: stop });
      return over(timeline(worker, since, concurrency), 0, window);
    },
    variables,
  );
  progress.note(`pinned C ${concurrency}: ${found.rate.toFixed(0)}/s, p99 ${found.delivery_p99.toFixed(0)} ms`);
  return { ...found, concurrency };
}

/** @typedef {{ at: number, rate: number, concurrency: number, p99: number, times: number[] }} Moment at: seconds */

/** What the worker said five times a second, as one moment for each of its reports. @param {any} worker @param {number} since @param {number} concurrency at first @returns {Moment[]} */
function timeline(worker, since, concurrency) {
  const changes = readFileSync(worker.log, 'utf8')
    .split('\n')
    .filter((line) => line.includes('"concurrency changed"'))
    .map((line) => JSON.parse(line))
    .map(({ time, to }) => ({ at: Date.parse(time), to }));
  const reports = worker.reports.filter((/** @type {any} */ report) => report.at >= since);
  // Several reports make a moment: a line of five a second is all noise.
  const moments = [];
  for (let index = 5; index < reports.length; index += 5) {
    const [from, to] = [reports[index - 5], reports[index]];
    const times = reports.slice(index - 4, index + 1).flatMap((/** @type {any} */ report) => report.times);
    moments.push({
      at: (to.at - since) / 1_000,
      rate: (1_000 * (to.done - from.done)) / (to.at - from.at),
      concurrency: changes.findLast((change) => change.at <= to.at)?.to ?? concurrency,
      p99: times.length > 0 ? statistics.quantile(times, 0.99) : 0,
      times,
    });
  }
  return moments;
}

/** @param {readonly Moment[]} moments @param {number} from @param {number} to seconds */
function over(moments, from, to) {
  const inside = moments.filter((moment) => moment.at > from && moment.at <= to + 0.5);
  const times = inside.flatMap((moment) => moment.times);
  return {
    rate: inside.reduce((sum, { rate }) => sum + rate, 0) / inside.length,
    delivery_p50: statistics.quantile(times, 0.5),
    delivery_p99: statistics.quantile(times, 0.99),
    in_flight: inside.at(-1)?.concurrency ?? 0,
  };
}

/** Seconds from `from` until a rate is reached and kept for three seconds in the mean; no figure where it is not. @param {readonly Moment[]} moments @param {number} from @param {number} to @param {number} rate @returns {Record<string, number>} */
function reached(moments, from, to, rate) {
  // What ends in the first two seconds began before.
  const inside = moments.filter((moment) => moment.at > (from === 0 ? 0 : from + 2) && moment.at <= to);
  const found = inside.find((_, index) => {
    const three = inside.slice(index, index + 3);
    return three.length === 3 && three.reduce((sum, one) => sum + one.rate, 0) / 3 >= rate;
  });
  return found ? { seconds_to: found.at - from } : {};
}

/** @template {{ rate: number }} T @param {T[]} runs @returns {T} */
function fastest(runs) {
  return runs.reduce((best, run) => (run.rate > best.rate ? run : best));
}

/** @template {{ rate: number, concurrency: number }} T @param {T[]} runs by rising C @returns {T} */
function knee(runs) {
  const { rate } = fastest(runs);
  return runs.find((run) => run.rate >= KNEE * rate) ?? fastest(runs);
}

/** @param {{ rate: number, delivery_p99: number, concurrency: number }[]} runs */
function mean(runs) {
  const of = (/** @type {'rate' | 'delivery_p99' | 'concurrency'} */ name) =>
    runs.reduce((sum, run) => sum + run[name], 0) / runs.length;
  return { rate: of('rate'), delivery_p99: of('delivery_p99'), in_flight: of('concurrency') };
}

/** @param {string} series @param {Record<string, number>} figures @returns {Measurement} */
function measurement(series, { concurrency: _, ...figures }) {
  return { series, round: 1, wrong: [], figures };
}

/**
 * @param {string} title @param {string} y @param {readonly Moment[]} moments
 * @param {'rate' | 'concurrency' | 'p99'} figure @param {{ at: number, label: string }[]} marks
 * @returns {import('../line-chart.mjs').Lines}
 */
function chartOf(title, y, moments, figure, marks) {
  const points = moments.map((moment) => /** @type {const} */ ([moment.at, moment[figure]]));
  return { title, x: 'seconds', y, series: [{ name: y, points }], marks };
}
