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
 * @param {readonly string[]} names
 * @param {Pick<import('./question.mjs').Context, 'quick' | 'services' | 'progress' | 'signal'>} options
 * @returns {Promise<import('./results.mjs').Result[]>}
 */
export async function ask(names, options) {
  const results = [];
  for (const name of names) {
    const startedAt = Date.now();
    const { default: question } = await import(
      pathToFileURL(join(checkoutDir, 'bench', 'questions', `${name}.mjs`)).href
    );
    options.progress.note(`${question.name}: ${question.asks}`);
    const result = await answer(question, options);
    const path = writeResult(result);
    options.progress.note(`${question.name}: answered in ${seconds(startedAt)}, recorded in ${path}`);
    print(
      `\n# ${question.asks}\n\n${settingsLine(result)}\n\n${measurementTable(result)}
${
  result.targets.length > 0
    ? `
${targetTable(result.targets)}
`
    : ''
}`,
    );
    results.push(result);
  }
  return results;
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
