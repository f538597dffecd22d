// @ts-check
/** A program that takes messages from the queue: started once, measured many times. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, lastLinesOf, poll, remember, stopProcess } from '../scripts/processes.mjs';
import { checkoutDir } from '../scripts/services/checkout.mjs';
import { listenerOf, processorTime, residentMemory } from './processor-time.mjs';

export const logsDir = join(checkoutDir, '.local', 'bench-logs');

/** Everybody is connected long before; only a machine that is very busy takes longer. Each process needs about 1.5 s of CPU. Milliseconds. */
const START_TIMEOUT = { all: 60_000, each: 2_000 };

/** Time for what is in flight; the service's own limit is 25 s. */
const STOP_GRACE_MS = 30_000;

/** A drain that takes so much longer than expected, and this on top, is stuck. */
const PATIENCE = 8;
const PATIENCE_MS = 30_000;

/**
 * @typedef {object} Contender
 * @property {string} series its name in the results
 * @property {string} what one line for the report
 * @property {string[]} command
 * @property {NodeJS.ProcessEnv} [env] besides what the arena says
 * @property {number} [processes] default 1
 * @property {boolean} [interpreted] it has no compiler that must see everything first
 * @property {boolean} [countsNothing] it only acknowledges: there are no scores to check
 *
 * @typedef {object} Running
 * @property {Contender} contender
 * @property {import('./arena.mjs').Arena} arena
 * @property {import('../scripts/processes.mjs').KnownProcess[]} processes
 * @property {string[]} logs a path for each process
 * @property {() => Promise<void>} stop
 */

/**
 * Starts its processes, and waits until all of them consume.
 * @param {Contender} contender
 * @param {import('./arena.mjs').Arena} arena
 * @param {{ signal: AbortSignal, consumers?: number }} options consumers: of one process, where it has more than one
 * @returns {Promise<Running>}
 */
export async function start(contender, arena, { signal, consumers = 1 }) {
  const count = contender.processes ?? 1;
  const timeoutMs = START_TIMEOUT.all + count * START_TIMEOUT.each;
  const launched = Array.from({ length: count }, (_, index) => {
    const log = logFile(contender, index);
    return { log, process: launch(contender, { ...arena.env, ...contender.env }, log) };
  });
  /** @type {Running} */
  const running = {
    contender,
    arena,
    processes: launched.map(({ process }) => process),
    logs: launched.map(({ log }) => log),
    stop: async () => {
      await Promise.all(launched.map(({ process }) => stopProcess(process, { graceMs: STOP_GRACE_MS })));
    },
  };
  try {
    const consuming = await poll(
      async () => {
        expectAlive(running);
        const { consumerCount } = await arena.channel.checkQueue(arena.queue);
        return consumerCount >= count * consumers || undefined;
      },
      { timeoutMs, everyMs: 50, signal },
    );
    if (consuming === undefined)
      throw new Error(
        `${contender.series}: expected ${count * consumers} consumers within ${timeoutMs / 1000} s, got fewer. ${logOf(running)}`,
      );
  } catch (error) {
    await running.stop();
    throw error;
  }
  return running;
}

/** @param {Contender} contender @param {number} index of its process */
export function logFile({ series }, index) {
  mkdirSync(logsDir, { recursive: true });
  return join(logsDir, `${series.replaceAll(/[^\w.-]+/g, '-')}.${index}.log`);
}

/** @param {Contender} contender @param {NodeJS.ProcessEnv} env @param {string} log */
export function launch({ series, command: [program = '', ...args] }, env, log) {
  const output = openSync(log, 'w');
  const child = spawn(program, args, { cwd: checkoutDir, env, detached: true, stdio: ['ignore', output, output] });
  child.on('error', () => undefined); // there is no process then, which is said below
  closeSync(output);
  const known = remember(child.pid);
  if (known === undefined) throw new Error(`${series}: expected \`${program}\` to start, but it did not.`);
  return known;
}

/** @param {Running} running */
function expectAlive(running) {
  if (!running.processes.every(isAlive))
    throw new Error(`${running.contender.series} ended by itself. ${logOf(running)}`);
}

function logOf(/** @type {Running} */ { logs }) {
  return `Its log (${logs[0]}) ends with:\n${lastLinesOf(logs[0] ?? '', 3)}`;
}

/**
 * Lets it drain a backlog, and measures.
 * @param {Running} running
 * @param {import('./arena.mjs').Filling & { signal: AbortSignal, expectedSeconds?: number, settled?: number }} options settled: how many events must
 *   be counted in the end; default: those of this run
 * @returns {Promise<{ figures: Record<string, number>, wrong: string[] }>}
 */
export async function drain(running, { events, children, after, signal, expectedSeconds = 10, settled = events }) {
  const { arena, contender } = running;
  expectAlive(running);
  const filled = await arena.fill({ events, children, after });
  const meter = startMeter(running);
  const begun = await filled.begin();
  try {
    const ended = await arena.whenSettled(
      { from: (after ?? 0) + 1, to: (after ?? 0) + events },
      { signal, timeoutMs: expectedSeconds * PATIENCE * 1000 + PATIENCE_MS },
    );
    const used = meter();
    const seconds = Math.max(0.001, (ended - begun) / 1000);
    const wrong = await arena.check(settled);
    return { figures: { rate: events / seconds, seconds, events, ...perMessage(used, events) }, wrong };
  } catch (error) {
    signal.throwIfAborted();
    throw new Error(`${contender.series}: ${/** @type {Error} */ (error).message} ${logOf(running)}`, { cause: error });
  }
}

/**
 * @typedef {{ worker?: number, postgres?: number, rabbitmq?: number, memory?: number }} Used microseconds; MiB
 *
 * @param {Pick<Running, 'arena' | 'processes'>} running
 * @returns {() => Used} what has been used since
 */
export function startMeter({ arena, processes }) {
  const postgres = listenerOf(arena.env.DATABASE_URL ?? '', 5432);
  const rabbitmq = listenerOf(arena.env.RABBITMQ_URL ?? '', 5672);
  const read = () => ({
    worker: sum(processes.map(({ pid }) => processorTime(pid))),
    postgres: postgres === undefined ? undefined : processorTime(postgres),
    rabbitmq: rabbitmq === undefined ? undefined : processorTime(rabbitmq),
  });
  const before = read();
  return () => {
    const after = read();
    const since = (/** @type {'postgres' | 'rabbitmq'} */ name) => {
      const [now, then] = [after[name], before[name]];
      return now === undefined || then === undefined ? undefined : now - then;
    };
    return {
      worker: after.worker - before.worker,
      postgres: since('postgres'),
      rabbitmq: since('rabbitmq'),
      memory: sum(processes.map(({ pid }) => residentMemory(pid))),
    };
  };
}

/** @param {Used} used @param {number} messages @returns {Record<string, number>} */
export function perMessage({ worker, postgres, rabbitmq, memory }, messages) {
  /** @type {Record<string, number>} */
  const figures = {};
  if (worker !== undefined) figures.worker_us = worker / messages;
  if (postgres !== undefined) figures.postgres_us = postgres / messages;
  if (rabbitmq !== undefined) figures.rabbitmq_us = rabbitmq / messages;
  if (worker !== undefined && postgres !== undefined && rabbitmq !== undefined)
    figures.total_us = (worker + postgres + rabbitmq) / messages;
  if (memory !== undefined) figures.memory_mib = memory;
  return figures;
}

function sum(/** @type {number[]} */ values) {
  return values.reduce((total, value) => total + value, 0);
}
