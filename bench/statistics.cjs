// @ts-check
/** Medians, and what can be said about the ratio of two programs that ran in pairs. Arithmetic only. */

/** 97.5 % points of Student's t, by degrees of freedom from 1 on; above the list the normal distribution's is close enough. */
const T_975 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];
const NORMAL_975 = 1.96;

/** @typedef {{ value: number, low: number, high: number, count: number }} Estimate the value, its 95 % interval, and from how many it was made */

/**
 * The value below which a part of the others lies, interpolated between neighbours.
 * @param {readonly number[]} values at least one
 * @param {number} part 0..1: 0.5 is the median
 */
function quantile(values, part) {
  if (values.length === 0) throw new Error('Expected at least one value, got none.');
  const sorted = [...values].sort((a, b) => a - b);
  const position = (sorted.length - 1) * part;
  const below = /** @type {number} */ (sorted[Math.floor(position)]);
  const above = /** @type {number} */ (sorted[Math.ceil(position)]);
  return below + (above - below) * (position - Math.floor(position));
}

/** @param {readonly number[]} values */
function median(values) {
  return quantile(values, 0.5);
}

/**
 * The geometric mean with its 95 % interval (Student's t on the logarithms). Ratios are multiplied, not added: twice as fast
 * and half as fast must cancel out. One value alone is taken for what it is.
 * @param {readonly number[]} values all above 0
 * @returns {Estimate}
 */
function geometricMean(values) {
  const wrong = values.find((value) => !(value > 0 && Number.isFinite(value)));
  if (wrong !== undefined) throw new Error(`Expected numbers above 0, got ${wrong}.`);
  const count = values.length;
  if (count === 0) throw new Error('Expected at least one value, got none.');
  const logs = values.map(Math.log);
  const mean = logs.reduce((sum, log) => sum + log, 0) / count;
  const value = Math.exp(mean);
  if (count === 1) return { value, low: value, high: value, count };
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (count - 1);
  const margin = (T_975[count - 2] ?? NORMAL_975) * Math.sqrt(variance / count);
  return { value, low: Math.exp(mean - margin), high: Math.exp(mean + margin), count };
}

/**
 * How many times as much the first has as the second, from runs that took place next to each other.
 * @param {readonly (readonly [number, number])[]} pairs
 * @returns {Estimate}
 */
function pairedRatio(pairs) {
  return geometricMean(pairs.map(([ours, theirs]) => ours / theirs));
}

module.exports = { geometricMean, median, pairedRatio, quantile };
