// @ts-check
/**
 * One process at a time, also after the holder was killed.
 *
 * The lock is the file with the highest number; it names its holder. Whoever finds the holder gone, or the lock released,
 * creates the next number, which only one can. The highest number is never deleted, so no two can ever
 * believe to have broken the same stale lock.
 */
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, poll, remember } from '../processes.mjs';

/** Longer than an installation of packages and a download of images take together. */
const WAIT_MS = 15 * 60_000;

/**
 * @template T
 * @param {string} folder
 * @param {() => Promise<T>} work
 * @param {{ signal?: AbortSignal, onWait?: (pid: number) => void }} [options]
 * @returns {Promise<T>}
 */
export async function withLock(folder, work, { signal, onWait } = {}) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let told = 0;
  const mine = await poll(
    async () => {
      const attempt = tryLock(folder);
      if (attempt.file === undefined && attempt.holder !== told && attempt.holder !== 0)
        onWait?.((told = attempt.holder));
      return attempt.file;
    },
    { timeoutMs: WAIT_MS, everyMs: 100, signal },
  );
  if (mine === undefined)
    throw new Error(
      `${folder}: expected process ${told} to release the lock within ${WAIT_MS / 60_000} minutes; it did not.`,
    );
  try {
    return await work();
  } finally {
    writeWhole(mine, { released: true });
  }
}

/**
 * @param {string} folder
 * @returns {{ file?: string, holder: number }} file: the lock is ours; else holder is who has it (0: somebody was faster)
 */
function tryLock(folder) {
  const highest = Math.max(0, ...numbers(folder));
  const current = highest === 0 ? { released: true } : read(numbered(folder, highest));
  if (!current.released && isAlive(current.holder)) return { holder: current.holder.pid };
  const mine = numbered(folder, highest + 1);
  const draft = join(folder, `draft.${process.pid}.${highest + 1}`);
  writeFileSync(draft, JSON.stringify({ holder: remember(process.pid) }));
  try {
    linkSync(draft, mine); // with its content or not at all, and only if nobody else did
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    return { holder: 0 };
  } finally {
    rmSync(draft, { force: true });
  }
  // Others may have come and gone between the look and the link, and cleaned up our number: then it means nothing.
  if (Math.max(...numbers(folder)) !== highest + 1) {
    rmSync(mine, { force: true });
    return { holder: 0 };
  }
  for (const number of numbers(folder)) if (number <= highest) rmSync(numbered(folder, number), { force: true });
  return { file: mine, holder: process.pid };
}

/** @param {string} folder */
function numbers(folder) {
  return readdirSync(folder)
    .flatMap((name) => /^lock\.(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number);
}

/** @param {string} folder @param {number} number */
function numbered(folder, number) {
  return join(folder, `lock.${number}`);
}

/** @param {string} path @returns {any} */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return { released: true }; // deleted by a faster one: creating the next number will fail or be void
  }
}

/** @param {string} path @param {unknown} value */
function writeWhole(path, value) {
  writeFileSync(`${path}.released`, JSON.stringify(value));
  renameSync(`${path}.released`, path);
}
