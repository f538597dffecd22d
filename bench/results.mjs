// @ts-check
/** What a question found, as a file: bench/results/QUESTION.json, or QUESTION.quick.json, which git ignores; with a picture beside it. */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutDir } from '../scripts/services/checkout.mjs';
import { chart } from './chart.mjs';

/**
 * @typedef {object} Result
 * @property {string} question
 * @property {string} asks
 * @property {boolean} quick
 * @property {import('./machine.mjs').Surroundings} surroundings
 * @property {number} minutes that it took
 * @property {Record<string, string | number>} settings
 * @property {Record<string, string>} series what each is
 * @property {import('./targets.cjs').Verdict[]} targets
 * @property {readonly import('./question.mjs').Chart[]} charts
 * @property {readonly import('./line-chart.mjs').Lines[]} [lines]
 * @property {import('./targets.cjs').Measurement[]} measurements
 */

export const resultsDir = join(checkoutDir, 'bench', 'results');

/** @param {Result} result @returns {string} the path */
export function writeResult(result) {
  const path = join(resultsDir, `${result.question}${result.quick ? '.quick' : ''}.json`);
  mkdirSync(resultsDir, { recursive: true });
  const rounded = (/** @type {string} */ _key, /** @type {unknown} */ value) =>
    typeof value === 'number' ? Number(value.toPrecision(6)) : value;
  // A line for each run: diffs can be read, and files stay short.
  const { measurements, ...rest } = result;
  const head = JSON.stringify(rest, rounded, 2).slice(0, -2);
  const runs = measurements.map((run) => `    ${JSON.stringify(run, rounded)}`).join(',\n');
  writeFileSync(path, `${head},\n  "measurements": [\n${runs}\n  ]\n}\n`);
  // From what was written, not from what was measured: `npm run docs` has nothing else to draw it from.
  writeFileSync(path.replace(/json$/, 'svg'), `${chart(JSON.parse(readFileSync(path, 'utf8')))}\n`);
  return path;
}

/** @returns {Result[]} those of the last full runs, by question */
export function readResults() {
  return readdirSync(resultsDir)
    .filter((file) => file.endsWith('.json') && !file.endsWith('.quick.json'))
    .sort()
    .map((file) => JSON.parse(readFileSync(join(resultsDir, file), 'utf8')));
}
