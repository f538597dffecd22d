import fc from 'fast-check';
import type { HistogramFigures } from '../../observability/instrument-figures';
import type { ProcessFigures } from '../../observability/process-figures';
import { countOf } from './distribution';
import { Fleet } from './fleet';
import { readFigures } from './process-figures.schema';

const NOTHING: HistogramFigures = { bounds: [1], counts: [0, 0], sum: 0 };

interface Said {
  readonly instance?: string;
  readonly started?: string;
  readonly uptime: number;
  readonly settled?: number;
  readonly critical?: number;
  readonly more?: Partial<ProcessFigures>;
}

function figures({
  instance = 'a/1',
  started = '2026-11-20T10:00:00.000Z',
  uptime,
  settled = 0,
  critical = 0,
  more,
}: Said): ProcessFigures {
  return {
    format: 1,
    instance,
    started_at: started,
    uptime_seconds: uptime,
    role: 'worker',
    version: '1.0.0',
    ready: true,
    reason: null,
    in_flight: 3,
    concurrency: 10,
    cpu_share: 0.5,
    event_loop_p99_seconds: 0.01,
    memory_bytes: 1,
    pool_used: 1,
    pool_size: 10,
    pool_waiting: 0,
    counters: { accepted: 0, settled, failed_attempts: 0, duplicates: 0, republished: 0 },
    distributions: {
      critical: { bounds: [1], counts: [critical, 0], sum: critical / 2 },
      queue: NOTHING,
      slot: NOTHING,
      external: NOTHING,
      database: NOTHING,
      ack: NOTHING,
    },
    services: [],
    ...more,
  };
}

const SECOND = 1_000;

describe('the fleet', () => {
  it('has the rate of one process from what it counted between two words', () => {
    const fleet = new Fleet();
    // Up for an hour before anybody listened: what it counted until then is of no time that is known.
    for (let at = 0; at <= 20; at += 2) {
      fleet.hear(figures({ uptime: 3600 + at, settled: 500_000 + at * 7 }), at * SECOND);
    }
    expect(fleet.change(20 * SECOND, 10 * SECOND).rates.settled).toBeCloseTo(7, 6);
    expect(fleet.present(20 * SECOND, 10 * SECOND)[0].settled_per_second).toBeCloseTo(7, 6);
  });

  it('knows no rate of a process that it heard once, unless that one has just begun', () => {
    const fleet = new Fleet();
    fleet.hear(figures({ uptime: 3600, settled: 500_000 }), 0);
    expect(fleet.change(0, 10 * SECOND).rates.settled).toBe(0);
    fleet.hear(figures({ instance: 'b/1', uptime: 4, settled: 40 }), 0);
    expect(fleet.change(0, 10 * SECOND).rates.settled).toBeCloseTo(10, 6);
  });

  it('does not count backwards when a process begins anew under its old name', () => {
    const fleet = new Fleet();
    for (let at = 0; at <= 10; at += 2) fleet.hear(figures({ uptime: 100 + at, settled: 1_000 + at * 5 }), at * SECOND);
    const started = '2026-11-20T11:00:00.000Z';
    for (let at = 12; at <= 20; at += 2) {
      fleet.hear(figures({ started, uptime: at - 11, settled: (at - 11) * 5 }), at * SECOND);
    }
    const { rates, distributions } = fleet.change(20 * SECOND, 10 * SECOND);
    expect(rates.settled).toBeCloseTo(5, 6);
    expect(countOf(distributions.critical!)).toBe(0);
  });

  it('lets a process go that is silent, and keeps for the window what it did', () => {
    const fleet = new Fleet();
    for (let at = 0; at <= 10; at += 2) fleet.hear(figures({ uptime: at + 0.5, critical: at * 3 }), at * SECOND);
    expect(fleet.present(19 * SECOND, 10 * SECOND)).toMatchObject([{ seen_seconds_ago: 9 }]);
    expect(fleet.present(20 * SECOND, 10 * SECOND)).toEqual([]);
    expect(countOf(fleet.change(30 * SECOND, 60 * SECOND).distributions.critical!)).toBe(30);
    expect(countOf(fleet.change(71 * SECOND, 60 * SECOND).distributions.critical!)).toBe(0);
    expect(fleet.change(200 * SECOND, 60 * SECOND).distributions.critical).toBeUndefined();
  });

  it('adds up all that were counted, however many processes counted them and whenever they spoke', () => {
    const word = fc.record({ who: fc.nat(4), after: fc.integer({ min: 1, max: 1_900 }), count: fc.nat(50) });
    fc.assert(
      fc.property(fc.array(word, { maxLength: 25 }), (words) => {
        const fleet = new Fleet();
        const counted = new Map<number, number>();
        let now = 0;
        for (const { who, after, count } of words) {
          now += after;
          counted.set(who, (counted.get(who) ?? 0) + count);
          fleet.hear(figures({ instance: `p/${who}`, uptime: now / SECOND, critical: counted.get(who) }), now);
        }
        const total = [...counted.values()].reduce((sum, count) => sum + count, 0);
        const { critical } = fleet.change(now, 60 * SECOND).distributions;
        expect(critical ? countOf(critical) : 0).toBe(total);
      }),
    );
  });

  it('tells of a breaker what the worst present process sees', () => {
    const fleet = new Fleet();
    const sees = (breaker: number) => ({ services: [{ service: 'MEMORY_API', breaker, calls: NOTHING, failures: 0 }] });
    fleet.hear(figures({ instance: 'gone/1', uptime: 5, more: sees(2) }), 0);
    fleet.hear(figures({ instance: 'a/1', uptime: 5, more: sees(0) }), 15 * SECOND);
    fleet.hear(figures({ instance: 'b/1', uptime: 5, more: sees(1) }), 15 * SECOND);
    expect(fleet.change(15 * SECOND, 60 * SECOND).services.get('MEMORY_API')).toMatchObject({ breaker: 1 });
  });
});

describe('a word of telemetry', () => {
  it('is read as it was said', () => {
    const said = figures({ uptime: 5 });
    expect(readFigures(Buffer.from(JSON.stringify(said)))).toEqual(said);
  });

  it.each([
    ['no JSON', '{'],
    ['nothing', ''],
    ['no object', '7'],
    ['another format', JSON.stringify({ ...figures({ uptime: 5 }), format: 2 })],
    ['a negative count', JSON.stringify({ ...figures({ uptime: 5 }), in_flight: -1 })],
    ['a missing field', JSON.stringify({ ...figures({ uptime: 5 }), counters: undefined })],
    ['far too much', JSON.stringify({ ...figures({ uptime: 5 }), more: 'x'.repeat(70_000) })],
  ])('that is %s is passed over', (_what, body) => {
    expect(readFigures(Buffer.from(body))).toBeUndefined();
  });
});
