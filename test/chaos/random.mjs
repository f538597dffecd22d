// @ts-check
/** Random choices that a seed decides: the same seed gives the same conversations and the same order of faults. */
import { createHash } from 'node:crypto';

/**
 * @typedef {object} Random
 * @property {() => number} next 0 included, 1 not
 * @property {(least: number, most: number) => number} integer both included
 * @property {(probability: number) => boolean} chance
 * @property {<T>(from: readonly T[]) => T} pick
 * @property {<T>(list: readonly T[]) => T[]} shuffled
 * @property {(name: string) => Random} fork a sequence of its own, which other draws do not disturb
 */

/** @param {string} seed @returns {Random} */
export function createRandom(seed) {
  let state = createHash('sha256').update(seed).digest().readUInt32LE(0);
  // mulberry32
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (/** @type {number} */ least, /** @type {number} */ most) =>
    least + Math.floor(next() * (most - least + 1));
  return {
    next,
    integer,
    chance: (probability) => next() < probability,
    pick: (from) => /** @type {any} */ (from[integer(0, from.length - 1)]),
    shuffled: (list) => {
      const result = [...list];
      for (let index = result.length - 1; index > 0; index--) {
        const other = integer(0, index);
        [result[index], result[other]] = /** @type {any} */ ([result[other], result[index]]);
      }
      return result;
    },
    fork: (name) => createRandom(`${seed}/${name}`),
  };
}
