// @ts-check
/** What it costs a message that the service can be looked at: metrics and the operators' page, and traces. */
import { join } from 'node:path';
import { drain, start } from '../contender.mjs';
import { warmUp } from '../drains.mjs';
import { service } from '../peers/contenders.mjs';
import { takeTurns } from '../rounds.mjs';
import { startCollector, watch } from '../watcher.mjs';
import { checkoutDir } from '../../scripts/services/checkout.mjs';

const ROUNDS = { quick: 2, full: 5 };

/** Long enough for a second scrape, and for some of what each process says every 2 s. */
const SECONDS = 5.5;
/** In full, for `MOST_EVENTS`. After 7,000 messages the processes that were started later took more; whether warmth is why is not known. */
const WARM_UP_SECONDS = { quick: 2, full: 20 };
const MOST_EVENTS = { quick: 12_000, full: 20_000 };

const require = (/** @type {string[]} */ ...path) => ({ NODE_OPTIONS: `--require=${join(checkoutDir, ...path)}` });
const traced = (/** @type {string} */ ratio) => ({
  ...require('dist', 'observability', 'tracing.js'),
  OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
  OTEL_TRACES_SAMPLER_ARG: ratio,
});

/** @typedef {{ name: string, what: string, env: NodeJS.ProcessEnv, watched?: boolean, only?: 'full' }} Variant */

const UNOBSERVED = 'no metrics, no telemetry';
const UNOBSERVED_AGAIN = 'no metrics, no telemetry, again';
const PLAIN = 'as it is, nobody looks';
const WATCHED = 'scraped, page open';

/** @type {Variant[]} */
const VARIANTS = [
  {
    name: UNOBSERVED,
    what: 'every instrument replaced by one that does nothing (bench/preload/unobserved.cjs)',
    env: require('bench', 'preload', 'unobserved.cjs'),
  },
  { name: WATCHED, what: 'scraped every 5 s, and an operator has the page open', env: {}, watched: true },
  { name: PLAIN, what: 'as it is deployed; tracing is not loaded', env: {}, only: 'full' },
  { name: 'tracing, ratio 0', what: 'tracing loaded, nothing sampled', env: traced('0') },
  { name: 'tracing, ratio 0.01', what: 'tracing loaded, one message in a hundred', env: traced('0.01'), only: 'full' },
  { name: 'tracing, ratio 1', what: 'tracing loaded, every message, over OTLP', env: traced('1') },
  {
    name: UNOBSERVED_AGAIN,
    what: 'as the first, in a process of its own that was started last: what the same costs twice',
    env: require('bench', 'preload', 'unobserved.cjs'),
    only: 'full',
  },
];

/** @type {import('../question.mjs').Question} */
export default {
  name: 'observability',
  asks: 'What does it cost a message that one can look?',
  minutes: 9,
  targets: [
    {
      name: 'worker CPU of a message, scraped and page open ÷ neither metrics nor page',
      of: WATCHED,
      against: UNOBSERVED,
      figure: 'worker_us',
      atMost: 1.03,
    },
    {
      name: 'all CPU of a message, scraped and page open ÷ neither metrics nor page',
      of: WATCHED,
      against: UNOBSERVED,
      figure: 'total_us',
      atMost: 1.03,
    },
  ],
  charts: [
    { title: 'CPU of one message', figures: ['worker_us', 'postgres_us', 'rabbitmq_us', 'api_us'], stacked: true },
    { title: 'Messages a second', figures: ['rate'] },
  ],
  async run(context) {
    const { quick, progress, signal, onExit } = context;
    const variants = VARIANTS.filter(({ only }) => !quick || only !== 'full');
    const collector = await startCollector();
    onExit('collector', collector.stop);
    const entrants = [];
    for (const variant of variants) entrants.push(await entrant(variant, collector.url, context));
    const rounds = quick ? ROUNDS.quick : ROUNDS.full;
    const measurements = await takeTurns(entrants, { rounds, progress, signal });
    if (collector.requests() === 0) throw new Error('Expected spans at the collector, got none.');
    return {
      settings: { rounds, 'seconds at most': SECONDS, 'messages at most': events(quick), 'seconds between scrapes': 5 },
      measurements,
      series: Object.fromEntries(variants.map(({ name, what }) => [name, what])),
    };
  },
};

const events = (/** @type {boolean} */ quick) => (quick ? MOST_EVENTS.quick : MOST_EVENTS.full);

/**
 * @param {Variant} variant
 * @param {string} collectorUrl
 * @param {import('../question.mjs').Context} context
 * @returns {Promise<import('../rounds.mjs').Entrant>}
 */
async function entrant({ name, env, watched }, collectorUrl, { quick, arenas, progress, signal, onExit }) {
  const contender = { ...service({ env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: collectorUrl } }), series: name };
  const running = await start(contender, await arenas.open(name), { signal });
  onExit(name, running.stop);
  const children = (/** @type {number} */ backlog) => Math.max(1, Math.round(backlog / 2));
  const rate = await progress.step(`warming up ${name}`, () =>
    warmUp(running, {
      most: events(quick),
      children,
      signal,
      seconds: quick ? WARM_UP_SECONDS.quick : WARM_UP_SECONDS.full,
    }),
  );
  const backlog = Math.min(events(quick), Math.round(rate * SECONDS));
  const run = () => drain(running, { events: backlog, children: children(backlog), signal, expectedSeconds: SECONDS });
  return { series: name, measure: watched ? () => measureWatched(running, run, signal) : run };
}

/**
 * The api that serves the page counts as well, in `total_us`. It lives for one run only: in the others it would still ask the database.
 * @param {import('../contender.mjs').Running} running
 * @param {() => ReturnType<typeof drain>} run
 * @param {AbortSignal} signal
 */
async function measureWatched(running, run, signal) {
  const watcher = await watch(running, signal);
  const result = await run().catch(async (error) => {
    await watcher.stop();
    throw error;
  });
  const { apiShare, states, scrapes } = await watcher.stop();
  const { events: messages = 1, seconds = 0, total_us: total } = result.figures;
  const api = (apiShare * seconds * 1e6) / messages;
  const unseen =
    states < 2 || scrapes < 1 ? [`expected 2 states and a scrape or more, got ${states} and ${scrapes}`] : [];
  return {
    figures: { ...result.figures, api_us: api, ...(total === undefined ? {} : { total_us: total + api }) },
    wrong: [...result.wrong, ...unseen],
  };
}
