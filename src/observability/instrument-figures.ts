/** Reads instruments of prom-client as plain numbers. */
import type { Counter, Gauge, Histogram } from 'prom-client';

/** A distribution: how many values fell into each bucket. The last bucket is beyond the last bound. */
export interface HistogramFigures {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
}

type Labels = Readonly<Partial<Record<string, string | number>>>;

/** The sum over all label values that `matches` takes. */
export async function readCounter(
  instrument: Counter | Gauge,
  matches: (labels: Labels) => boolean = () => true,
): Promise<number> {
  const { values } = await instrument.get();
  return values.reduce((sum, { labels, value }) => (matches(labels) ? sum + value : sum), 0);
}

/** The sum of the distributions of all label values that `matches` takes. @param bounds of the instrument */
export async function readHistogram(
  instrument: Histogram,
  bounds: readonly number[],
  matches: (labels: Labels) => boolean = () => true,
): Promise<HistogramFigures> {
  const { values } = await instrument.get();
  const upTo = new Map<number, number>();
  let sum = 0;
  for (const { metricName, labels, value } of values) {
    if (!matches(labels)) continue;
    if (metricName?.endsWith('_sum')) sum += value;
    else if (metricName?.endsWith('_bucket')) {
      const bound = labels.le === '+Inf' ? Infinity : Number(labels.le);
      upTo.set(bound, (upTo.get(bound) ?? 0) + value);
    }
  }
  // prom-client counts everything up to a bound.
  const cumulative = [...bounds, Infinity].map((bound) => upTo.get(bound) ?? 0);
  return { bounds, counts: cumulative.map((count, index) => count - (cumulative[index - 1] ?? 0)), sum };
}
