/** Arithmetic on histograms, pure. */
import type { HistogramFigures } from '../../observability/instrument-figures';

export function countOf({ counts }: HistogramFigures): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Whether two can be added: versions of the service may differ in their buckets. */
function alike(a: HistogramFigures, b: HistogramFigures): boolean {
  return a.bounds.length === b.bounds.length && a.bounds.every((bound, index) => bound === b.bounds[index]);
}

/** Both together; undefined counts as empty, and one with other buckets is left out. */
export function add(a: HistogramFigures | undefined, b: HistogramFigures): HistogramFigures {
  if (!a || !alike(a, b)) return a ?? b;
  return { bounds: a.bounds, counts: a.counts.map((count, index) => count + b.counts[index]), sum: a.sum + b.sum };
}

/** What came between an earlier and a later reading of one process. */
export function difference(later: HistogramFigures, earlier: HistogramFigures | undefined): HistogramFigures {
  if (!earlier || !alike(later, earlier)) return later;
  return {
    bounds: later.bounds,
    counts: later.counts.map((count, index) => count - earlier.counts[index]),
    sum: later.sum - earlier.sum,
  };
}

/** @returns null when nothing was counted */
export function meanOf(histogram: HistogramFigures): number | null {
  const count = countOf(histogram);
  return count === 0 ? null : histogram.sum / count;
}

/**
 * Within a bucket values are taken to be spread evenly, as Prometheus does; beyond the last bound only that bound is known.
 * @param q 0..1 @returns null when nothing was counted
 */
export function quantile({ bounds, counts }: HistogramFigures, q: number): number | null {
  const count = counts.reduce((sum, each) => sum + each, 0);
  if (count === 0) return null;
  const rank = q * count;
  let below = 0;
  for (let index = 0; index < bounds.length; index++) {
    if (counts[index] > 0 && below + counts[index] >= rank) {
      const lower = index === 0 ? 0 : bounds[index - 1];
      return lower + (bounds[index] - lower) * Math.max(0, (rank - below) / counts[index]);
    }
    below += counts[index];
  }
  return bounds[bounds.length - 1];
}
