// @ts-check
/** Whether it stays as fast as on the first day: with a long past, with many children, with one very busy child, with a huge backlog. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { drain, start } from '../contender.mjs';
import { warmUp } from '../drains.mjs';
import { loadHistory } from '../history.mjs';
import { service } from '../peers/contenders.mjs';
import { residentMemory } from '../processor-time.mjs';
import { takeTurns } from '../rounds.mjs';
import statistics from '../statistics.cjs';
import { checkoutDir } from '../../scripts/services/checkout.mjs';

const built = createRequire(import.meta.url);

const ROUNDS = { quick: 2, full: 7 };
const THOUSAND = 1_000;
const MILLION = 1_000_000;

/** Messages of a drain: ten seconds of a commit for each message, as in `throughput`. */
const DRAIN = 10 * THOUSAND;

const PER_MESSAGE = service({ concurrency: 10 });
const GROUPED = service({ concurrency: 300, group: 100 });

/** @typedef {{ name: string, stored: number, children: number, contender: import('../contender.mjs').Contender }} Past */

const past = (/** @type {number} */ stored, /** @type {number} */ children, contender = PER_MESSAGE) => {
  const count = (/** @type {number} */ value) => value.toLocaleString('en-US');
  return {
    name: `${contender.series}: ${count(stored)} events of ${count(children)} children`,
    stored,
    children,
    contender,
  };
};

const YOUNG = past(10 * THOUSAND, 10 * THOUSAND);
const OLD = past(MILLION, MILLION);
const SPREAD_OUT = { ...past(0, 10 * THOUSAND, GROUPED), name: 'grouped: 10,000 children' };
const BUSY_CHILD = { ...past(0, 1, GROUPED), name: 'grouped: one busy child' };
const BUSY_CHILD_ALONE = { ...past(0, 1, PER_MESSAGE), name: 'per-message: one busy child' };
const BACKLOG = 'grouped: the whole backlog';

/** A larger past is loaded once and grows by the runs; a smaller one would be another one afterwards. */
const RELOADED_UP_TO = 100 * THOUSAND;

/** @type {readonly import('../targets.cjs').Target[]} */
const TARGETS = [
  {
    name: '5. rate with 1 million events and children ÷ with 10 thousand',
    of: OLD.name,
    against: YOUNG.name,
    figure: 'rate',
    atLeast: 0.85,
  },
  {
    name: '5. worker memory while a backlog of a million drains, means of its tenths, most ÷ least',
    of: BACKLOG,
    figure: 'memory_spread',
    atMost: 1.1 / 0.9,
  },
  {
    name: '5. grouped rate of one busy child ÷ of 10,000',
    of: BUSY_CHILD.name,
    against: SPREAD_OUT.name,
    figure: 'rate',
    atLeast: 0.75,
  },
];

/** @type {import('../question.mjs').Question} */
export default {
  name: 'growth',
  asks: 'Does it stay as fast as on the first day?',
  minutes: 17,
  targets: TARGETS,
  charts: [
    { title: 'Messages a second', figures: ['rate'] },
    { title: 'CPU of one message', figures: ['worker_us', 'postgres_us', 'rabbitmq_us'], stacked: true },
  ],
  async run(context) {
    const { quick, progress, signal } = context;
    const scale = quick ? 0.02 : 1;
    const pasts = [
      past(10 * THOUSAND, 10),
      YOUNG,
      past(100 * THOUSAND, 10 * THOUSAND),
      past(MILLION, 10 * THOUSAND),
      OLD,
      SPREAD_OUT,
      BUSY_CHILD,
      BUSY_CHILD_ALONE,
    ];
    const entrants = [];
    for (const one of pasts) entrants.push(await entrant(one, scale, context));
    const rounds = quick ? ROUNDS.quick : ROUNDS.full;
    const measurements = await takeTurns(entrants, { rounds, targets: TARGETS, progress, signal });
    const backlog = await wholeBacklog(Math.round(MILLION * scale), context);
    return {
      settings: { rounds, scale, 'messages of a drain': DRAIN * scale, 'whole backlog': MILLION * scale },
      measurements: [...measurements, { series: BACKLOG, round: 1, ...backlog }],
      series: {
        ...Object.fromEntries(pasts.map(({ name, contender }) => [name, contender.what])),
        [BACKLOG]: GROUPED.what,
      },
    };
  },
};

/**
 * @param {Past} past
 * @param {number} scale
 * @param {import('../question.mjs').Context} context
 * @returns {Promise<import('../rounds.mjs').Entrant>}
 */
async function entrant({ name, stored, children, contender }, scale, { arenas, progress, signal, onExit }) {
  const { foldIntoFriendshipStatus: fold } = built(
    join(checkoutDir, 'dist', 'friendship-status', 'friendship-fold.sql.js'),
  );
  const arena = await arenas.open(name);
  const running = await start(contender, arena, { signal });
  onExit(name, running.stop);
  const events = Math.max(1, Math.round(DRAIN * scale));
  const history = {
    events: Math.round(stored * scale),
    children: Math.max(1, Math.min(children, Math.round(children * scale) || 1)),
    fold,
    signal,
  };
  await progress.step(`warming up ${name}`, () =>
    warmUp(running, { most: events, children: () => history.children, signal, seconds: 3 }),
  );
  /** Numbers used so far; undefined: the next run begins anew. @type {number | undefined} */
  let after;
  const begin = async () => {
    await (await arena.fill({ events: 0, children: 1 })).begin();
    await loadHistory(arena, history);
    after = 0;
  };
  if (stored > RELOADED_UP_TO) await progress.step(`storing ${name}`, begin);
  return {
    series: name,
    async measure() {
      if (stored > 0 && stored <= RELOADED_UP_TO) await begin();
      const settled = history.events + (after ?? 0) + events;
      const result = await drain(running, { events, children: history.children, after, signal, settled });
      if (after !== undefined) after += events;
      return result;
    },
  };
}

/** One long drain, with the worker's memory all along. @param {number} events @param {import('../question.mjs').Context} context */
async function wholeBacklog(events, { arenas, progress, signal, onExit }) {
  const arena = await arenas.open('backlog');
  const running = await start(GROUPED, arena, { signal });
  onExit(GROUPED.series, running.stop);
  await warmUp(running, { most: 20_000, children: () => 10_000, signal, seconds: 5 });
  /** @type {number[]} */
  const memory = [];
  let drained = false;
  let most = 0;
  const watch = setInterval(async () => {
    // Sampled while the queue shrinks: while it fills, the worker is idle and its heap shrinks too.
    const { messageCount } = await arena.channel.checkQueue(arena.queue);
    most = Math.max(most, messageCount);
    if (drained || messageCount === 0 || messageCount >= 0.95 * most) return;
    memory.push(running.processes.reduce((sum, { pid }) => sum + residentMemory(pid), 0));
  }, MEMORY_MS);
  try {
    const result = await progress.step(`draining ${events.toLocaleString('en-US')} messages`, () =>
      drain(running, {
        events,
        children: Math.max(1, Math.round(events / 100)),
        signal,
        expectedSeconds: events / 500,
      }),
    );
    drained = true;
    /** @type {Record<string, number>} */
    const spread = memory.length >= PARTS ? { memory_spread: spreadOfMeans(memory) } : {};
    return { ...result, figures: { ...result.figures, ...spread } };
  } finally {
    clearInterval(watch);
  }
}

const MEMORY_MS = 100;

/** The drain is cut into so many parts. What the collector has not taken yet goes up and down by half within seconds; a mean shows a trend. */
const PARTS = 10;

/** @param {readonly number[]} samples @returns {number} the highest mean of a part over the lowest */
function spreadOfMeans(samples) {
  const means = Array.from({ length: PARTS }, (_, part) => {
    const [from, to] = [part, part + 1].map((edge) => Math.round((samples.length * edge) / PARTS));
    return statistics.geometricMean(samples.slice(from, to)).value;
  });
  return Math.max(...means) / Math.min(...means);
}
