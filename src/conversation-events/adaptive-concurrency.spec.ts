import fc from 'fast-check';
import { lookedFrom } from './adaptive-concurrency';

describe('a look at what is in flight', () => {
  it('sees the same throughput wherever it begins and ends between waves of messages', () => {
    const [concurrency, time] = [315, 800];
    const times = fc.record({
      begin: fc.integer({ min: 0, max: 5_000 }),
      length: fc.integer({ min: 1_000, max: 4_000 }),
    });
    fc.assert(
      fc.property(times, ({ begin, length }) => {
        const wavesBy = (moment: number) => Math.floor(moment / time) + 1;
        const lastAt = (moment: number) => (wavesBy(moment) - 1) * time;
        const ended = concurrency * (wavesBy(begin + length) - wavesBy(begin));
        const seconds = (lastAt(begin + length) - lookedFrom(lastAt(begin), begin, time)) / 1_000;
        expect(ended / seconds).toBeCloseTo(concurrency / (time / 1_000));
      }),
    );
  });

  it('leaves out the time before it in which there was nothing to do', () => {
    expect(lookedFrom(1_000, 60_000, 200)).toBe(59_800);
  });
});
