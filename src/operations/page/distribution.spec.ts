import fc from 'fast-check';
import { add, countOf, difference, meanOf, quantile } from './distribution';

const BOUNDS = [0.1, 0.5, 1, 5, 10];

const histogram = fc.array(fc.nat(1_000), { minLength: 6, maxLength: 6 }).map((counts) => ({
  bounds: BOUNDS,
  counts,
  sum: counts.reduce((sum, count) => sum + count, 0) * 0.7,
}));

describe('a distribution', () => {
  it('added to what it had before is what it is later', () => {
    fc.assert(
      fc.property(histogram, histogram, (before, came) => {
        const later = add(before, came);
        expect(difference(later, before).counts).toEqual(came.counts);
        expect(difference(later, before).sum).toBeCloseTo(came.sum, 6);
        expect(countOf(later)).toBe(countOf(before) + countOf(came));
      }),
    );
  });

  it('has quantiles that lie within its buckets and never fall', () => {
    fc.assert(
      fc.property(
        histogram,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (all, a, b) => {
          const [low, high] = [quantile(all, Math.min(a, b)), quantile(all, Math.max(a, b))];
          if (countOf(all) === 0) return expect([low, high]).toEqual([null, null]);
          expect(low!).toBeGreaterThanOrEqual(0);
          expect(high!).toBeLessThanOrEqual(10);
          expect(high!).toBeGreaterThanOrEqual(low!);
        },
      ),
    );
  });

  it.each([
    [0.5, [0, 10, 0, 0, 0, 0], 0.3],
    [0.95, [90, 0, 10, 0, 0, 0], 0.75],
    [0.5, [0, 0, 0, 0, 0, 3], 10],
    [1, [1, 0, 0, 1, 0, 0], 5],
  ])('has its %p quantile of %p at %p', (q, counts, expected) => {
    expect(quantile({ bounds: BOUNDS, counts, sum: 0 }, q)).toBeCloseTo(expected, 10);
  });

  it('of nothing has neither mean nor quantile', () => {
    const nothing = { bounds: BOUNDS, counts: [0, 0, 0, 0, 0, 0], sum: 0 };
    expect([meanOf(nothing), quantile(nothing, 0.5)]).toEqual([null, null]);
  });

  it('of another version, with other buckets, is left out rather than added wrongly', () => {
    const one = { bounds: [1], counts: [1, 0], sum: 0.5 };
    const other = { bounds: [1, 2], counts: [0, 1, 0], sum: 1.5 };
    expect(add(one, other)).toBe(one);
  });
});
