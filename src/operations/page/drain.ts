/** How long the backlog takes to go, told from how it changed. Pure. */
import type { Moment } from './state';

export interface Drain {
  /** null: it does not get shorter, or nothing waits. */
  readonly seconds: number | null;
  readonly growing: boolean;
}

/** How far back to look, points of the history: at two seconds each, ten seconds. */
const LOOK_BACK = 5;

/** Fewer messages than this more, or a smaller share of what waits, are no growth: they come and go. */
const NOISE = { messages: 10, share: 0.02 };

/**
 * What waits and what is in flight, over the rate at which the sum gets smaller: that is completion less arrival, whoever
 * publishes. Where the broker said nothing ten seconds ago, what this service accepted and settled tells the rate.
 */
export function drainOf(history: readonly Moment[], intervalSeconds: number): Drain {
  const now = history.at(-1);
  if (!now) return { seconds: null, growing: false };
  const waiting = backlogOf(now);
  if (waiting === null) return { seconds: null, growing: false };
  const then = history.at(-1 - LOOK_BACK);
  const before = then ? backlogOf(then) : null;
  const perSecond = before === null ? now.settled - now.accepted : (before - waiting) / (LOOK_BACK * intervalSeconds);
  const more = -perSecond * LOOK_BACK * intervalSeconds;
  const growing = (now.ready ?? 0) > 0 && more > Math.max(NOISE.messages, waiting * NOISE.share);
  return { seconds: waiting > 0 && perSecond > 0 ? waiting / perSecond : null, growing };
}

function backlogOf({ ready, in_flight }: Moment): number | null {
  return ready === null ? null : ready + in_flight;
}
