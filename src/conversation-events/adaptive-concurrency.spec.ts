import fc from 'fast-check';
import { throughputOf } from './adaptive-concurrency';

describe('the throughput of a look', () => {
  it('is the same wherever the look begins and ends in waves of messages', () => {
    const [concurrency, time] = [210, 800];
    // All of a wave end within its first quarter, as after a change of the time that they take.
    const endedBy = (moment: number) =>
      concurrency * (Math.floor(moment / time) + Math.min(1, (4 * (moment % time)) / time));
    const times = fc.record({
      begin: fc.integer({ min: 0, max: 5_000 }),
      length: fc.integer({ min: 1_000, max: 4_000 }),
    });
    fc.assert(
      fc.property(times, ({ begin, length }) => {
        const ended = endedBy(begin + length) - endedBy(begin);
        expect(throughputOf(ended, length / 1_000, concurrency, time)).toBeCloseTo(262.5);
      }),
    );
  });

  it('is counted where messages are short, since samples say little of what is in flight then', () => {
    expect(throughputOf(1_500, 1, 1, 4)).toBe(1_500);
  });
});
