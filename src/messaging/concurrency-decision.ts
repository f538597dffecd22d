/**
 * Whether a worker should hold more messages, or fewer. Pure.
 *
 * The idea is that of Netflix's concurrency-limits (https://github.com/Netflix/concurrency-limits, Gradient2Limit): as long as
 * messages take no longer, more of them may be in flight; when they do, they only wait for each other. Its gradient compares the
 * time now with a long mean of the past, which cannot tell a slower service from a longer queue; here a step is judged by its own
 * effect. By Little's law (in flight = throughput x time), a step that multiplies what is in flight must raise the throughput, or
 * all it bought is latency.
 */

import { STEP } from './concurrency-ladder';

/** What was seen since the last decision. */
export interface Observation {
  /** Messages that ended, and how many of them in another way than an ack. */
  readonly ended: number;
  readonly failed: number;
  readonly seconds: number;
  /** Mean processing time, milliseconds. */
  readonly time: number;
  /** Share of the samples in which all that may be in flight was in flight. */
  readonly full: number;
  /** What may be in flight. */
  readonly concurrency: number;
  /** Share of the samples in which work waited for a connection of the pool; and how much of it, in the mean. */
  readonly poolWaits: number;
  readonly poolWaiting: number;
  /** Share of the time in which the event loop was busy. */
  readonly eventLoop: number;
}

export type Reason =
  'THROUGHPUT_GAINED' | 'PROBE' | 'NOTHING_GAINED' | 'POOL_WAITS' | 'EVENT_LOOP_BUSY' | 'ERRORS' | 'SLOWER';

export interface Decision {
  /** Rungs to go: above 0 for more in flight. */
  readonly steps: number;
  readonly reason: Reason;
}

/** A step up must raise the throughput by this much; steps are of 50 %. */
const GAIN = 1.08;

/** After a step down, what is lost may be this much, or it was the wrong way. */
const LOSS = 0.92;

/** Processing this much slower than when the limit was found is another world: look again. */
const SHIFT = 1.6;

const FULL_ENOUGH = 0.5;
/** Up to this share of samples with a wait for a connection, the pool is no limit yet. */
const POOL_ROOM = 0.3;
const EVENT_LOOP_FULL = 0.95;
const EVENT_LOOP_ROOM = 0.85;
const FAILING = 0.1;

/** Decisions between two tries to go higher: doubled each time one gains nothing, since a step is not free. */
const PAUSE = { first: 8, last: 64 };

/**
 * Rungs to go down, since what waits for a connection is in flight for nothing: so many lower, about as much is in flight as the pool
 * keeps moving. A few that wait are none: near the best point some always do, and below it connections idle.
 */
export function rungsThatWait({ concurrency, poolWaiting }: Pick<Observation, 'concurrency' | 'poolWaiting'>): number {
  const moving = Math.max(1, concurrency - poolWaiting);
  return Math.floor(Math.log(concurrency / moving) / Math.log(STEP));
}

export class ConcurrencyDecisions {
  private before: { throughput: number; step: number } | undefined;
  private settledTime: number | undefined;
  private wait = 0;
  private pause = PAUSE.first;

  /** @returns undefined to stay */
  decide(seen: Observation, canRise: boolean, canFall: boolean): Decision | undefined {
    const throughput = seen.ended / seen.seconds;
    const judged = this.before;
    this.before = undefined;
    if (seen.failed > FAILING * seen.ended && canFall) return this.fall(throughput, 'ERRORS');
    const waiting = rungsThatWait(seen);
    if (waiting > 0 && canFall) return this.fall(throughput, 'POOL_WAITS', waiting);
    if (judged && judged.step > 0 && throughput < judged.throughput * GAIN)
      return this.takeBack(judged.step, seen.time);
    if (judged && judged.step < 0) return this.judgeFall(judged.throughput, throughput, seen, canRise, canFall);
    if (seen.eventLoop > EVENT_LOOP_FULL && this.wait === 0 && canFall && !judged)
      return this.fall(throughput, 'EVENT_LOOP_BUSY');
    if (this.settledTime !== undefined && seen.time > this.settledTime * SHIFT && canFall) {
      this.settledTime = undefined;
      this.pause = PAUSE.first;
      return this.fall(throughput, 'SLOWER');
    }
    if (this.wait > 0) {
      this.wait--;
      return undefined;
    }
    if (!canRise || seen.full < FULL_ENOUGH || seen.eventLoop > EVENT_LOOP_ROOM) return undefined;
    // Far below any limit, two rungs at once: it is idle that costs most.
    const farBelow = judged && seen.eventLoop < EVENT_LOOP_ROOM / 2 && seen.poolWaits < POOL_ROOM;
    const step = farBelow ? 2 : 1;
    this.before = { throughput, step };
    return { steps: step, reason: judged ? 'THROUGHPUT_GAINED' : 'PROBE' };
  }

  private takeBack(step: number, time: number): Decision {
    this.settle(time);
    return { steps: -step, reason: 'NOTHING_GAINED' };
  }

  private fall(throughput: number, reason: Reason, steps = 1): Decision {
    this.before = { throughput, step: -steps };
    return { steps: -steps, reason };
  }

  /** A step down that cost nothing is followed by the next; one that did is taken back. */
  private judgeFall(
    before: number,
    now: number,
    seen: Observation,
    canRise: boolean,
    canFall: boolean,
  ): Decision | undefined {
    if (now < before * LOSS && canRise) {
      // Slower everywhere: then more in flight is what helps.
      this.wait = 0;
      this.before = { throughput: now, step: 1 };
      return { steps: 1, reason: 'PROBE' };
    }
    if (canFall && seen.eventLoop > EVENT_LOOP_FULL) return this.fall(now, 'EVENT_LOOP_BUSY');
    this.settle(seen.time);
    return undefined;
  }

  /** Here it stays for a while. The first look after it sees the time of this rung. */
  private settle(time: number): void {
    this.settledTime = time;
    this.wait = this.pause;
    this.pause = Math.min(PAUSE.last, this.pause * 2);
  }
}
