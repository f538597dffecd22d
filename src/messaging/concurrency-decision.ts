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
  /** Messages a second. */
  readonly throughput: number;
  /** Whether that is a count, which is off by a sixth from second to second. */
  readonly isCounted: boolean;
  /** Whether there was enough to do, from its beginning to its end: no more could have been in flight. */
  readonly isFull: boolean;
  /** What may be in flight. */
  readonly concurrency: number;
  /** Share of the samples in which work waited for a connection of the pool; and how much of it, in the mean. */
  readonly poolWaits: number;
  readonly poolWaiting: number;
  /** Share of the time in which the event loop was busy. */
  readonly eventLoop: number;
}

export type Reason =
  | 'THROUGHPUT_GAINED'
  | 'THROUGHPUT_LOST'
  | 'PROBE'
  | 'NOTHING_GAINED'
  | 'POOL_WAITS'
  | 'EVENT_LOOP_BUSY'
  | 'ERRORS'
  | 'SLOWER';

/** Rungs of the ladder above and below the present one. */
export interface Room {
  readonly above: number;
  readonly below: number;
}

export interface Decision {
  /** Rungs to go, within the room: above 0 for more in flight. */
  readonly steps: number;
  readonly reason: Reason;
}

/** A step up must raise the throughput by this much; steps are of 50 %, or two of those. */
const GAIN = 1.06;

/** After a step down, this much of the throughput must be left, or it was the wrong way. */
const LOSS = 1 / GAIN;
/** After a step down for SLOWER: each of the several rungs may lose a little, and noise must not send it back for those. */
const LOSS_WHERE_SLOWER = LOSS ** 2;

/** A look whose throughput is as near as this to what decides on the last step may be on either side of it by chance. */
const CLEAR = 1.2;
/** A step is judged by the mean of so many looks at the rung that it leads from, since one may be off by a sixth. */
const REMEMBERED_LOOKS = 8;

/**
 * Processing this much slower or faster than when the limit was found is another world: look again. Faster by less, since what
 * was slow for all in flight is faster by no more than the rungs that it had gone down for it.
 */
const SLOWER = 1.6;
const FASTER = 1.3;
/** From look to look, while nothing changes. */
const STEADY = 1.2;

/** More in flight never loses as much, nor do fewer gain as much: the throughput is another world's. */
const COLLAPSE = 0.7;

/** Up to this share of samples with a wait for a connection, the pool is no limit yet. */
const POOL_ROOM = 0.3;
const EVENT_LOOP_FULL = 0.95;
const EVENT_LOOP_ROOM = 0.85;
const FAILING = 0.1;

/** Looks between two tries to go higher: doubled each time one ends where it began, since a step is not free. */
const PAUSE = { first: 4, last: 64 };

/**
 * Rungs to go down, since what waits for a connection is in flight for nothing: so many lower, about as much is in flight as the pool
 * keeps moving. A few that wait are none: near the best point some always do, and below it connections idle.
 */
export function rungsThatWait({ concurrency, poolWaiting }: Pick<Observation, 'concurrency' | 'poolWaiting'>): number {
  const moving = Math.max(1, concurrency - poolWaiting);
  return Math.floor(Math.log(concurrency / moving) / Math.log(STEP));
}

/**
 * Milliseconds for which a message is held, its way from and to the broker included: by Little's law, where all is in flight that may
 * be. Of short messages the processing time says less, since it is more of them that are under way, or fewer, from moment to moment.
 */
function timeOf({ concurrency, throughput }: Observation): number {
  return (1_000 * concurrency) / throughput;
}

/** Rungs down at once at most: where it is the service that is slower, each of them loses throughput for as long as it is looked at. */
const MOST_RUNGS = 2;

/** Rungs to go down where messages take `time` instead of `usual`: the next one as well if they would be slower still after the first. */
function rungsTooMany(time: number, usual: number): number {
  return Math.max(1, Math.min(MOST_RUNGS, Math.ceil(Math.log(time / (usual * SLOWER)) / Math.log(STEP))));
}

/** A step, and what the next look is to judge it by: what was seen where it leads from. */
interface Step {
  readonly steps: number;
  readonly reason: Reason;
  readonly throughput: number;
  readonly time: number;
  /** The time before it became slower. */
  readonly usual: number;
  /** Whether it is known that the rung above gains nothing. */
  readonly nothingAbove: boolean;
  /** Whether there was not enough to do after it: when there is again, it may be another world. */
  readonly isStale?: boolean;
}

/** Messages a second that must be seen after a step, or it was the wrong way. */
function wanted({ throughput, steps, reason }: Step): number {
  if (steps > 0) return throughput * GAIN;
  return throughput * (reason === 'SLOWER' ? LOSS_WHERE_SLOWER : LOSS);
}

function isShort(step: Step, { throughput }: Observation): boolean {
  return throughput < wanted(step);
}

/** Rungs to go back: no more of a fall than could have lost as much. */
function rungsThatLost(fall: Step, seen: Observation): number {
  // It falls for those that wait again and again, and small losses would add up.
  if (fall.reason === 'POOL_WAITS') return -fall.steps;
  const rungs = Math.ceil(Math.log(wanted(fall) / seen.throughput) / Math.log(STEP));
  return Math.max(1, Math.min(-fall.steps, rungs));
}

export class ConcurrencyDecisions {
  private taken: Step | undefined;
  /** Of the looks at this rung. */
  private mean = { looks: 0, throughput: 0 };
  private settledTime: number | undefined;
  /** The time of the last look, where that was slower than where it had settled. */
  private suspected: number | undefined;
  private settledRung: number | undefined;
  /** It settled where fewer that wait for a connection would do less. */
  private waitsHelp = false;
  private wait = 0;
  private pause = PAUSE.first;

  /**
   * Whether such a throughput is enough to judge the last step, or a suspicion; if not, a longer look is better. One that is no count is
   * surer: then a step down that seems to lose nothing is judged at once.
   */
  isClear({ throughput, isCounted }: Pick<Observation, 'throughput' | 'isCounted'>): boolean {
    if (!this.taken) return !isCounted || this.suspected === undefined;
    const ratio = throughput / wanted(this.taken);
    if (this.taken.steps < 0 && !isCounted && ratio > 1) return true;
    return ratio > CLEAR || ratio < 1 / CLEAR;
  }

  /** @returns undefined to stay */
  decide(seen: Observation, room: Room): Decision | undefined {
    if (seen.isFull) this.remember(seen);
    const decision = this.judge(seen, room);
    if (decision) this.forget();
    return decision;
  }

  private judge(seen: Observation, room: Room): Decision | undefined {
    if (seen.failed > FAILING * seen.ended) return room.below > 0 ? this.take(-1, 'ERRORS', seen, room) : undefined;
    const { taken, suspected } = this;
    const hasLost = seen.isFull && taken !== undefined && taken.steps < 0 && isShort(taken, seen);
    const waiting = this.waitsHelp && this.wait > 0 ? 0 : rungsThatWait(seen);
    if (waiting > 0 && room.below > 0 && !hasLost) return this.take(-waiting, 'POOL_WAITS', seen, room);
    // How much is done says nothing of what could be where there is not enough to do: the last step is judged when there is.
    if (!seen.isFull) {
      if (taken) this.taken = { ...taken, isStale: true };
      return undefined;
    }
    const time = timeOf(seen);
    this.taken = undefined;
    this.suspected = undefined;
    if (taken?.isStale) return this.judgeStale(taken, seen);
    if (taken && taken.steps > 0 && isShort(taken, seen)) return this.takeBack(taken, seen, room);
    if (taken && taken.steps < 0) return this.judgeFall(taken, seen, room);
    if (seen.eventLoop > EVENT_LOOP_FULL && this.wait === 0 && room.below > 0 && !taken)
      return this.take(-1, 'EVENT_LOOP_BUSY', seen, room);
    // More is done than where it had settled, so no longer takes what it did there; what it takes here is nothing to compare with.
    if (taken) this.lookAnew();
    if (this.settledTime !== undefined) {
      if (time > this.settledTime * SLOWER && room.below > 0) {
        // The look in which it became slower saw both worlds, and while it becomes slower still there is nothing to judge a step by.
        if (suspected !== undefined && time < suspected * STEADY)
          return this.take(-rungsTooMany(time, this.settledTime), 'SLOWER', seen, room);
        this.suspected = time;
        this.forget();
        return undefined;
      }
      if (time * FASTER < this.settledTime) this.lookAnew();
    }
    if (this.wait > 0) {
      this.wait--;
      return undefined;
    }
    if (seen.eventLoop > EVENT_LOOP_ROOM) {
      this.settledTime ??= time;
      return undefined;
    }
    if (room.above === 0) return room.below > 0 ? this.take(-1, 'PROBE', seen, room, true) : undefined;
    // A small gain may be a slow moment's end, or a fast one: then nothing is lost by a step back either.
    if (taken && room.below > 0 && seen.throughput < taken.throughput * GAIN * CLEAR)
      return this.take(-taken.steps, 'PROBE', seen, room, true);
    // Far below any limit, two rungs at once: it is idle that costs most. What a rung gains cannot be told from what a count is off by.
    const farBelow = taken && seen.eventLoop < EVENT_LOOP_ROOM / 2 && seen.poolWaits < POOL_ROOM;
    return this.take(farBelow || seen.isCounted ? 2 : 1, taken ? 'THROUGHPUT_GAINED' : 'PROBE', seen, room);
  }

  private take(rungs: number, reason: Reason, seen: Observation, room: Room, nothingAbove = false): Decision {
    const steps = Math.max(-room.below, Math.min(room.above, rungs));
    const time = timeOf(seen);
    const { throughput } = seen.isFull ? this.mean : seen;
    this.taken = { steps, reason, throughput, time, usual: this.settledTime ?? time, nothingAbove };
    return { steps, reason };
  }

  /** All that such a step may do is be undone: one that seems to have gained, or lost nothing, may have done so in another world. */
  private judgeStale(taken: Step, seen: Observation): Decision | undefined {
    this.lookAnew();
    if (!isShort(taken, seen)) return undefined;
    return { steps: -taken.steps, reason: taken.steps > 0 ? 'NOTHING_GAINED' : 'THROUGHPUT_LOST' };
  }

  /** Back to below where it stood, since the limit may have come down meanwhile. */
  private takeBack(rise: Step, seen: Observation, room: Room): Decision {
    const reason = 'NOTHING_GAINED';
    if (room.below === rise.steps) {
      this.settle(rise.time, 0);
      return { steps: -rise.steps, reason };
    }
    // That look is judged by what was seen where it stood; in another world, by what was seen above, of which that world says nothing.
    const collapsed = seen.throughput < rise.throughput * COLLAPSE;
    const throughput = collapsed ? seen.throughput : rise.throughput;
    const steps = -Math.min(room.below - rise.steps, rungsTooMany(timeOf(seen), rise.time));
    const all = steps - rise.steps;
    this.taken = { ...rise, steps: collapsed ? all : steps, reason, throughput, nothingAbove: !collapsed };
    return { steps: all, reason };
  }

  /** A step down that cost nothing is followed by the next; one that did is taken back. */
  private judgeFall(fall: Step, seen: Observation, room: Room): Decision | undefined {
    if (isShort(fall, seen)) {
      if (fall.reason === 'ERRORS') {
        this.settle(timeOf(seen), room.below);
        return undefined;
      }
      // Fewer in flight never lose that much: what there was before was seen in another world, at least in part.
      const isOther = seen.throughput < fall.throughput * STEP ** fall.steps * COLLAPSE;
      if (isOther && room.below > 0) {
        const steps = -Math.min(room.below, rungsTooMany(timeOf(seen), fall.usual));
        this.taken = { ...fall, steps, reason: 'SLOWER', throughput: seen.throughput, nothingAbove: false };
        return { steps, reason: 'SLOWER' };
      }
      const steps = rungsThatLost(fall, seen);
      if (fall.nothingAbove || fall.reason === 'EVENT_LOOP_BUSY' || fall.reason === 'POOL_WAITS') {
        this.settle(fall.time / STEP ** (-fall.steps - steps), room.below + steps);
        this.waitsHelp = fall.reason === 'POOL_WAITS';
        return { steps, reason: 'THROUGHPUT_LOST' };
      }
      // Slower everywhere: then more in flight is what helps.
      this.lookAnew();
      return this.take(steps, 'PROBE', seen, room);
    }
    const hadWaited = fall.reason !== 'ERRORS' && fall.reason !== 'EVENT_LOOP_BUSY';
    if (hadWaited && fall.reason !== 'POOL_WAITS' && seen.throughput * COLLAPSE > fall.throughput) {
      // It fell in a slow moment, which is over: nothing that was seen before it says whether this step cost anything.
      this.lookAnew();
      return this.take(-fall.steps, 'PROBE', seen, room);
    }
    if (room.below > 0 && (hadWaited || seen.eventLoop > EVENT_LOOP_FULL)) {
      const reason = hadWaited ? fall.reason : 'EVENT_LOOP_BUSY';
      // Judged by what there was before the first of them, or small losses would add up.
      const steps = -Math.min(room.below, hadWaited ? rungsTooMany(timeOf(seen), fall.usual) : 1);
      this.taken = { ...fall, steps, reason, time: timeOf(seen), nothingAbove: hadWaited };
      return { steps, reason };
    }
    this.settle(timeOf(seen), room.below);
    return undefined;
  }

  /** Here it stays for a while; where that is another rung than the last time, it may be by chance, and so not for long. */
  private settle(time: number, rung: number): void {
    this.pause = rung === this.settledRung ? Math.min(PAUSE.last, this.pause * 2) : PAUSE.first;
    this.wait = this.pause;
    this.settledTime = time;
    this.settledRung = rung;
    this.waitsHelp = false;
  }

  private remember({ throughput }: Observation): void {
    const looks = Math.min(REMEMBERED_LOOKS, this.mean.looks + 1);
    this.mean = { looks, throughput: this.mean.throughput + (throughput - this.mean.throughput) / looks };
  }

  private forget(): void {
    this.mean = { looks: 0, throughput: 0 };
  }

  private lookAnew(): void {
    this.settledTime = undefined;
    this.settledRung = undefined;
    this.wait = 0;
  }
}
