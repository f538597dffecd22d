/** From values to places on a chart, without a chart. */

export interface Scale {
  /** The value at the top. */
  readonly max: number;
  /** Values that get a line, from 0 to `max`. */
  readonly ticks: readonly number[];
}

/** Steps that people count in. */
const STEPS = [1, 2, 2.5, 5, 10];

/**
 * A scale from 0 that holds `highest`, with two to five round ticks.
 * @param least what the top is at least, so that noise around nothing is not drawn as mountains
 */
export function scaleFor(highest: number, least: number): Scale {
  const top = Math.max(highest, least);
  const rough = top / 4;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = (STEPS.find((candidate) => candidate * magnitude >= rough * 0.999) ?? 10) * magnitude;
  const lines = Math.ceil(top / step - 1e-9);
  const ticks = Array.from({ length: lines + 1 }, (_, index) => Number((index * step).toPrecision(12)));
  return { max: ticks[lines] ?? top, ticks };
}

export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The place of a value in a frame. */
export function y(value: number, scale: Scale, frame: Frame): number {
  return frame.top + frame.height * (1 - Math.min(value, scale.max) / scale.max);
}

/** The place of a time (ms) in a frame that shows `from` to `to`. */
export function x(time: number, from: number, to: number, frame: Frame): number {
  return frame.left + (frame.width * (time - from)) / Math.max(1, to - from);
}

export interface Point {
  readonly time: number;
  readonly value: number | null;
}

/**
 * An SVG path through the points. Where a value is not known, or points are further apart than `gap` ms, the line ends
 * and starts again: nothing is drawn that nobody measured.
 */
export function linePath(
  points: readonly Point[],
  place: { readonly scale: Scale; readonly frame: Frame; readonly from: number; readonly to: number },
  gap: number,
): string {
  let path = '';
  let previous: number | undefined;
  points.forEach(({ time, value }, index) => {
    if (value === null) {
      previous = undefined;
      return;
    }
    const at = `${x(time, place.from, place.to, place.frame).toFixed(1)} ${y(value, place.scale, place.frame).toFixed(1)}`;
    const joins = previous !== undefined && time - previous <= gap;
    // A point alone would be invisible: a stroke of no length with round ends is a dot.
    const next = points[index + 1];
    const alone = !joins && (next === undefined || next.value === null || next.time - time > gap);
    path += `${joins ? 'L' : 'M'}${at}${alone ? 'h0' : ''}`;
    previous = time;
  });
  return path;
}

/** The index of the point nearest to a time; -1 when there is none. */
export function nearest(times: readonly number[], time: number): number {
  let best = -1;
  let distance = Infinity;
  times.forEach((candidate, index) => {
    const away = Math.abs(candidate - time);
    if (away < distance) {
      distance = away;
      best = index;
    }
  });
  return best;
}

/** Of many moments, about `at most` evenly spaced ones with the newest among them, newest first: for a table. */
export function sampled<T>(items: readonly T[], most: number): T[] {
  const step = Math.max(1, Math.ceil(items.length / most));
  return items.filter((_, index) => (items.length - 1 - index) % step === 0).reverse();
}
