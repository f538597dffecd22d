// @ts-check
/** A run as a picture: rates, queue and replicas over the same seconds, in one SVG file that follows the reader's light or dark theme. */

const WIDTH = 860;
const LEFT = 56;
const RIGHT = 16;
const HEAD = 34;
const PANEL = 130;
const GAP = 44;

/** Told apart by the colour-blind too (Okabe and Ito), and by their dashes. */
const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #222 }
  .title { font-weight: 600 } .head { font-size: 15px; font-weight: 600 } .faint { fill: #666 }
  .page { fill: #fff } .grid { stroke: #ddd } .burst { fill: #f0e442; opacity: .25 }
  .a { stroke: #0072b2 } .b { stroke: #d55e00; stroke-dasharray: 5 3 } .c { stroke: #009e73; stroke-dasharray: 1.5 2.5 }
  .line { fill: none; stroke-width: 1.8; stroke-linejoin: round }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } .faint { fill: #999 } .page { fill: #16191d } .grid { stroke: #333a42 } .burst { opacity: .14 }
    .a { stroke: #56b4e9 } .b { stroke: #e69f00 } .c { stroke: #2fd3a3 }
  }`;

/** @typedef {{ name: string, points: [seconds: number, value: number][], steps?: boolean }} Line */
/** @typedef {{ title: string, lines: Line[] }} Panel at most three lines */

/**
 * @param {{ title: string, foot: string, seconds: number, burst: [from: number, to: number], panels: Panel[] }} run
 * @returns {string} SVG
 */
export function chart({ title, foot, seconds, burst, panels }) {
  const height = HEAD + panels.length * (PANEL + GAP) + 16;
  const x = (/** @type {number} */ at) => round(LEFT + (at / seconds) * (WIDTH - LEFT - RIGHT));
  const parts = panels.map((panel, index) => panelOf(panel, HEAD + index * (PANEL + GAP), { x, seconds, burst }));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">`,
    `<style>${STYLE}\n</style>`,
    '<rect class="page" width="100%" height="100%"/>',
    text(16, 22, title, 'class="head"'),
    ...parts,
    text(16, height - 12, foot, 'class="faint"'),
    '</svg>',
    '',
  ].join('\n');
}

/** @param {Panel} panel @param {number} top @param {{ x: (at: number) => number, seconds: number, burst: [number, number] }} time */
function panelOf({ title, lines }, top, { x, seconds, burst }) {
  const most = Math.max(1, ...lines.flatMap(({ points }) => points.map(([, value]) => value)));
  const step = niceStep(most / 4);
  const ceiling = Math.ceil(most / step) * step;
  const head = top + 18;
  const foot = top + PANEL;
  const y = (/** @type {number} */ value) => round(foot - (value / ceiling) * (foot - head - 4));
  const parts = [
    text(16, top + 8, title, 'class="title"'),
    `<rect class="burst" x="${x(burst[0])}" y="${head}" width="${round(x(burst[1]) - x(burst[0]))}" height="${foot - head}"/>`,
  ];
  for (let value = 0; value <= ceiling; value += step)
    parts.push(
      `<path class="grid" d="M${LEFT} ${y(value)}H${WIDTH - RIGHT}"/>`,
      text(LEFT - 6, y(value) + 4, String(value), 'text-anchor="end" class="faint"'),
    );
  const secondsStep = niceStep(seconds / 8);
  for (let at = 0; at <= seconds; at += secondsStep)
    parts.push(text(x(at), foot + 15, `${at} s`, 'text-anchor="middle" class="faint"'));
  lines.forEach(({ name, points, steps }, index) => {
    const kind = 'abc'.charAt(index);
    const legend = 240 + index * 205;
    const path = points.map(([at, value], nth) =>
      nth === 0 ? `M${x(at)} ${y(value)}` : steps ? `H${x(at)}V${y(value)}` : `L${x(at)} ${y(value)}`,
    );
    parts.push(
      `<path class="line ${kind}" d="${path.join('')}"/>`,
      `<path class="line ${kind}" d="M${legend} ${top + 4}h24"/>`,
      text(legend + 30, top + 8, name),
    );
  });
  return parts.join('\n');
}

/** @param {number} least @returns {number} 1, 2 or 5 times a power of ten, and no fraction */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10);
}

/** @param {number} x @param {number} y @param {string} words @param {string} [attributes] */
function text(x, y, words, attributes = '') {
  return `<text x="${x}" y="${y}"${attributes ? ` ${attributes}` : ''}>${escaped(words)}</text>`;
}

/** @param {string} words */
function escaped(words) {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}
