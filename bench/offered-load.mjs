// @ts-check
/** Messages that arrive at a steady rate, whether or not the contender keeps up: what it cannot do waits, and its waiting counts. */
import { readFileSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { perMessage, start, startMeter } from './contender.mjs';
import { warmUp } from './drains.mjs';
import statistics from './statistics.cjs';
import { conversationId, messageBody } from './workload.cjs';

/** How long the last messages may take once no more arrive, milliseconds. */
const PATIENCE_MS = 60_000;

/** Children among whom the conversations are spread. */
const CHILDREN = 1_000;

/** Before it is measured, a contender drains backlogs of at most so many messages. */
const WARM_UP_BACKLOG = 5_000;

/**
 * Accepts conversations as the api does (stored and committed, then published and confirmed) and waits until all are settled.
 * From its acceptance to its commit is what the rows say; from its delivery to its commit is what the worker itself has measured and logged.
 * @param {import('./contender.mjs').Running} running
 * @param {{ rate: number, seconds: number, signal: AbortSignal }} options rate: a second
 * @returns {Promise<{ figures: Record<string, number>, wrong: string[] }>}
 */
export async function offer(running, { rate, seconds, signal }) {
  const { arena } = running;
  const events = Math.round(rate * seconds);
  await (await arena.fill({ events: 0, children: CHILDREN })).begin();
  const logged = running.logs.map((log) => statSync(log).size);
  const meter = startMeter(running);
  const startedAt = performance.now();
  /** @type {Promise<unknown>[]} */
  const accepted = [];
  for (let i = 1; i <= events; i++) {
    const due = startedAt + (i * 1000) / rate;
    // Timers are late by a millisecond or so; whoever is late catches up, so the rate holds.
    if (due - performance.now() > 1) await delay(due - performance.now(), undefined, { signal });
    accepted.push(accept(arena, i));
  }
  await Promise.all(accepted);
  await arena.whenSettled({ from: 1, to: events }, { signal, timeoutMs: PATIENCE_MS });
  const used = meter();

  const { rows } = await arena.database.query(
    'SELECT extract(epoch FROM processed_at - accepted_at)::float8 * 1000 AS milliseconds FROM conversation_events',
  );
  const acceptance = rows.map(({ milliseconds }) => milliseconds);
  const delivery = running.logs.flatMap((log, index) => processingTimes(log, logged[index] ?? 0));
  const wrong = await arena.check(events);
  // A program that does not say how long it took has no such figure; one that says it for some has a fault.
  if (delivery.length !== events) wrong.push(`expected ${events} processing times in the log, got ${delivery.length}`);
  return {
    figures: {
      ...percentiles('delivery', delivery),
      ...percentiles('acceptance', acceptance),
      events,
      ...perMessage(used, events),
    },
    wrong,
  };
}

/** A contender says how long each message took at this level, or when it is asked to. */
const REPORTING = { LOG_LEVEL: 'debug', BENCH_LATENCY: '1' };

/** @param {{ series: string }} contender @param {number} rate messages a second @returns {string} the series of its latency at this rate */
export function at({ series }, rate) {
  return `${series}, ${rate}/s`;
}

/**
 * Starts contenders that report, warm, each with an entrant for every rate.
 * @param {readonly import('./contender.mjs').Contender[]} contenders
 * @param {{ loads: readonly { rate: number, seconds: number }[], most?: Map<string, number> }} options most: messages a second that a series keeps up with
 * @param {import('./question.mjs').Context} context
 * @returns {Promise<import('./rounds.mjs').Entrant[]>}
 */
export async function latencyEntrants(
  contenders,
  { loads, most = new Map() },
  { quick, arenas, progress, signal, onExit },
) {
  const entrants = [];
  for (const contender of contenders) {
    const reporting = { ...contender, series: `${contender.series} latency`, env: { ...contender.env, ...REPORTING } };
    const running = await start(reporting, await arenas.open(reporting.series), { signal });
    onExit(reporting.series, running.stop);
    // A backlog warms it sooner than a steady load would.
    await progress.step(`warming up ${reporting.series}`, () =>
      warmUp(running, { most: WARM_UP_BACKLOG, children: () => CHILDREN, signal, seconds: quick ? 1 : 4 }),
    );
    for (const { rate, seconds } of loads.filter(({ rate }) => rate <= (most.get(contender.series) ?? Infinity)))
      entrants.push({ series: at(contender, rate), measure: () => offer(running, { rate, seconds, signal }) });
  }
  return entrants;
}

/** @param {import('./arena.mjs').Arena} arena @param {number} i */
async function accept(arena, i) {
  await arena.storeOne(i, CHILDREN);
  const options = { persistent: true, messageId: conversationId(i), contentType: 'application/json' };
  await new Promise((resolve, reject) => {
    arena.channel.sendToQueue(arena.queue, messageBody(i, CHILDREN), options, (error) =>
      error ? reject(error) : resolve(undefined),
    );
  });
}

/** What the worker has logged since: `"processing_ms"` of each line that says "processed". @param {string} log @param {number} from @returns {number[]} */
function processingTimes(log, from) {
  return readFileSync(log)
    .subarray(from)
    .toString()
    .split('\n')
    .filter((line) => line.includes('"msg":"processed"'))
    .map((line) => JSON.parse(line).processing_ms);
}

/** @param {string} name @param {readonly number[]} values */
function percentiles(name, values) {
  if (values.length === 0) return {};
  // The clocks of two processes may differ by less than they can tell: nothing takes no time at all.
  const of = (/** @type {number} */ part) => Math.max(0.05, statistics.quantile(values, part));
  return { [`${name}_p50`]: of(0.5), [`${name}_p95`]: of(0.95), [`${name}_p99`]: of(0.99) };
}
