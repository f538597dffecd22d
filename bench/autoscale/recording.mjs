// @ts-check
/** What a run was like over its seconds, and the figures that are told of it. */
import { chart } from './chart.mjs';
import { callsOf, heldFor, idleBesideHeld } from './calls.mjs';
import { firstMessageAfter } from './workers.mjs';

/** Rates are means over so many seconds. */
const RATE_SPAN = 2;

/** @typedef {{ at: number, ready: number | undefined, unacked: number | undefined, replicas: number, readyWorkers: number, draining: number }} Sample at: Unix time, milliseconds */
/** @typedef {{ accepted: number, processed: number | null }} EventTimes Unix time, milliseconds */
/** @typedef {{ begin: number, burst: number, base: number, end: number }} Phases Unix time at which each begins, milliseconds */

const TIMES = `SELECT (extract(epoch FROM accepted_at) * 1000)::float8 AS accepted, (extract(epoch FROM processed_at) * 1000)::float8 AS processed
                 FROM conversation_events`;

/** @param {import('pg').Pool} database @returns {Promise<EventTimes[]>} */
export async function eventTimes(database) {
  return (await database.query(TIMES)).rows;
}

/** @param {Sample} sample */
const length = ({ ready = 0, unacked = 0 }) => ready + unacked;

/**
 * The longest that the queue was before the burst, and when it was no longer than that again.
 * @param {Sample[]} samples @param {Phases} phases @param {number} inHand what the least workers hold when they are busy: that is no queue
 */
export function absorption(samples, { burst, base }, inHand) {
  const known = samples.filter(({ ready }) => ready !== undefined);
  const baseLevel = Math.max(inHand, ...known.filter(({ at }) => at < burst).map(length));
  const back = known.find((sample) => sample.at >= base && length(sample) <= baseLevel);
  return {
    baseLevel,
    longest: Math.max(0, ...known.map(length)),
    /** After the burst; null: not as long as was looked. */
    seconds: back ? tenths((back.at - base) / 1_000) : null,
  };
}

/**
 * @param {import('./workers.mjs').Worker[]} workers @param {number} firstReplicas that were there before the load
 */
export function howWorkersFared(workers, firstReplicas) {
  const known = workers.map(({ log, readyAt = Infinity, toldAt = Infinity }) => ({
    readyAt,
    stoppedAt: toldAt,
    calls: callsOf(log),
  }));
  const calls = known.flatMap((worker) => worker.calls);
  const started = workers.slice(firstReplicas);
  const firsts = started.map(firstMessageAfter).filter((seconds) => seconds !== undefined);
  return {
    started: started.length,
    /** Seconds from the start of the process until it was ready, and from there to its first message: the longest. */
    readyAfter: tenths(Math.max(0, ...started.map(({ startedAt, readyAt = NaN }) => (readyAt - startedAt) / 1_000))),
    firstMessageAfter: tenths(Math.max(0, ...firsts)),
    withoutWork: started.length - firsts.length,
    stopped: workers.filter(({ toldAt }) => toldAt !== undefined).length,
    exitCodes: [...new Set(workers.map(({ ended }) => ended))],
    /** Seconds from SIGTERM to the end: the longest. */
    drained: tenths(
      Math.max(
        0,
        ...workers.map(({ toldAt = NaN, stoppedAt = NaN }) => (stoppedAt - toldAt) / 1_000).filter(Number.isFinite),
      ),
    ),
    /** Milliseconds that messages lay in a worker before it began with them. */
    heldP50: heldFor(calls, 0.5),
    heldP95: heldFor(calls, 0.95),
    /** Worker-seconds. */
    idleBesideHeld: tenths(idleBesideHeld(known.filter(({ readyAt }) => Number.isFinite(readyAt)))),
  };
}

/** From acceptance to commit, seconds, of what was accepted from one moment to another. @param {EventTimes[]} events @param {number} from @param {number} to */
export function criticalTime(events, from, to) {
  const times = events
    .filter(({ accepted, processed }) => accepted >= from && accepted < to && processed !== null)
    .map(({ accepted, processed }) => (Number(processed) - accepted) / 1_000)
    .sort((a, b) => a - b);
  const at = (/** @type {number} */ share) => tenths(times[Math.max(0, Math.ceil(times.length * share) - 1)] ?? 0);
  return { p50: at(0.5), p95: at(0.95), max: at(1) };
}

/**
 * @param {{ title: string, foot: string, samples: Sample[], events: EventTimes[], phases: Phases }} run
 * @returns {string} SVG
 */
export function picture({ title, foot, samples, events, phases }) {
  const { begin, burst, base, end } = phases;
  const seconds = (/** @type {number} */ at) => (at - begin) / 1_000;
  const during = samples.filter(({ at }) => at >= begin && at <= end);
  /** @param {(sample: Sample) => number | undefined} pick @returns {[number, number][]} */
  const over = (pick) =>
    during.flatMap((sample) => {
      const value = pick(sample);
      return value === undefined ? [] : [/** @type {[number, number]} */ ([seconds(sample.at), value])];
    });
  return chart({
    title,
    foot,
    seconds: seconds(end),
    burst: [seconds(burst), seconds(base)],
    panels: [
      {
        title: 'Messages a second',
        lines: [
          {
            name: 'accepted',
            points: rateOf(
              events.map(({ accepted }) => seconds(accepted)),
              seconds(end),
            ),
          },
          {
            name: 'counted',
            points: rateOf(
              events.flatMap(({ processed }) => (processed === null ? [] : [seconds(processed)])),
              seconds(end),
            ),
          },
        ],
      },
      {
        title: 'Messages in the queue',
        lines: [
          {
            name: 'ready + unacknowledged',
            points: over((sample) => (sample.ready === undefined ? undefined : length(sample))),
          },
          { name: 'ready', points: over(({ ready }) => ready) },
        ],
      },
      {
        title: 'Workers',
        lines: [
          { name: 'wanted', points: over(({ replicas }) => replicas), steps: true },
          { name: 'ready', points: over(({ readyWorkers }) => readyWorkers), steps: true },
          { name: 'draining', points: over(({ draining }) => draining), steps: true },
        ],
      },
    ],
  });
}

/** @param {number[]} moments seconds @param {number} until @returns {[number, number][]} */
function rateOf(moments, until) {
  const counts = new Array(Math.max(1, Math.floor(until / RATE_SPAN))).fill(0);
  for (const moment of moments) {
    const index = Math.floor(moment / RATE_SPAN);
    if (index >= 0 && index < counts.length) counts[index]++;
  }
  return counts.map((count, index) => [(index + 0.5) * RATE_SPAN, count / RATE_SPAN]);
}

/** @param {number} value */
function tenths(value) {
  return Math.round(value * 10) / 10;
}
