// @ts-check
/** One process of the service, `node dist/main.js`, with its log in a file. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLinesOf, poll, remember, stopProcess } from '../processes.mjs';
import { checkoutDir } from '../services/checkout.mjs';

/** Connecting, checking the schema, declaring the topology: seconds at most. */
const START_TIMEOUT_MS = 60_000;

/** Above the service's own SHUTDOWN_TIMEOUT of 25 s. */
const DRAIN_TIMEOUT_MS = 35_000;

/**
 * @typedef {object} ServiceProcess
 * @property {string} role
 * @property {string} log path
 * @property {import('../processes.mjs').KnownProcess} process
 * @property {() => Promise<void>} drain asks it to stop, and waits
 */

/**
 * @param {object} options
 * @param {'api' | 'worker'} options.role
 * @param {NodeJS.ProcessEnv} options.env
 * @param {string} options.log
 * @param {(error: Error) => void} options.onDeath called when it ends without having been asked to
 * @returns {ServiceProcess}
 */
export function startService({ role, env, log, onDeath }) {
  const output = openSync(log, 'w');
  const child = spawn(process.execPath, [join(checkoutDir, 'dist', 'main.js')], {
    cwd: checkoutDir,
    env: { ...env, APP_ROLE: role },
    detached: true, // Ctrl-C is for the demo, which then asks it to drain
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  let asked = false;
  const died = (/** @type {string} */ how) =>
    asked || onDeath(new Error(`The ${role} process ${how}. Its log (${log}) ends with:\n${lastLinesOf(log)}`));
  child.once('error', (error) => died(`could not be started: ${error.message}`));
  child.once('exit', (code, signal) => died(signal ? `was ended by ${signal}` : `ended with code ${code}`));
  const known = remember(child.pid);
  if (known === undefined)
    throw new Error(`The ${role} process ended at once. Its log (${log}) ends with:\n${lastLinesOf(log)}`);
  return {
    role,
    log,
    process: known,
    drain: async () => {
      asked = true;
      const how = await stopProcess(known, { graceMs: DRAIN_TIMEOUT_MS });
      if (how === 'killed')
        throw new Error(
          `Expected the ${role} process to end within ${DRAIN_TIMEOUT_MS / 1000} s after SIGTERM; it had to be killed. Its log: ${log}`,
        );
    },
  };
}

/**
 * @param {ServiceProcess} service
 * @param {AbortSignal} signal
 * @returns {Promise<string>} where it listens
 */
export async function whenReady(service, signal) {
  const url = await poll(async () => listeningUrl(service.log), { timeoutMs: START_TIMEOUT_MS, signal });
  if (url === undefined) throw late(service, 'a log line "listening" with its url', 'none');
  let last = 'no answer';
  const ready = await poll(
    async () => {
      try {
        const response = await fetch(`${url}/health/ready`, { signal });
        last = `${response.status} ${await response.text()}`;
        return response.status === 200 || undefined;
      } catch (error) {
        last = String(error);
        return undefined;
      }
    },
    { timeoutMs: START_TIMEOUT_MS, signal },
  );
  if (ready === undefined) throw late(service, `200 from ${url}/health/ready`, last);
  return url;
}

/** @param {ServiceProcess} service @param {string} expected @param {string} got */
function late({ role, log }, expected, got) {
  return new Error(
    `Expected from the ${role} process within ${START_TIMEOUT_MS / 1000} s ${expected}, got ${got}. Its log (${log}) ends with:\n${lastLinesOf(log)}`,
  );
}

/** A process that listens on all addresses is reached on the loopback one. */
function listeningUrl(/** @type {string} */ log) {
  const line = jsonLines(log).find(({ msg, url }) => msg === 'listening' && typeof url === 'string');
  return (
    line &&
    String(line.url)
      .replace(/\/\/(0\.0\.0\.0|\[::1?\]|localhost)(?=[:/]|$)/, '//127.0.0.1')
      .replace(/\/$/, '')
  );
}

/** The last word of a process: its message, and the fields of its own (the counts). */
export function lastWord(/** @type {string} */ log) {
  const last = jsonLines(log).at(-1);
  if (last === undefined) return '(no log line)';
  const { level: _level, time: _time, pid: _pid, hostname: _hostname, msg, ...fields } = last;
  return `${msg ?? ''} ${Object.keys(fields).length > 0 ? JSON.stringify(fields) : ''}`.trim();
}

/** @param {string} path @returns {Record<string, unknown>[]} */
function jsonLines(path) {
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return line.startsWith('{') ? [JSON.parse(line)] : [];
      } catch {
        return []; // a line half written
      }
    });
}
