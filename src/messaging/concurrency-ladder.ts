/** The rungs between which an adaptive worker moves. */

/** From one rung to the next: fine enough to end near the best, coarse enough that a step shows beyond the noise. */
export const STEP = 1.5;

/**
 * Messages in flight at each rung, from `min` to `max`, both included. Every rung is one more consumer with a prefetch of its
 * own that never changes: 1, 2, 3, 5, 8, … are consumers of 1, 1, 1, 2, 3, …
 */
export function concurrencyLadder(min: number, max: number): number[] {
  const rungs = [min];
  for (let rung = min; rung < max; rungs.push(rung)) {
    const next = Math.max(rung + 1, Math.round(rung * STEP));
    // A last step of less than half a rung could never show that it gains.
    rung = next * Math.sqrt(STEP) > max ? max : next;
  }
  return rungs;
}

/** The prefetch of each rung's consumer. */
export function prefetches(ladder: readonly number[]): number[] {
  return ladder.map((rung, index) => (index === 0 ? rung : rung - ladder[index - 1]));
}

/** @returns the index of the highest rung that is not above `concurrency`; the lowest at least */
export function rungFor(ladder: readonly number[], concurrency: number): number {
  return Math.max(
    0,
    ladder.findLastIndex((rung) => rung <= concurrency),
  );
}
