// @ts-check
/**
 * Processes: run one and see what it said, recognise one again after a restart of ours, stop one.
 * A pid alone is not enough to stop something (the system gives pids out again), so a process is remembered
 * with its identity: the moment it started.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** @typedef {{ pid: number, identity: string }} KnownProcess */

/**
 * Who a pid is now, or undefined when it does not run (a zombie counts as gone).
 * @param {number} pid
 * @returns {string | undefined}
 */
export function identityOf(pid) {
  if (process.platform !== 'linux') {
    const { stdout, status } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
    return status === 0 ? stdout.trim() || undefined : undefined;
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything; the fields that count follow the last one. Start time is field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return `${bootId()}:${fields[19]}`;
  } catch {
    return undefined;
  }
}

/** Start times count from the boot, so they only mean something together with it. */
function bootId() {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return 'unknown-boot';
  }
}

/**
 * @param {number | undefined} pid
 * @returns {KnownProcess | undefined} undefined when it is gone already
 */
export function remember(pid) {
  const identity = pid === undefined ? undefined : identityOf(pid);
  return pid === undefined || identity === undefined ? undefined : { pid, identity };
}

/** @param {KnownProcess | undefined} known */
export function isAlive(known) {
  return known !== undefined && identityOf(known.pid) === known.identity;
}

/**
 * Asks a process to stop, then insists. Does nothing when it is gone, or when its pid belongs to another by now.
 * @param {KnownProcess | undefined} known
 * @param {{ signal?: NodeJS.Signals, graceMs?: number, group?: boolean }} [options] group: it leads a process group, all of which must go
 * @returns {Promise<'gone' | 'stopped' | 'killed'>}
 */
export async function stopProcess(known, { signal = 'SIGTERM', graceMs = 15_000, group = false } = {}) {
  if (known === undefined || !isAlive(known)) return 'gone';
  const target = group ? -known.pid : known.pid;
  const gone = async () => (group ? !send(target, 0) : !isAlive(known)) || undefined;
  send(target, signal);
  if (await poll(gone, { timeoutMs: graceMs, everyMs: 40 })) return 'stopped';
  send(target, 'SIGKILL');
  await poll(gone, { timeoutMs: 5_000, everyMs: 40 });
  return 'killed';
}

/**
 * @param {number} target a pid, or a process group as its negative
 * @param {NodeJS.Signals | 0} signal
 * @returns {boolean} false when there is nobody
 */
function send(target, signal) {
  try {
    return process.kill(target, signal);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ESRCH') return false;
    throw error;
  }
}

/**
 * Calls `check` until it gives something else than undefined.
 * @template T
 * @param {() => Promise<T | undefined>} check
 * @param {{ timeoutMs: number, everyMs?: number, signal?: AbortSignal }} options
 * @returns {Promise<T | undefined>} undefined when the time is up; rejects when the signal is aborted
 */
export async function poll(check, { timeoutMs, everyMs = 100, signal }) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const result = await check();
    if (result !== undefined) return result;
    if (Date.now() >= deadline) return undefined;
    await delay(everyMs);
  }
}

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env]
 * @property {string} [input] written to stdin
 * @property {{ uid: number, gid: number }} [user] run as this user (root only)
 * @property {number} [timeoutMs]
 * @property {AbortSignal} [signal] aborting ends the command
 * @property {'inherit' | 'pipe'} [stdin] 'inherit' lets it ask on the terminal (a password for sudo)
 * @property {boolean} [ownGroup] keep a Ctrl-C in the terminal away from it
 */

/**
 * Runs a command to its end. Never rejects: a command that is not there has code 127, one that took too long 124.
 * @param {string} command
 * @param {string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<{ code: number, stdout: string, output: string }>} output is stdout and stderr as they came
 */
export function run(command, args, options = {}) {
  const { cwd, env, input, user, timeoutMs, signal, stdin = 'pipe', ownGroup = false } = options;
  return new Promise((resolve) => {
    let stdout = '';
    let output = '';
    let timedOut = false;
    const child = spawn(command, args, { cwd, env, ...user, detached: ownGroup, stdio: [stdin, 'pipe', 'pipe'] });
    const end = () => child.kill('SIGTERM');
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => ((timedOut = true), end()), timeoutMs);
    if (signal?.aborted) end();
    signal?.addEventListener('abort', end, { once: true });
    child.stdout?.on('data', (chunk) => ((stdout += chunk), (output += chunk)));
    child.stderr?.on('data', (chunk) => (output += chunk));
    child.stdin?.on('error', () => undefined); // it may end without reading its input
    child.stdin?.end(input ?? '');
    const settle = (/** @type {number} */ code) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve({ code, stdout, output });
    };
    child.once('error', (error) => {
      output += error.message;
      settle(127);
    });
    child.once('close', (code) => settle(timedOut ? 124 : (code ?? 1)));
  });
}

/** The last lines of a text, indented, for an error message. */
export function lastLines(/** @type {string} */ text, count = 20) {
  const lines = text.trimEnd().split('\n').slice(-count);
  return lines.map((line) => `    ${line}`).join('\n');
}

/** The last lines of a file; a file that cannot be read has none. */
export function lastLinesOf(/** @type {string} */ path, count = 20) {
  try {
    return lastLines(readFileSync(path, 'utf8'), count);
  } catch {
    return '    (nothing was written)';
  }
}
