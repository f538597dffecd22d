// @ts-check
/** Contenders take turns: what they are compared by took place next to each other, whatever the machine was doing. */
import { inWords } from './figures.mjs';

/**
 * @typedef {object} Entrant
 * @property {string} series
 * @property {(round: number) => Promise<{ figures: Record<string, number>, wrong: string[] }>} measure one run
 */

/**
 * Every round measures everybody once, each second round in the opposite order, so that a machine that grows slower or faster favours nobody.
 * @param {readonly Entrant[]} entrants
 * @param {object} options
 * @param {number} options.rounds
 * @param {import('../scripts/progress.mjs').Progress} options.progress
 * @param {AbortSignal} options.signal
 * @returns {Promise<import('./targets.cjs').Measurement[]>}
 */
export async function takeTurns(entrants, { rounds, progress, signal }) {
  /** @type {import('./targets.cjs').Measurement[]} */
  const measurements = [];
  for (let round = 1; round <= rounds; round++) {
    const order = round % 2 === 1 ? entrants : [...entrants].reverse();
    for (const { series, measure } of order) {
      signal.throwIfAborted();
      const { figures, wrong } = await measure(round);
      measurements.push({ series, round, figures, wrong });
      const words = wrong.length > 0 ? `WRONG: ${wrong[0]}` : inWords(figures);
      progress.note(`round ${round} of ${rounds}  ${series.padEnd(28)} ${words}`);
    }
  }
  return measurements;
}
