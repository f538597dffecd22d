// @ts-check
/** Lines over a common axis, as a part of a picture. */

/**
 * @typedef {object} Lines
 * @property {string} title
 * @property {string} x
 * @property {string} y
 * @property {boolean} [logX]
 * @property {readonly { name: string, points: readonly (readonly [number, number])[] }[]} series
 * @property {readonly { at: number, label: string }[]} [marks] moments, or places, on the x axis
 */

const WIDTH = 860;
const FRAME = { left: 60, right: 130, top: 34, bottom: 46 };
const HEIGHT = 250;

/** Told apart by the colour-blind too (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9'];

/** @param {Lines} lines @returns {{ height: number, svg: string }} */
export function lineChart({ title, x, y, logX = false, series, marks = [] }) {
  const all = series.flatMap(({ points }) => points);
  const xs = [...all.map(([value]) => value), ...marks.map(({ at }) => at)];
  const of = (/** @type {number} */ value) => (logX ? Math.log10(value) : value);
  const [from, to] = [Math.min(...xs.map(of)), Math.max(...xs.map(of))];
  const most = Math.max(...all.map(([, value]) => value)) || 1;
  const right = WIDTH - FRAME.right;
  const px = (/** @type {number} */ value) =>
    round(FRAME.left + ((of(value) - from) / (to - from || 1)) * (right - FRAME.left));
  const py = (/** @type {number} */ value) =>
    round(HEIGHT - FRAME.bottom - (value / most) * (HEIGHT - FRAME.bottom - FRAME.top));
  const parts = [text(16, 16, title, 'font-weight="600"')];
  for (const tick of ticks(most)) {
    parts.push(
      `<path d="M${FRAME.left} ${py(tick)}H${right}" stroke="#ddd"/>`,
      text(FRAME.left - 6, py(tick) + 4, tick.toLocaleString('en-US'), 'text-anchor="end" fill="#666"'),
    );
  }
  const places = logX ? [...new Set(all.map(([value]) => value))] : ticks(to).filter((tick) => tick >= from);
  for (const place of places)
    parts.push(
      text(px(place), HEIGHT - FRAME.bottom + 16, place.toLocaleString('en-US'), 'text-anchor="middle" fill="#666"'),
    );
  parts.push(
    text((FRAME.left + right) / 2, HEIGHT - 12, x, 'text-anchor="middle" fill="#666"'),
    text(FRAME.left, FRAME.top - 6, y, 'fill="#666"'),
  );
  for (const { at, label } of marks)
    parts.push(
      `<path d="M${px(at)} ${FRAME.top}V${HEIGHT - FRAME.bottom}" stroke="#222" stroke-dasharray="4 3"/>`,
      text(px(at) + 4, FRAME.top + 10, label),
    );
  series.forEach(({ name, points }, index) => {
    const colour = COLOURS[index % COLOURS.length];
    const path = points.map(([a, b], number) => `${number === 0 ? 'M' : 'L'}${px(a)} ${py(b)}`).join('');
    parts.push(`<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    if (logX) parts.push(...points.map(([a, b]) => `<circle cx="${px(a)}" cy="${py(b)}" r="3" fill="${colour}"/>`));
    parts.push(
      `<rect x="${right + 14}" y="${FRAME.top + index * 20}" width="11" height="11" fill="${colour}"/>`,
      text(right + 30, FRAME.top + index * 20 + 10, name),
    );
  });
  return { height: HEIGHT, svg: parts.join('') };
}

/** About five round numbers up to the most. @param {number} most */
function ticks(most) {
  const rough = most / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * unit).find((candidate) => candidate >= rough) ?? rough;
  return Array.from({ length: Math.floor(most / step + 1e-6) + 1 }, (_, index) => index * step);
}

/** @param {number} x @param {number} y @param {string} words @param {string} [attributes] */
function text(x, y, words, attributes = '') {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x}" y="${y}"${attributes ? ` ${attributes}` : ''}>${escaped}</text>`;
}

function round(/** @type {number} */ value) {
  return Math.round(value * 10) / 10;
}
