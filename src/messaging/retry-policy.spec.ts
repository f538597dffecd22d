import fc from 'fast-check';
import { retryPolicy } from './retry-policy';

describe('the retry policy', () => {
  const policy = retryPolicy([5_000, 30_000, 120_000]);

  it('waits the first delay after the first failed attempt, and so on', () => {
    expect([1, 2, 3].map((failed) => policy.delayAfter(failed))).toEqual([5_000, 30_000, 120_000]);
  });

  it('has one attempt more than it has delays, and no delay after the last one', () => {
    expect(policy.mostAttempts).toBe(4);
    expect(policy.delayAfter(4)).toBeUndefined();
  });

  it('ends for whoever has more attempts than it allows, as after a change of RETRY_DELAYS', () => {
    expect([5, 100, Number.MAX_SAFE_INTEGER].map((failed) => policy.delayAfter(failed))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('gives exactly mostAttempts attempts to a message that always fails', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 100, max: 86_400_000 }), { minLength: 1, maxLength: 20 }), (delays) => {
        const { mostAttempts, delayAfter } = retryPolicy(delays);
        const waited: number[] = [];
        let failed = 1;
        for (let wait = delayAfter(failed); wait !== undefined; wait = delayAfter(++failed)) waited.push(wait);
        expect(waited).toEqual(delays);
        expect(failed).toBe(mostAttempts);
      }),
    );
  });
});
