import { linePath, nearest, sampled, scaleFor, y, type Frame, type Point } from './scales';

const frame: Frame = { left: 0, top: 0, width: 100, height: 50 };
const scale = scaleFor(10, 1);
const place = { scale, frame, from: 0, to: 100 };

describe('the scale of a chart', () => {
  it.each([
    [0, 4, [0, 1, 2, 3, 4]],
    [10, 1, [0, 2.5, 5, 7.5, 10]],
    [11, 1, [0, 5, 10, 15]],
    [131, 4, [0, 50, 100, 150]],
    [0.079, 0.04, [0, 0.02, 0.04, 0.06, 0.08]],
    [57_000, 4, [0, 20_000, 40_000, 60_000]],
  ])('for %d (at least %d) has round ticks up to the first above', (highest, least, ticks) =>
    expect(scaleFor(highest, least)).toEqual({ max: ticks.at(-1), ticks }),
  );

  it('puts 0 at the bottom, the maximum at the top, and nothing outside', () => {
    expect([0, 5, 10, 99].map((value) => y(value, scale, frame))).toEqual([50, 25, 0, 0]);
  });
});

describe('a line', () => {
  const at = (...values: (number | null)[]): Point[] => values.map((value, index) => ({ time: index * 10, value }));

  it('ends where a value is not known, and starts again after it', () => {
    expect(linePath(at(0, 10, null, 5, 5), place, 15)).toBe('M0.0 50.0L10.0 0.0M30.0 25.0L40.0 25.0');
  });

  it('ends where points are missing', () => {
    const points = [...at(0, 0), { time: 80, value: 10 }, { time: 90, value: 10 }];
    expect(linePath(points, place, 15)).toBe('M0.0 50.0L10.0 50.0M80.0 0.0L90.0 0.0');
  });

  it('is a dot where a point stands alone', () => {
    expect(linePath(at(null, 5, null), place, 15)).toBe('M10.0 25.0h0');
  });

  it('is nothing without points', () => {
    expect(linePath([], place, 15)).toBe('');
  });
});

it('the point nearest to the pointer is found, and none where there is none', () => {
  expect(nearest([0, 10, 20], 14)).toBe(1);
  expect(nearest([], 14)).toBe(-1);
});

it('a table shows evenly spaced moments, the newest first and always there', () => {
  const items = Array.from({ length: 300 }, (_, index) => index);
  const shown = sampled(items, 40);
  expect(shown[0]).toBe(299);
  expect(shown.length).toBeLessThanOrEqual(40);
  expect(new Set(shown.slice(1).map((item, index) => (shown[index] ?? 0) - item))).toEqual(new Set([8]));
  expect(sampled([1, 2, 3], 40)).toEqual([3, 2, 1]);
});
