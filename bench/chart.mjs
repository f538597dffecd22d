// @ts-check
/** A result as a picture: horizontal bars, and lines, in one SVG file that needs nothing else. */
import { FIGURES, format } from './figures.mjs';
import { lineChart } from './line-chart.mjs';
import { medianOf, seriesOf } from './report.mjs';

const WIDTH = 860;
const LABELS = 330;
const VALUES = 90;
const ROW = 24;
const BAR = 15;
const HEAD = 46;
const GAP = 26;

/** Told apart by the colour-blind too (Okabe and Ito). */
const COLOURS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9'];

/** @param {import('./results.mjs').Result} result @returns {string} SVG */
export function chart(result) {
  let y = 34;
  const parts = [text(16, 22, result.asks, 'font-size="15" font-weight="600"')];
  const drawn = [...result.charts.map((one) => bars(result, one)), ...(result.lines ?? []).map(lineChart)];
  for (const { height, svg } of drawn) {
    if (height === 0) continue;
    parts.push(`<g transform="translate(0 ${y})">${svg}</g>`);
    y += height + GAP;
  }
  parts.push(
    text(
      16,
      y + 4,
      `${result.surroundings.commit}, ${result.surroundings.date.slice(0, 10)}; medians, lines from least to most`,
      'fill="#666"',
    ),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y + 18}" viewBox="0 0 ${WIDTH} ${y + 18}" font-family="system-ui, sans-serif" font-size="12" fill="#222">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...parts,
    '</svg>',
  ].join('\n');
}

/** @param {import('./results.mjs').Result} result @param {import('./question.mjs').Chart} one */
function bars(result, { title, figures, stacked = false }) {
  const shown = stacked ? figures : figures.slice(0, 1);
  const rows = seriesOf(result).flatMap((series) => {
    const found = shown.map((figure) => medianOf(result, series, figure));
    return found.some(Boolean) ? [{ series, found }] : [];
  });
  if (rows.length === 0) return { height: 0, svg: '' };
  const totals = rows.map(({ found }) => found.reduce((sum, median) => sum + (median?.value ?? 0), 0));
  const most = Math.max(...totals, ...(stacked ? [] : rows.map(({ found }) => found[0]?.high ?? 0)));
  const scale = (WIDTH - LABELS - VALUES) / (most || 1);
  const unit = FIGURES[shown[0] ?? '']?.unit ?? '';
  const parts = [text(16, 16, `${title}${unit ? `, ${unit}` : ''}`, 'font-weight="600"')];
  if (stacked) {
    shown.forEach((figure, index) => {
      const x = LABELS + index * 120;
      parts.push(
        `<rect x="${x}" y="24" width="11" height="11" fill="${COLOURS[index]}"/>`,
        text(x + 16, 34, FIGURES[figure]?.title ?? figure),
      );
    });
  }
  rows.forEach(({ series, found }, row) => {
    const y = HEAD + row * ROW;
    parts.push(text(LABELS - 10, y + BAR - 3, series, 'text-anchor="end"'));
    let x = LABELS;
    found.forEach((median, index) => {
      const width = (median?.value ?? 0) * scale;
      parts.push(`<rect x="${round(x)}" y="${y}" width="${round(width)}" height="${BAR}" fill="${COLOURS[index]}"/>`);
      x += width;
    });
    const [only] = found;
    if (!stacked && only) {
      const middle = y + BAR / 2;
      parts.push(
        `<path d="M${round(LABELS + only.low * scale)} ${middle}H${round(LABELS + only.high * scale)}" stroke="#222" stroke-width="1.5"/>`,
      );
      x = Math.max(x, LABELS + only.high * scale);
    }
    parts.push(text(round(x + 6), y + BAR - 3, format(shown[0] ?? '', totals[row] ?? 0)));
  });
  return { height: HEAD + rows.length * ROW, svg: parts.join('') };
}

/** @param {number} x @param {number} y @param {string} words @param {string} [attributes] */
function text(x, y, words, attributes = '') {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x}" y="${y}"${attributes ? ` ${attributes}` : ''}>${escaped}</text>`;
}

function round(/** @type {number} */ value) {
  return Math.round(value * 10) / 10;
}
