/** The arithmetic by which a benchmark is judged. */
import fc from 'fast-check';

interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

interface Statistics {
  median(values: readonly number[]): number;
  quantile(values: readonly number[], part: number): number;
  geometricMean(values: readonly number[]): Estimate;
  pairedRatio(pairs: readonly (readonly [number, number])[]): Estimate;
}

// Plain JavaScript, since scripts/bench.mjs runs it without a compiler.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const { geometricMean, median, pairedRatio, quantile } = require('../../bench/statistics.cjs') as Statistics;

const positive = fc.double({ min: 0.001, max: 1e6, noNaN: true });

describe('statistics of a benchmark', () => {
  it('takes the middle value, or the middle between two', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });

  it('finds a quantile between its neighbours', () => {
    const hundred = Array.from({ length: 101 }, (_, index) => index);
    expect(quantile(hundred, 0.99)).toBe(99);
    expect(quantile([10, 20], 0.25)).toBe(12.5);
  });

  it('lets twice as fast and half as fast cancel out', () => {
    expect(geometricMean([2, 0.5]).value).toBeCloseTo(1);
  });

  it('gives the interval of Student for the logarithms', () => {
    // Logarithms 0, 1, 2: mean 1, deviation 1; t for 2 degrees of freedom is 4.303.
    const { low, high } = geometricMean([1, Math.E, Math.E ** 2]);
    expect(Math.log(low)).toBeCloseTo(1 - 4.303 / Math.sqrt(3), 6);
    expect(Math.log(high)).toBeCloseTo(1 + 4.303 / Math.sqrt(3), 6);
  });

  it('compares each run with its neighbour: what slows both down changes nothing', () => {
    const { value, low, high } = pairedRatio([
      [200, 100],
      [20, 10],
      [2_000, 1_000],
    ]);
    expect([value, low, high].map((one) => Number(one.toFixed(9)))).toEqual([2, 2, 2]);
  });

  it('has its value in its interval, wider with more spread', () => {
    fc.assert(
      fc.property(fc.array(positive, { minLength: 2, maxLength: 20 }), (values) => {
        const { value, low, high } = geometricMean(values);
        const wider = geometricMean(values.map((one) => one ** 2));
        const tolerance = 1 + 1e-9;
        expect(low).toBeLessThanOrEqual(value * tolerance);
        expect(high * tolerance).toBeGreaterThanOrEqual(value);
        expect((wider.high / wider.low) * tolerance).toBeGreaterThanOrEqual(high / low);
      }),
    );
  });

  it('takes one value for what it is', () => {
    expect(geometricMean([3])).toEqual({
      value: expect.closeTo(3),
      low: expect.closeTo(3),
      high: expect.closeTo(3),
      count: 1,
    });
  });

  it.each([[[]], [[0]], [[1, -1]], [[NaN]], [[Infinity]]])('refuses %j', (values: number[]) => {
    expect(() => geometricMean(values)).toThrow(/^Expected/);
  });
});
