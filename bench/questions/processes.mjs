// @ts-check
/** One process with a hundred messages in flight, or a hundred processes with one: rate, memory, start-up, and what a crash costs. */
import { setTimeout as delay } from 'node:timers/promises';
import { drain, start } from '../contender.mjs';
import { warmUp } from '../drains.mjs';
import { service } from '../peers/contenders.mjs';
import statistics from '../statistics.cjs';

/** @typedef {import('../question.mjs').Context} Context */

const SPLITS = [
  { processes: 1, concurrency: 100 },
  { processes: 2, concurrency: 50 },
  { processes: 10, concurrency: 10 },
  { processes: 100, concurrency: 1 },
];

/** The last one is worth trying only where it has a chance, MiB for each process, and connections. */
const LEAST_FREE_MIB = 150;
const SPARE_CONNECTIONS = 20;

const ROUNDS = { quick: 2, full: 3 };

/** A drain takes about so long: a hundred processes on two cores would need a minute for what one does in twenty seconds. */
const DRAIN_SECONDS = 15;

/** @type {import('../question.mjs').Question} */
export default {
  name: 'processes',
  asks: 'Few processes with many messages in flight, or many with few?',
  minutes: 8,
  targets: [],
  charts: [
    { title: 'Messages a second', figures: ['rate'] },
    { title: 'Memory of all processes', figures: ['memory_mib'] },
  ],
  async run(context) {
    const { quick, progress } = context;
    const splits = quick ? SPLITS.slice(0, 3) : SPLITS;
    /** @type {import('../targets.cjs').Measurement[]} */
    const measurements = [];
    /** @type {Record<string, string>} */
    const series = {};
    // One after the other, not in turns: together they would not fit into memory, and nothing is judged here.
    for (const split of splits) {
      const lacking = await whatIsLacking(split, context);
      if (lacking !== undefined) {
        progress.note(`left out, ${split.processes} × ${split.concurrency}: ${lacking}`);
        continue;
      }
      const name = `${split.processes} × ${split.concurrency}`;
      series[name] = `${split.processes} processes with ${split.concurrency} messages in flight each`;
      measurements.push(...(await measure(name, split, context)));
    }
    return {
      settings: { rounds: quick ? ROUNDS.quick : ROUNDS.full, 'messages of a drain, at most': events(quick) },
      measurements,
      series,
    };
  },
};

const events = (/** @type {boolean} */ quick) => (quick ? 2_000 : 20_000);

/** @param {string} name @param {(typeof SPLITS)[number]} split @param {Context} context */
async function measure(name, { processes, concurrency }, { quick, arenas, progress, signal }) {
  const pool = Math.min(10, concurrency);
  const contender = service({ processes, concurrency, env: { DATABASE_POOL_SIZE: String(pool) } });
  const arena = await arenas.open(name);
  const startedAt = performance.now();
  const running = await progress.step(`starting ${name}`, () => start(contender, arena, { signal }));
  const startSeconds = (performance.now() - startedAt) / 1000;
  try {
    const warmRate = await warmUp(running, {
      most: events(quick),
      children: (count) => Math.ceil(count / 2),
      signal,
      seconds: quick ? 2 : 5,
    });
    const backlog = Math.min(events(quick), Math.ceil(warmRate * DRAIN_SECONDS));
    const filling = { events: backlog, children: Math.ceil(backlog / 2), signal };
    /** @type {import('../targets.cjs').Measurement[]} */
    const runs = [];
    for (let round = 1; round <= (quick ? ROUNDS.quick : ROUNDS.full); round++) {
      const run = await drain(running, filling);
      progress.note(`${name}  ${run.figures.rate?.toFixed(0)} msg/s`);
      runs.push({ series: name, round, wrong: run.wrong, figures: { ...run.figures, start_seconds: startSeconds } });
    }
    const usual = statistics.median(runs.map(({ figures }) => figures.seconds ?? 0));
    const crashed = drain(running, filling);
    crashed.catch(() => undefined); // awaited below; until then nobody would listen
    // Half of the messages are done by then; what the process had in flight is delivered again, and somebody takes its place.
    const killed = running.processes[0];
    await untilHalfDone(arena, filling.events, signal);
    process.kill(killed?.pid ?? 0, 'SIGKILL');
    const replacement = await start({ ...contender, processes: 1 }, arena, { signal });
    running.processes[0] = /** @type {import('../../scripts/processes.mjs').KnownProcess} */ (replacement.processes[0]);
    // The killed process took its CPU time along, so there are no figures of it.
    const { figures, wrong } = await crashed;
    const { rate = 0, seconds = 0, events: messages = 0 } = figures;
    await replacement.stop();
    runs.push({
      series: `${name}, one killed`,
      round: 1,
      wrong,
      figures: { rate, seconds, events: messages, crash_seconds: seconds - usual },
    });
    progress.note(`${name}  a crash took ${(seconds - usual).toFixed(1)} s`);
    return runs;
  } finally {
    await running.stop();
    await arenas.close(arena);
  }
}

/** @param {import('../arena.mjs').Arena} arena @param {number} events @param {AbortSignal} signal */
async function untilHalfDone({ channel, queue }, events, signal) {
  // It is filled first, so the queue grows before it shrinks.
  for (let most = 0; ;) {
    const { messageCount } = await channel.checkQueue(queue);
    most = Math.max(most, messageCount);
    if (most > 0.9 * events && messageCount < events / 2) return;
    await delay(10, undefined, { signal });
  }
}

/** @param {(typeof SPLITS)[number]} split @param {Context} context @returns {Promise<string | undefined>} */
async function whatIsLacking({ processes, concurrency }, { arenas }) {
  const { freemem } = await import('node:os');
  const free = freemem() / 2 ** 20;
  if (free < processes * LEAST_FREE_MIB)
    return `expected ${processes * LEAST_FREE_MIB} MiB of free memory, got ${free.toFixed(0)}`;
  const wanted = processes * (Math.min(10, concurrency) + 1) + SPARE_CONNECTIONS;
  const allowed = await arenas.connections();
  return allowed < wanted ? `expected ${wanted} connections to PostgreSQL, got ${allowed}` : undefined;
}
