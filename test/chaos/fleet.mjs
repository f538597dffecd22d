// @ts-check
/** The service's processes: api and worker slots, each with links of its own to the broker and the database. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, lastLinesOf, poll, remember, stopProcess } from '../../scripts/processes.mjs';
import { Link } from './link.mjs';

/** SHUTDOWN_TIMEOUT of the processes, and how long one may take to end after SIGTERM: its own margin of 4 s, and a busy machine's. */
export const SHUTDOWN_TIMEOUT_MS = 10_000;
const STOP_LIMIT_MS = SHUTDOWN_TIMEOUT_MS + 7_000;

const READY_TIMEOUT_MS = 60_000;

/**
 * @typedef {object} FleetOptions
 * @property {string} dist the build that runs
 * @property {NodeJS.ProcessEnv} env
 * @property {string} logs
 * @property {{ port: number, url: string }} database
 * @property {{ port: number, url: string }} broker
 * @property {number} apis
 * @property {number} workers
 * @property {number} [places] for workers: some more than there are at first, since scaling up fills them
 * @property {string[]} preload scripts that every process loads first
 * @property {(process: import('../../scripts/processes.mjs').KnownProcess | undefined) => void} onProcess
 * @property {(text: string) => void} note
 */

/** @typedef {{ process: string, how: string, log: string }} Incident */

/** One place for a process; the process in it changes, its links and an api's port stay. */
export class Slot {
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #child;
  /** @type {import('../../scripts/processes.mjs').KnownProcess | undefined} */
  #known;
  #generation = 0;
  #asked = false;
  #options;
  log = '';
  /** Whether a process should run here. */
  wanted = false;

  /**
   * @param {'api' | 'worker'} role
   * @param {string} name
   * @param {number} port
   * @param {Link} database
   * @param {Link} broker
   * @param {FleetOptions & { crashes: Incident[], lateStops: Incident[] }} options
   */
  constructor(role, name, port, database, broker, options) {
    this.role = role;
    this.name = name;
    this.port = port;
    this.database = database;
    this.broker = broker;
    this.#options = options;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Of the process in it, if there is one. */
  get pid() {
    return this.#child?.exitCode === null ? this.#child.pid : undefined;
  }

  start() {
    const { dist, env, logs, preload, database, broker, onProcess } = this.#options;
    this.wanted = true;
    this.#asked = false;
    this.log = join(logs, `${this.name}.${String(++this.#generation).padStart(3, '0')}.log`);
    const output = openSync(this.log, 'a');
    const first = preload.flatMap((script) => ['-r', script]);
    const child = spawn(process.execPath, ['--enable-source-maps', ...first, join(dist, 'main.js')], {
      env: {
        ...env,
        APP_ROLE: this.role,
        // Grouped and per-message commits must get along.
        COMMIT_GROUP_SIZE: Number(this.name.at(-1)) % 2 === 1 ? '1' : '50',
        PORT: String(this.port),
        DATABASE_URL: this.database.through(database.url),
        RABBITMQ_URL: this.broker.through(broker.url),
        CHAOS_DIST: dist,
        CHAOS_WITNESS: `${this.log}.witness`,
      },
      detached: true, // Ctrl-C is for the run, which then ends it
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    this.#child = child;
    this.#known = remember(child.pid);
    onProcess(this.#known);
    child.once('exit', (code, signal) => this.#ended(child, signal ?? `code ${code}`));
  }

  get listening() {
    return (
      this.#child?.exitCode === null &&
      existsSync(this.log) &&
      readFileSync(this.log, 'latin1').includes('"msg":"listening"')
    );
  }

  /** It dies in the middle of whatever it does. */
  async kill() {
    this.#asked = true;
    await stopProcess(this.#known, { signal: 'SIGKILL' });
  }

  /** It is asked to end, and must have ended in time. @returns its exit code, or the signal that ended it */
  async stop() {
    this.wanted = false;
    const child = this.#child;
    // Before it listens it does not listen to signals either, and has nothing to hand back.
    const orderly = this.listening;
    this.#asked = true;
    const exit = child && child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
    const how = await stopProcess(this.#known, { graceMs: STOP_LIMIT_MS });
    const [code, signal] = (await exit) ?? [0, null];
    if (orderly && (how === 'killed' || code !== 0))
      this.#options.lateStops.push({
        process: this.name,
        how:
          how === 'killed'
            ? `not gone ${STOP_LIMIT_MS / 1000} s after SIGTERM`
            : `ended with ${signal ?? code} after SIGTERM`,
        log: this.log,
      });
    return signal ?? code ?? 0;
  }

  /** It stands still, as a machine does that is out of memory; then it goes on as if nothing had been. @param {number} milliseconds @param {AbortSignal} signal */
  async pause(milliseconds, signal) {
    const known = this.#known;
    if (!known || !isAlive(known)) return;
    process.kill(known.pid, 'SIGSTOP');
    try {
      await delay(milliseconds, undefined, { signal });
    } finally {
      if (isAlive(known)) process.kill(known.pid, 'SIGCONT');
    }
  }

  async ready(/** @type {AbortSignal} */ signal) {
    let last = 'no answer';
    const check = async () => {
      if (!this.listening) return undefined;
      last = await this.#readiness();
      return /^{"status":"ok"/.test(last) || undefined;
    };
    const ready = await poll(check, {
      timeoutMs: READY_TIMEOUT_MS,
      everyMs: 250,
      signal,
    });
    if (!ready)
      throw new Error(
        `${this.name}: expected it to be ready within ${READY_TIMEOUT_MS / 1000} s, got ${last.slice(0, 600)}. Its log (${this.log}) ends with:\n${lastLinesOf(this.log)}`,
      );
  }

  async #readiness() {
    const url =
      this.role === 'api' ? this.url : /"msg":"listening","url":"([^"]+)"/.exec(readFileSync(this.log, 'latin1'))?.[1];
    try {
      return await (await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2_000) })).text();
    } catch (error) {
      return String(error);
    }
  }

  /** @param {import('node:child_process').ChildProcess} child @param {string} how */
  #ended(child, how) {
    if (this.#asked || child !== this.#child) return;
    this.#options.crashes.push({ process: this.name, how, log: this.log });
    this.#options.note(`${this.name} ended by itself (${how}); its log: ${this.log}`);
    if (this.wanted) setTimeout(() => this.wanted && child === this.#child && this.start(), 500);
  }
}

/** @param {FleetOptions} options */
export async function createFleet(options) {
  /** @type {Incident[]} */
  const crashes = [];
  /** @type {Incident[]} */
  const lateStops = [];
  /** @type {Incident[]} */
  const stuck = [];
  const slot = async (/** @type {'api' | 'worker'} */ role, /** @type {number} */ number) => {
    const database = await new Link(() => options.database.port).listen();
    const broker = await new Link(() => options.broker.port).listen();
    const port = role === 'api' ? await freePort() : 0;
    return new Slot(role, `${role}-${number}`, port, database, broker, { ...options, crashes, lateStops });
  };
  const apis = await Promise.all(Array.from({ length: options.apis }, (_, index) => slot('api', index + 1)));
  const { places = options.workers + 2 } = options;
  const workers = await Promise.all(Array.from({ length: places }, (_, index) => slot('worker', index + 1)));
  const slots = [...apis, ...workers];
  return {
    apis,
    workers,
    slots,
    crashes,
    lateStops,
    /** Not ready long after the last fault. */
    stuck,
    start: async (/** @type {AbortSignal} */ signal) => {
      const first = [...apis, ...workers.slice(0, options.workers)];
      for (const one of first) one.start();
      for (const one of first) await one.ready(signal);
    },
    /** All links open, every process up that should be. */
    restore: async (/** @type {AbortSignal} */ signal) => {
      for (const { database, broker } of slots) for (const link of [database, broker]) link.heal();
      const running = workers.filter(({ wanted }) => wanted);
      for (const one of workers) if (!one.wanted && running.length < options.workers) (one.start(), running.push(one));
      for (const one of [...apis, ...running]) {
        try {
          await one.ready(signal);
        } catch (error) {
          signal.throwIfAborted();
          stuck.push({ process: one.name, how: /** @type {Error} */ (error).message, log: one.log });
          options.note(`${one.name} did not come back; another takes its place. Its log: ${one.log}`);
          await one.kill();
          one.start();
        }
      }
    },
    /** SIGTERM to the workers: what they leave behind shows in the queues. */
    drainWorkers: () => Promise.all(workers.filter(({ wanted }) => wanted).map((one) => one.stop())),
    end: async () => {
      for (const one of slots) one.wanted = false;
      await Promise.all(slots.map((one) => one.kill()));
      for (const { database, broker } of slots) for (const link of [database, broker]) link.close();
    },
  };
}

/** @typedef {Awaited<ReturnType<typeof createFleet>>} Fleet */

/** @returns {Promise<number>} on the loopback address, free a moment ago */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}
