// @ts-check
/** What came out, as tables, and what differs from what was expected. */

/**
 * @param {(Record<string, any> & { user_id: string })[]} children
 * @returns {string}
 */
export function childrenTable(children) {
  const rows = children.map(({ user_id, friendship_score, friendship_level, streak_day, topics }) => [
    user_id,
    String(friendship_score ?? '–'),
    String(friendship_level ?? '–'),
    String(streak_day ?? '–'),
    Object.entries(topics ?? {})
      .sort(([, a], [, b]) => b.score - a.score)
      .map(([id, { score }]) => `${id} ${score}`)
      .join(', '),
  ]);
  return table(['Child', 'Score', 'Level', 'Streak', 'Topics'], rows, [1, 3]);
}

/** Where the reasons of the odd ones are wrapped. */
const REASON_WIDTH = 72;

/** The odd ones, each with what became of it and why it is odd. @param {import('./play.mjs').Sent[]} sent */
export function oddTable(sent) {
  const rows = sent.flatMap(({ step, outcome }) => {
    if (!step.odd) return [];
    const [first = '', ...more] = wrapped(step.odd, REASON_WIDTH);
    return [[step.name, outcome ?? 'open', first], ...more.map((line) => ['', '', line])];
  });
  return table(['Step', 'What became of it', 'What is odd about it'], rows, []);
}

/** @param {string} text @param {number} width @returns {string[]} */
function wrapped(text, width) {
  return text.match(new RegExp(`.{1,${width}}(?:\\s+|$)`, 'g'))?.map((line) => line.trimEnd()) ?? [text];
}

/**
 * @param {string[]} head
 * @param {string[][]} rows
 * @param {number[]} numeric columns that are aligned to the right
 */
function table(head, rows, numeric) {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (/** @type {string[]} */ cells) =>
    cells
      .map((cell, column) =>
        numeric.includes(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [line(head), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)].join('\n');
}

/**
 * @param {import('./samples.mjs').Expected} expected
 * @param {{ children: (Record<string, any> & { user_id: string })[], sent: import('./play.mjs').Sent[], totals: import('./samples.mjs').Totals }} observed
 * @returns {string[]} one line per difference
 */
export function differences(expected, { children, sent, totals }) {
  /** @type {string[]} */
  const found = [];
  for (const { name, ...child } of expected.children) {
    const got = children.find(({ user_id }) => user_id === child.user_id);
    compare(child.user_id, child, got, found);
  }
  for (const { name, outcome } of expected.odd)
    compare(`${name}: outcome`, outcome, sent.find(({ step }) => step.name === name)?.outcome, found);
  compare('totals', expected.totals, totals, found);
  return found;
}

/**
 * Walks both sides; fields that only the service has are its own business, except topics, where one too many is wrong.
 * @param {string} path
 * @param {unknown} expected
 * @param {unknown} got
 * @param {string[]} found
 */
function compare(path, expected, got, found) {
  if (isObject(expected) && isObject(got)) {
    const tooMany = path.endsWith('.topics') ? Object.keys(got).filter((key) => !(key in expected)) : [];
    for (const key of [...Object.keys(expected), ...tooMany]) compare(`${path}.${key}`, expected[key], got[key], found);
  } else if (!isEqual(expected, got, path))
    found.push(
      `${path}: expected ${JSON.stringify(expected)}, got ${got === undefined ? 'nothing' : JSON.stringify(got)}`,
    );
}

/** @param {unknown} expected @param {unknown} got @param {string} path */
function isEqual(expected, got, path) {
  // The same instant may be written in more than one way.
  if (path.endsWith('_date') && typeof expected === 'string' && typeof got === 'string')
    return Date.parse(expected) === Date.parse(got);
  return JSON.stringify(expected) === JSON.stringify(got);
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
