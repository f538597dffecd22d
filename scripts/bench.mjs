// @ts-check
/**
 * `npm run bench -- QUESTION [--quick] [--json]`: measures, next to what else one could have built, and judges. bench/README.md tells more.
 *
 *   npm run bench -- throughput            one question, recorded in bench/results/
 *   npm run bench -- throughput --quick    fewer and shorter runs, for a look
 *   npm run bench -- all                   every question, but for tuning and adaptive
 *
 * The summary goes to stdout; with --json its last line is `{"targets":[{"name":…,"value":…,"target":…,"pass":…}],…}`.
 * The exit code is 0 whether targets are met or not: that is a result. It is 1 when a question could not be answered.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runCommand } from './command.mjs';
import { ensureBuilt, ensureInstalled } from './prepare.mjs';
import { provideServices } from './services.mjs';
import { checkoutDir } from './services/checkout.mjs';
import { withLock } from './services/lock.mjs';

/** A question is a file. */
const QUESTIONS = readdirSync(join(checkoutDir, 'bench', 'questions'))
  .filter((file) => file.endsWith('.mjs'))
  .map((file) => file.replace('.mjs', ''));

/** Asked by their names alone: half an hour about the service's own tuner, which `all` has no room for. */
const NOT_OF_ALL = ['tuning', 'adaptive'];

/** @param {string[]} args */
function readOptions(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { quick: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
  });
  const [question, ...more] = positionals;
  const names = [...QUESTIONS, 'all'];
  if (question === undefined || more.length > 0 || !names.includes(question))
    throw new Error(
      `Expected one question of ${names.join(', ')}; got ${question === undefined ? 'none' : `"${positionals.join(' ')}"`}.`,
    );
  return {
    questions: question === 'all' ? QUESTIONS.filter((name) => !NOT_OF_ALL.includes(name)) : [question],
    ...values,
  };
}

/** @type {import('./command.mjs').Command} */
async function main({ args, progress, signal, onExit }) {
  const { questions, quick, json } = readOptions(args);
  /** @type {string | undefined} */
  let summary;
  // Registered first, so done last: nothing may follow this line.
  onExit('the summary', async () => void (summary && process.stdout.write(`${summary}\n`)));

  await ensureInstalled({ progress, signal });
  await ensureBuilt({ progress, signal });
  const services = await provideServices({ progress, signal });
  onExit('services', services.stop);
  // Only now: it needs what has just been installed.
  const { ask } = await import('../bench/ask.mjs');
  // One at a time: two would measure each other, and they have the same databases and queues.
  const results = await withLock(
    join(checkoutDir, '.local', 'bench-lock'),
    () => ask(questions, { quick, services, progress, signal }),
    {
      signal,
      onWait: (pid) => progress.note(`waiting for process ${pid}, which measures`),
    },
  );
  if (json) {
    const targets = results.flatMap((result) => result.targets);
    summary = JSON.stringify({ targets, commit: results[0]?.surroundings.commit, quick, questions });
  }
}

await runCommand(main);
