/** The little statistics that a comparison of noisy runs needs. */

/** @param sorted in rising order @param share 0..1 @returns 0 for an empty list */
export function percentile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return 0;
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))];
}

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

export function percentiles(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => percentile(sorted, share);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

/** Student's t for a two-sided interval of 90 %, by degrees of freedom; the last is that of the normal distribution. */
const T_90 = [6.31, 2.92, 2.35, 2.13, 2.02, 1.94, 1.89, 1.86, 1.83, 1.81, 1.64];

/**
 * The ratio of paired runs, a / b, with the interval that holds it with 90 %. Ratios are averaged as logarithms, so that
 * a twice as fast and half as fast weigh the same. One pair has no interval.
 */
export function pairedRatio(a: readonly number[], b: readonly number[]): { ratio: number; low: number; high: number } {
  const logs = a.slice(0, b.length).map((value, index) => Math.log(value / b[index]));
  const centre = mean(logs);
  const ratio = Math.exp(centre);
  if (logs.length < 2) return { ratio, low: 0, high: Infinity };
  const spread = Math.sqrt(logs.reduce((sum, log) => sum + (log - centre) ** 2, 0) / (logs.length - 1));
  const half = (T_90[Math.min(logs.length - 2, T_90.length - 1)] * spread) / Math.sqrt(logs.length);
  return { ratio, low: Math.exp(centre - half), high: Math.exp(centre + half) };
}
