import fc from 'fast-check';
import { ConcurrencyDecisions, type Observation } from './concurrency-decision';
import { concurrencyLadder, prefetches, rungFor } from './concurrency-ladder';

/** A service that works on `slots` messages at once; more of them wait, for a connection or for its turn. */
interface Service {
  readonly time: number;
  readonly slots: number;
  readonly pool?: boolean;
}

const LADDER = concurrencyLadder(1, 100);

function see({ time, slots, pool = false }: Service, concurrency: number, demand = Infinity): Observation {
  const inFlight = Math.min(concurrency, demand);
  const working = Math.min(inFlight, slots);
  const throughput = (1_000 * working) / time;
  return {
    ended: throughput,
    failed: 0,
    seconds: 1,
    time: (1_000 * inFlight) / throughput,
    full: inFlight >= concurrency ? 1 : 0,
    concurrency,
    poolWaits: pool && inFlight > slots ? 1 : 0,
    poolWaiting: pool ? Math.max(0, inFlight - slots) : 0,
    eventLoop: 0.3,
  };
}

/** Lets it decide `rounds` times. @returns the concurrency after each */
function walk(
  decisions: ConcurrencyDecisions,
  from: number,
  rounds: number,
  service: Service,
  demand?: number,
): number[] {
  let rung = rungFor(LADDER, from);
  return Array.from({ length: rounds }, () => {
    const decision = decisions.decide(see(service, LADDER[rung], demand), rung < LADDER.length - 1, rung > 0);
    rung = Math.min(LADDER.length - 1, Math.max(0, rung + (decision?.steps ?? 0)));
    return LADDER[rung];
  });
}

describe('the decision on concurrency', () => {
  it('rises from 1 to where nothing more is gained', () => {
    const reached = walk(new ConcurrencyDecisions(), 1, 30, { time: 200, slots: 60 });
    expect(reached.at(-1)).toBeGreaterThanOrEqual(0.9 * 60);
    expect(reached.at(-1)).toBeLessThanOrEqual(1.5 * 1.5 * 60);
  });

  it('stays where it is once it has settled, and tries less and less often', () => {
    const decisions = new ConcurrencyDecisions();
    walk(decisions, 1, 40, { time: 200, slots: 10 });
    const later = walk(decisions, 12, 200, { time: 200, slots: 10 });
    const moves = later.filter((value, index) => index > 0 && value !== later[index - 1]).length;
    expect(moves).toBeLessThanOrEqual(12);
  });

  it('rises again when the external service becomes four times slower, and so takes four times as many', () => {
    const decisions = new ConcurrencyDecisions();
    const [before] = walk(decisions, 1, 40, { time: 100, slots: 20 }).slice(-1);
    const [after] = walk(decisions, before, 60, { time: 400, slots: 80 }).slice(-1);
    expect(before).toBeLessThanOrEqual(45);
    expect(after).toBeGreaterThanOrEqual(0.9 * 80);
  });

  it('backs off when messages only wait for connections', () => {
    const decisions = new ConcurrencyDecisions();
    const [before] = walk(decisions, 1, 40, { time: 10, slots: 100, pool: true }).slice(-1);
    const [after] = walk(decisions, before, 30, { time: 100, slots: 10, pool: true }).slice(-1);
    expect(before).toBeGreaterThan(50);
    expect(after).toBeLessThanOrEqual(18);
  });

  it('backs off at once by as much as waits', () => {
    const waiting = see({ time: 100, slots: 10, pool: true }, 210);
    const { steps, reason } = new ConcurrencyDecisions().decide(waiting, true, true)!;
    expect(reason).toBe('POOL_WAITS');
    expect(210 / 1.5 ** -steps).toBeGreaterThanOrEqual(10);
    expect(210 / 1.5 ** -steps).toBeLessThan(15);
  });

  it('stays at the knee, where a few wait for a connection most of the time', () => {
    // As measured with PostgreSQL 20 ms further away and a pool of 10: 160/s at C = 41, 240/s at 62 and above.
    const knee = (concurrency: number): Observation => ({
      ...see({ time: 250, slots: 61 }, concurrency),
      poolWaits: concurrency > 50 ? 0.8 : 0.3,
      poolWaiting: concurrency > 50 ? 3 + Math.max(0, concurrency - 61) : 0.5,
    });
    const decisions = new ConcurrencyDecisions();
    const ladder = concurrencyLadder(1, 1_000);
    let rung = rungFor(ladder, 41);
    const reached = Array.from({ length: 100 }, () => {
      rung += decisions.decide(knee(ladder[rung]), true, true)?.steps ?? 0;
      return ladder[rung];
    });
    expect(Math.max(...reached)).toBeLessThanOrEqual(93);
    expect(reached.filter((concurrency) => concurrency === 62).length).toBeGreaterThan(85);
  });

  it('does not rise where there is not enough to do', () => {
    expect(walk(new ConcurrencyDecisions(), 12, 50, { time: 100, slots: 50 }, 4).every((value) => value === 12)).toBe(
      true,
    );
  });

  it('falls when messages fail', () => {
    const failing = { ...see({ time: 10, slots: 10 }, 8), failed: 200 };
    expect(new ConcurrencyDecisions().decide(failing, true, true)).toEqual({ steps: -1, reason: 'ERRORS' });
  });

  it('does not rise when the event loop is nearly full', () => {
    expect(
      new ConcurrencyDecisions().decide({ ...see({ time: 10, slots: 99 }, 8), eventLoop: 0.9 }, true, true),
    ).toBeUndefined();
  });
});

describe('the ladder', () => {
  it('leads from min to max in rising rungs whose prefetches add up', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 0, max: 9000 }), (min, more) => {
        const ladder = concurrencyLadder(min, min + more);
        expect(ladder[0]).toBe(min);
        expect(ladder.at(-1)).toBe(min + more);
        expect(prefetches(ladder).every((prefetch) => prefetch > 0)).toBe(true);
        expect(prefetches(ladder).reduce((sum, prefetch) => sum + prefetch, 0)).toBe(min + more);
      }),
    );
  });

  it('finds the rung below a concurrency', () => {
    expect(concurrencyLadder(1, 10)).toEqual([1, 2, 3, 5, 8, 10]);
    expect(rungFor([1, 2, 3, 5, 8, 10], 7)).toBe(3);
    expect(rungFor([5, 8], 1)).toBe(0);
  });
});
