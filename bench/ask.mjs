// @ts-check
/** Asks questions one after the other: runs each, judges it, records it, shows it. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { seconds } from '../scripts/progress.mjs';
import { checkoutDir } from '../scripts/services/checkout.mjs';
import { createArenas } from './arena.mjs';
import { surroundings } from './machine.mjs';
import { measurementTable, settingsLine, targetTable } from './report.mjs';
import { writeResult } from './results.mjs';
import targets from './targets.cjs';

/**
 * One that cannot be answered does not keep the others from being asked.
 * @param {readonly string[]} names
 * @param {Pick<import('./question.mjs').Context, 'quick' | 'services' | 'progress' | 'signal'>} options
 * @returns {Promise<import('./results.mjs').Result[]>}
 * @throws {Error} at the end, when a question could not be answered
 */
export async function ask(names, options) {
  const results = [];
  const unanswered = [];
  for (const name of names) {
    try {
      results.push(await askOne(name, options));
    } catch (error) {
      options.signal.throwIfAborted();
      if (names.length === 1) throw error;
      const { message } = /** @type {Error} */ (error);
      unanswered.push(`${name}: ${message}`);
      options.progress.note(`${name}: not answered: ${message}`);
    }
  }
  if (names.length > 1) print(`\n# Every target\n\n${targetTable(results.flatMap((result) => result.targets))}\n`);
  if (unanswered.length > 0)
    throw new Error(`Expected an answer to every question, got none to ${unanswered.join('; ')}`);
  return results;
}

/**
 * @param {string} name
 * @param {Pick<import('./question.mjs').Context, 'quick' | 'services' | 'progress' | 'signal'>} options
 */
async function askOne(name, options) {
  const startedAt = Date.now();
  const { default: question } = await import(
    pathToFileURL(join(checkoutDir, 'bench', 'questions', `${name}.mjs`)).href
  );
  options.progress.note(`${question.name}: ${question.asks}`);
  const result = await answer(question, options);
  const path = writeResult(result);
  options.progress.note(`${question.name}: answered in ${seconds(startedAt)}, recorded in ${path}`);
  print(`\n# ${question.asks}\n\n${settingsLine(result)}\n\n${measurementTable(result)}\n`);
  if (result.targets.length > 0) print(`${targetTable(result.targets)}\n`);
  return result;
}

/**
 * @param {import('./question.mjs').Question} question
 * @param {Pick<import('./question.mjs').Context, 'quick' | 'services' | 'progress' | 'signal'>} options
 * @returns {Promise<import('./results.mjs').Result>}
 */
async function answer(question, { quick, services, progress, signal }) {
  const startedAt = Date.now();
  const where = await surroundings(services);
  /** @type {{ name: string, undo: () => Promise<void> }[]} */
  const undos = [];
  const onExit = (/** @type {string} */ name, /** @type {() => Promise<void>} */ undo) =>
    void undos.push({ name, undo });
  try {
    const arenas = await createArenas({ services, signal, onExit });
    const {
      settings,
      measurements,
      series = {},
      lines,
    } = await question.run({ quick, services, arenas, progress, signal, onExit });
    const judged = question.targets.filter(({ only }) => only === undefined || only === (quick ? 'quick' : 'full'));
    return {
      question: question.name,
      asks: question.asks,
      quick,
      surroundings: where,
      minutes: (Date.now() - startedAt) / 60_000,
      settings,
      series,
      targets: judged.map((target) => targets.judge(target, measurements)),
      charts: question.charts,
      ...(lines && { lines }),
      measurements,
    };
  } finally {
    for (const { name, undo } of undos.reverse()) {
      await undo().catch((error) => progress.note(`cleaning up ${name} failed: ${error.message}`));
    }
  }
}

function print(/** @type {string} */ text) {
  process.stdout.write(`${text}\n`);
}
