// @ts-check
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutDir } from '../services/checkout.mjs';

export const topicsFile = join(checkoutDir, 'samples', 'topic-agents.csv');

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {'http' | 'queue'} via
 * @property {Record<string, unknown>} [body]
 * @property {string} [text] a queue message that is sent as it stands
 * @property {string} [odd] what is special about it; these are reported one by one
 * @property {'settled'} [after] wait until everything before it has settled
 *
 * @typedef {{ posted: number, direct: number, processed: number, skipped: number, deadLettered: number, duplicates: number, rejected: number }} Totals
 *
 * @typedef {object} Topic
 * @property {number} score
 * @property {number} turns
 * @property {string} last_date
 * @property {string[]} agents_used
 * @property {string} friendship_level
 *
 * @typedef {object} Child
 * @property {string} user_id
 * @property {string} [name]
 * @property {number} friendship_score
 * @property {string} friendship_level
 * @property {number} streak_day
 * @property {string} last_interaction_date
 * @property {Record<string, Topic>} topics
 *
 * @typedef {{ children: Child[], odd: { name: string, outcome: string }[], totals: Totals }} Expected
 */

/** @returns {{ steps: Step[], expected: Expected }} */
export function readSamples() {
  /** @type {Step[]} */
  const steps = readJson('conversations.json');
  for (const [index, step] of steps.entries()) {
    const usable =
      typeof step.name === 'string' &&
      (step.via === 'http' ? step.body : step.via === 'queue' && (step.body ?? step.text) !== undefined);
    if (!usable)
      throw new Error(
        `samples/conversations.json, step ${index}: expected a name, via "http" with a body or "queue" with a body or text, got ${Object.keys(step).join(', ')} with via "${step.via}".`,
      );
  }
  return { steps, expected: readJson('expected.json') };
}

/** @param {string} name @returns {any} */
function readJson(name) {
  const path = join(checkoutDir, 'samples', name);
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new Error(`${path}: expected JSON, got: ${/** @type {Error} */ (cause).message}`, { cause });
  }
}
