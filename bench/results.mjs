// @ts-check
/** What a question found, as a file: bench/results/QUESTION.json, or QUESTION.quick.json, which git ignores. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutDir } from '../scripts/services/checkout.mjs';

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
 * @property {import('./targets.cjs').Measurement[]} measurements
 */

export const resultsDir = join(checkoutDir, 'bench', 'results');

/** @param {Result} result @returns {string} the path */
export function writeResult(result) {
  const path = join(resultsDir, `${result.question}${result.quick ? '.quick' : ''}.json`);
  const rounded = (/** @type {string} */ _key, /** @type {unknown} */ value) =>
    typeof value === 'number' ? Number(value.toPrecision(6)) : value;
  // A line for each run: diffs can be read, and files stay short.
  const { measurements, ...rest } = result;
  const head = JSON.stringify(rest, rounded, 2).slice(0, -2);
  const runs = measurements.map((run) => `    ${JSON.stringify(run, rounded)}`).join(',\n');
  writeFileSync(path, `${head},\n  "measurements": [\n${runs}\n  ]\n}\n`);
  return path;
}

/** @param {string} question @returns {Result | undefined} that of the last full run */
export function readResult(question) {
  const path = join(resultsDir, `${question}.json`);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}
