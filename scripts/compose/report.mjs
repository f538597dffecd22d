// @ts-check
/** What was found: a table for people, and one line of JSON for programs. */
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

/** @typedef {{ name: string, got: string | number, expected: string, holds: boolean }} Check */

export function createReport() {
  /** @type {Check[]} */
  const checks = [];
  /** @type {Record<string, unknown>} */
  const told = {};
  /** @type {Record<string, number>} seconds */
  const times = {};

  /** @param {string} name @param {string | number} got @param {string} expected @param {boolean} holds */
  const check = (name, got, expected, holds) => {
    checks.push({ name, got: typeof got === 'number' ? Math.round(got * 10) / 10 : got, expected, holds });
    if (!holds) process.stderr.write(`✗ ${name}: expected ${expected}, got ${got}\n`);
  };
  const time = (/** @type {string} */ name, /** @type {number} */ seconds) =>
    void (times[name] = Math.round(seconds * 10) / 10);
  return {
    check,
    /** @param {string} name @param {string | number} got @param {string | number} expected */
    equal: (name, got, expected) => check(name, got, String(expected), got === expected),
    /** Something that must not be, which no figure says. @param {string} text */
    finding: (text) => check(text, 'found', 'not found', false),
    /** @param {string} name @param {unknown} value */
    tell: (name, value) => void (told[name] = value),
    time,
    /** @template T @param {string} name @param {() => Promise<T>} work @returns {Promise<T>} */
    timed: async (name, work) => {
      const startedAt = performance.now();
      const result = await work();
      time(name, (performance.now() - startedAt) / 1000);
      return result;
    },
    holds: () => checks.length > 0 && checks.every(({ holds }) => holds),
    write: () => {
      const rows = [
        ...checks.map(({ name, got, expected, holds }) => [holds ? 'ok' : 'NO', name, String(got), expected]),
        ...Object.entries(times).map(([name, seconds]) => ['', `time: ${name}`, `${seconds} s`, '']),
      ];
      const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
      for (const row of rows)
        process.stdout.write(
          `${row
            .map((cell, column) => cell.padEnd(widths[column] ?? 0))
            .join('  ')
            .trimEnd()}\n`,
        );
      const [processor] = cpus();
      const machine = `${cpus().length} × ${processor?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`;
      process.stdout.write(`${JSON.stringify({ ...told, machine, checks, seconds: times })}\n`);
    },
  };
}

/**
 * @param {string} log of one worker
 * @returns {Record<string, any>} empty when the last line is no JSON
 */
export function readLastLine(log) {
  try {
    const { msg, seconds, delivered, acked, retried, deferred, forwarded, deadLettered, handedBack, results } =
      JSON.parse(readFileSync(log, 'utf8').trimEnd().split('\n').at(-1) ?? '');
    return { msg, seconds, delivered, acked, retried, deferred, forwarded, deadLettered, handedBack, results };
  } catch {
    return {};
  }
}
