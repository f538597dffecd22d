// @ts-check
/** The service's own tuner, for questions about it: as a command, and piece by piece from the build. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { checkoutDir } from '../scripts/services/checkout.mjs';

/** @typedef {import('./question.mjs').Context} Context */
/** @typedef {{ workers: number, concurrency: number, poolSize: number, group: number }} Point */
/** @typedef {{ serviceTime: number, cpuTime: number }} Mix milliseconds */

const built = createRequire(import.meta.url);
const fromBuild = (/** @type {string} */ file) => built(join(checkoutDir, 'dist', file));

/**
 * `tune` with these arguments; its report is written to a folder.
 * @param {string} name for the progress
 * @param {readonly string[]} args
 * @param {string} folder
 * @param {Context} context
 * @returns {Promise<any>} what it has written as JSON
 */
export async function tune(name, args, folder, { services, progress, signal }) {
  const env = { PATH: process.env.PATH, DATABASE_URL: services.databaseUrl, RABBITMQ_URL: services.rabbitmqUrl };
  const cli = join(checkoutDir, 'dist', 'cli.js');
  const child = spawn(process.execPath, [cli, 'tune', ...args, '--out', folder], {
    env,
    detached: true, // Ctrl-C is for the benchmark, which then ends it
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const end = () => child.kill('SIGINT');
  signal.addEventListener('abort', end, { once: true });
  const ended = once(child, 'close');
  for await (const line of createInterface(child.stderr)) progress.note(`${name}  ${line.trim()}`);
  const [code] = await ended;
  signal.removeEventListener('abort', end);
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`${name}: expected tune to end with code 0, got ${code}.`);
  return JSON.parse(readFileSync(join(folder, 'tune.json'), 'utf8'));
}

/**
 * A stage of the tuner's: a database, queues and workers of its own.
 * @param {Mix} mix
 * @param {number} warmUp milliseconds
 * @param {Context} context
 */
export async function openStage(mix, warmUp, { services, onExit }) {
  const { Stage } = fromBuild('operations/tune/stage.js');
  const { readEnvironment } = fromBuild('config/environment.js');
  const { syntheticConversations } = fromBuild('operations/tune/conversation-mix.js');
  const server = readEnvironment({
    APP_ROLE: 'worker',
    DATABASE_URL: services.databaseUrl,
    RABBITMQ_URL: services.rabbitmqUrl,
  });
  const stage = await Stage.create(server, { mix, warmUp, users: 1_000, templates: syntheticConversations() });
  let open = true;
  const remove = async () => {
    if (open) await stage.remove();
    open = false;
  };
  onExit(stage.databaseName, remove);
  return { stage, remove };
}

/** What `plan` says of a point of this machine, messages a second. @param {Point} point @param {Mix} mix @param {object} costs */
export function predict(point, mix, costs) {
  const { capacity } = fromBuild('operations/plan/capacity.js');
  return capacity(point, mix, { cores: cpus().length, shared: true }, costs).perSecond;
}
