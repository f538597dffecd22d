// @ts-check
/** Contenders take turns: what they are compared by took place next to each other, whatever the machine was doing. */
import { inWords } from './figures.mjs';

/**
 * @typedef {object} Entrant
 * @property {string} series
 * @property {(round: number) => Promise<{ figures: Record<string, number>, wrong: string[] }>} measure one run
 */

/** What no target looks at is there for the picture: its median is enough. */
const UNJUDGED_ROUNDS = 3;

/**
 * Every round measures everybody once, each second round in the opposite order, so that a machine that grows slower or faster favours nobody.
 * @param {readonly Entrant[]} entrants
 * @param {object} options
 * @param {number} options.rounds
 * @param {readonly import('./targets.cjs').Target[]} [options.targets] series that none of these names take part in the first rounds alone; default: all in all
 * @param {import('../scripts/progress.mjs').Progress} options.progress
 * @param {AbortSignal} options.signal
 * @returns {Promise<import('./targets.cjs').Measurement[]>}
 */
export async function takeTurns(entrants, { rounds, targets, progress, signal }) {
  const judged = targets && new Set(targets.flatMap(({ of, against }) => [of, against]));
  /** @type {import('./targets.cjs').Measurement[]} */
  const measurements = [];
  for (let round = 1; round <= rounds; round++) {
    const order = round % 2 === 1 ? entrants : [...entrants].reverse();
    for (const { series, measure } of order) {
      if (round > UNJUDGED_ROUNDS && judged && !judged.has(series)) continue;
      signal.throwIfAborted();
      const { figures, wrong } = await measure(round);
      measurements.push({ series, round, figures, wrong });
      const words = wrong.length > 0 ? `WRONG: ${wrong[0]}` : inWords(figures);
      progress.note(`round ${round} of ${rounds}  ${series.padEnd(28)} ${words}`);
    }
  }
  return measurements;
}
