/** Charts as SVG text. No script and nothing to load, so a report opens anywhere and stays as it is. */

export interface Series {
  readonly name: string;
  /** Which of the palette's colours, from 1. */
  readonly colour: number;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Without marks on the points; for many of them. */
  readonly plain?: boolean;
}

export interface LineChart {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly series: readonly Series[];
  readonly logX?: boolean;
  readonly logY?: boolean;
  readonly mark?: { readonly x: number; readonly y: number; readonly label: string };
}

const WIDTH = 720;
const HEIGHT = 300;
/** At the top there is room for the mark's words. */
const FRAME = { left: 64, right: 110, top: 32, bottom: 44 };

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

export function lineChart({ title, x, y, series, logX = false, logY = false, mark }: LineChart): string {
  const all = series.flatMap(({ points }) => points);
  if (all.length === 0) return '';
  const horizontal = scale(
    all.map(([value]) => value),
    FRAME.left,
    WIDTH - FRAME.right,
    logX,
  );
  const vertical = scale(
    [...all.map(([, value]) => value), ...(logY ? [] : [0])],
    HEIGHT - FRAME.bottom,
    FRAME.top,
    logY,
  );
  const grid = vertical.ticks.map(
    (tick) =>
      `<line class="grid" x1="${FRAME.left}" x2="${WIDTH - FRAME.right}" y1="${at(vertical.of(tick))}" y2="${at(vertical.of(tick))}"/>` +
      `<text class="tick" x="${FRAME.left - 8}" y="${at(vertical.of(tick) + 4)}" text-anchor="end">${short(tick)}</text>`,
  );
  const below = horizontal.ticks.map(
    (tick) =>
      `<text class="tick" x="${at(horizontal.of(tick))}" y="${HEIGHT - FRAME.bottom + 18}" text-anchor="middle">${short(tick)}</text>`,
  );
  const lines = series.map(({ name, colour, points, plain }) => {
    const path = points
      .map(([px, py], index) => `${index === 0 ? 'M' : 'L'}${at(horizontal.of(px))} ${at(vertical.of(py))}`)
      .join('');
    const dots = plain
      ? ''
      : points
          .map(
            ([px, py]) =>
              `<circle class="fill-${colour}" cx="${at(horizontal.of(px))}" cy="${at(vertical.of(py))}" r="4"><title>${escapeHtml(name)}: ${short(px)} → ${short(py)}</title></circle>`,
          )
          .join('');
    return `<path class="line line-${colour}" d="${path}"/>${dots}`;
  });
  const marked = mark
    ? `<circle class="mark" cx="${at(horizontal.of(mark.x))}" cy="${at(vertical.of(mark.y))}" r="9"/>` +
      `<text class="marked" x="${at(horizontal.of(mark.x))}" y="${at(vertical.of(mark.y) - 14)}" text-anchor="middle">${escapeHtml(mark.label)}</text>`
    : '';
  return (
    `<figure><figcaption>${escapeHtml(title)}</figcaption>${legend(series)}<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)}">` +
    grid.join('') +
    below.join('') +
    `<text class="axis" x="${(FRAME.left + WIDTH - FRAME.right) / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escapeHtml(x)}</text>` +
    `<text class="axis" x="14" y="${HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 14 ${HEIGHT / 2})">${escapeHtml(y)}</text>` +
    lines.join('') +
    marked +
    '</svg></figure>'
  );
}

export interface Bar {
  readonly label: string;
  /** Lengths in the order of the names. */
  readonly parts: readonly number[];
  readonly strong?: boolean;
}

/** Horizontal stacked bars, with a line at `limit`. */
export function stackedBars(
  title: string,
  names: readonly string[],
  bars: readonly Bar[],
  limit: { at: number; label: string },
): string {
  if (bars.length === 0) return '';
  const left = 190;
  const row = 26;
  const height = bars.length * row + 44;
  const most = Math.max(limit.at, ...bars.map(({ parts }) => parts.reduce((sum, part) => sum + part, 0)));
  const width = (value: number) => (value / most) * (WIDTH - left - 40);
  const rows = bars.map(({ label, parts, strong }, index) => {
    let from = left;
    const pieces = parts.map((part, number) => {
      const rectangle = `<rect class="fill-${number + 1}" x="${at(from)}" y="${index * row + 26}" width="${at(Math.max(0, width(part) - 1))}" height="16"><title>${escapeHtml(names[number])}: ${part.toFixed(2)} cores</title></rect>`;
      from += width(part);
      return rectangle;
    });
    return `<text class="${strong ? 'marked' : 'tick'}" x="${left - 8}" y="${index * row + 38}" text-anchor="end">${escapeHtml(label)}</text>${pieces.join('')}`;
  });
  const line = left + width(limit.at);
  return (
    `<figure><figcaption>${escapeHtml(title)}</figcaption>${legend(names.map((name, index) => ({ name, colour: index + 1 })))}` +
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(title)}">${rows.join('')}` +
    `<line class="limit" x1="${at(line)}" x2="${at(line)}" y1="20" y2="${height - 8}"/><text class="tick" x="${at(line)}" y="14" text-anchor="end">${escapeHtml(limit.label)}</text></svg></figure>`
  );
}

function legend(series: readonly { readonly name: string; readonly colour: number }[]): string {
  if (series.length < 2) return '';
  return `<p class="legend">${series.map(({ name, colour }) => `<span><i class="back-${colour}"></i>${escapeHtml(name)}</span>`).join('')}</p>`;
}

function scale(values: readonly number[], from: number, to: number, logarithmic: boolean) {
  const positive = logarithmic ? values.filter((value) => value > 0) : values;
  const low = Math.min(...positive);
  const high = Math.max(...positive);
  if (logarithmic) {
    const [a, b] = [Math.log10(low), Math.log10(high) === Math.log10(low) ? Math.log10(low) + 1 : Math.log10(high)];
    const ticks = [];
    for (let power = Math.floor(a); power <= b; power++)
      for (const step of b - a > 2.5 ? [1] : [1, 2, 5])
        if (step * 10 ** power >= low * 0.99 && step * 10 ** power <= high * 1.01) ticks.push(step * 10 ** power);
    return { of: (value: number) => from + ((Math.log10(Math.max(value, low)) - a) / (b - a)) * (to - from), ticks };
  }
  const span = high - low || 1;
  const rough = span / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * unit).find((candidate) => candidate >= rough) ?? rough;
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step) ticks.push(tick);
  return { of: (value: number) => from + ((value - low) / span) * (to - from), ticks };
}

function at(value: number): string {
  return value.toFixed(1);
}

function short(value: number): string {
  if (Math.abs(value) >= 10_000) return `${Number((value / 1_000).toFixed(1))}k`;
  return Number(value.toFixed(Math.abs(value) >= 10 ? 0 : 2)).toLocaleString('en-US');
}
