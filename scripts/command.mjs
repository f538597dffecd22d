// @ts-check
/**
 * The frame of every script here: it turns signals into one AbortSignal, undoes what was done in the opposite order
 * whatever happens, and ends with an honest exit code.
 */
import { createProgress } from './progress.mjs';

/**
 * @typedef {object} CommandContext
 * @property {string[]} args
 * @property {import('./progress.mjs').Progress} progress
 * @property {AbortSignal} signal aborted by Ctrl-C, SIGTERM or SIGHUP
 * @property {(name: string, undo: () => Promise<void>) => void} onExit undone at the end, last one first
 *
 * @typedef {(context: CommandContext) => Promise<number | void>} Command gives the exit code
 */

/** A terminal's Ctrl-C arrives twice when npm passes it on as well; only a later one means impatience. */
const SAME_SIGNAL_MS = 1_000;

const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/** @param {Command} command */
export async function runCommand(command) {
  const progress = createProgress();
  const controller = new AbortController();
  /** @type {{ name: string, undo: () => Promise<void> }[]} */
  const undos = [];
  /** @type {number | undefined} */
  let interruptedAs;
  let interruptedAt = 0;

  for (const [signal, code] of Object.entries(EXIT_CODES)) {
    process.on(signal, () => {
      if (interruptedAs === undefined) {
        interruptedAs = code;
        interruptedAt = Date.now();
        progress.note(`${signal}: cleaning up (once more: leave everything as it is)`);
        controller.abort(new Error(`interrupted by ${signal}`));
      } else if (Date.now() - interruptedAt > SAME_SIGNAL_MS) process.exit(code);
    });
  }

  let code = 0;
  let completed = false;
  try {
    const args = process.argv.slice(2);
    code =
      (await command({
        args,
        progress,
        signal: controller.signal,
        onExit: (name, undo) => undos.push({ name, undo }),
      })) ?? 0;
    completed = true;
  } catch (error) {
    code = 1;
    if (interruptedAs === undefined) report(error);
  }
  for (const { name, undo } of undos.reverse()) {
    try {
      await undo();
    } catch (error) {
      code ||= 1;
      process.stderr.write(`Cleaning up ${name} failed:\n`);
      report(error);
    }
  }
  // A command may take Ctrl-C as its normal end. Not process.exit(): what was written to a pipe may still be on its way.
  process.exitCode = completed ? code : (interruptedAs ?? code);
}

/** What a person needs; the stack only when asked for, since these errors speak for themselves. */
function report(/** @type {unknown} */ error) {
  const text = error instanceof Error ? (process.env.DEBUG ? error.stack : error.message) : String(error);
  process.stderr.write(`\n${text}\n`);
}
