import { refill } from './stage';

describe('the backlog of a point', () => {
  it('is filled again for two seconds when less than one is left', () => {
    expect(refill({ at: 0, done: 0 }, { at: 200, done: 100 }, 499)).toBe(1_000);
    expect(refill({ at: 0, done: 0 }, { at: 200, done: 100 }, 500)).toBe(0);
  });

  it('is not filled with more when the last refill took long', () => {
    expect(refill({ at: 0, done: 0 }, { at: 10_000, done: 5_000 }, 0)).toBe(1_000);
  });
});
