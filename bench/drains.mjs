// @ts-check
/** Drains of a backlog by several contenders in turn: how most questions measure. */
import { drain, start } from './contender.mjs';
import { takeTurns } from './rounds.mjs';

/** Until its compiler has seen everything, a program is not what it will be; in quick runs it gets less of it. */
const WARM_UP_SECONDS = { quick: 3, full: 5 };

/**
 * After so many messages a compiled program is nearly what it will be, unless that takes far too long. The larger program takes longer
 * to warm: after 3,000 messages the service took 1.5 times the CPU of plain amqplib + pg, after 30,000 it took 1.2 times.
 */
const WARM_UP_EVENTS = 20_000;
const WARM_UP_PATIENCE = 6;
const WARM_UP_MOST_SECONDS = 18;

/** What is tried first, when nobody knows how fast it is. */
const FIRST_EVENTS = 200;

/**
 * @typedef {object} DrainOptions
 * @property {number} rounds
 * @property {readonly import('./targets.cjs').Target[]} [targets] see `takeTurns`
 * @property {number} events the whole backlog
 * @property {number} seconds the longest that a run should take: slow contenders get a smaller backlog
 * @property {number} [childrenPerEvent] default 0.5
 *
 * @param {readonly import('./contender.mjs').Contender[]} contenders
 * @param {DrainOptions} options
 * @param {import('./question.mjs').Context} context
 * @param {readonly import('./rounds.mjs').Entrant[]} [others] who are not fed by the queue
 */
export async function drains(
  contenders,
  { rounds, targets, events, seconds, childrenPerEvent = 0.5 },
  context,
  others = [],
) {
  const { progress, signal, arenas, quick } = context;
  /** @type {import('./contender.mjs').Running[]} */
  const started = [];
  context.onExit('contenders', () => stopAll(started));
  const children = (/** @type {number} */ backlog) => Math.max(1, Math.round(backlog * childrenPerEvent));

  const entrants = [];
  for (const contender of contenders) {
    const running = await start(contender, await arenas.open(contender.series), { signal });
    started.push(running);
    const rate = await progress.step(`warming up ${contender.series}`, () =>
      warmUp(running, {
        most: events,
        children,
        signal,
        seconds: quick ? WARM_UP_SECONDS.quick : WARM_UP_SECONDS.full,
      }),
    );
    const backlog = Math.min(events, Math.max(FIRST_EVENTS, Math.round(rate * seconds)));
    const measure = () =>
      drain(running, { events: backlog, children: children(backlog), signal, expectedSeconds: backlog / rate });
    entrants.push({ series: contender.series, measure });
  }
  const measurements = await takeTurns([...entrants, ...others], { rounds, targets, progress, signal });
  await stopAll(started);
  return measurements;
}

/** @param {import('./contender.mjs').Running[]} started */
async function stopAll(started) {
  await Promise.all(started.splice(0).map((running) => running.stop()));
}

/**
 * Drains until it has worked for so long.
 * @param {import('./contender.mjs').Running} running
 * @param {{ most: number, children: (events: number) => number, signal: AbortSignal, seconds: number }} options
 * @returns {Promise<number>} messages a second, in the end
 */
export async function warmUp(running, { most, children, signal, seconds }) {
  let events = Math.min(most, FIRST_EVENTS);
  let done = 0;
  for (let spent = 0; ;) {
    const { figures } = await drain(running, { events, children: children(events), signal });
    const { rate = 1, seconds: took = 1 } = figures;
    spent += took;
    done += events;
    const tooLong = Math.min(seconds * WARM_UP_PATIENCE, WARM_UP_MOST_SECONDS);
    const warm = running.contender.interpreted || done >= WARM_UP_EVENTS || spent >= tooLong;
    if (spent >= seconds && warm) return rate;
    events = Math.min(most, Math.max(FIRST_EVENTS, Math.round(rate * Math.max(1, seconds - spent))));
  }
}
