// @ts-check
/**
 * A Docker engine with Compose: the one that answers; else, as root on Debian, one of this run's own from Debian's packages,
 * with a folder, a socket and containers apart from everything else, which ends with the run and leaves nothing behind.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive, lastLines, lastLinesOf, poll, remember, run, stopProcess } from '../processes.mjs';
import { checkoutDir, checkoutHash } from '../services/checkout.mjs';
import { installDebianPackages } from '../services/debian-packages.mjs';
import { isOnPath } from '../services/find-binaries.mjs';
import { createControlGroup, removeControlGroup } from './cgroup.mjs';
import { composePlugin } from './compose-plugin.mjs';

/** What outlives a run: programs and images that are slow to make. Deleting it is always safe. */
export const cacheDir = join(checkoutDir, '.local', 'compose');

/** The engine of a run that was killed is found by this, and ended by the next. */
const recordFile = join(cacheDir, 'engine.json');

/** @type {import('../services/debian-packages.mjs').DockerPackage[]} */
const PACKAGES = ['docker.io', 'containerd', 'runc', 'tini', 'iptables'];

/**
 * Networks of its own without touching the machine's: no default bridge, no rule of the machine's firewall, no forwarding.
 * Published ports are served by Docker's proxy. Containers reach each other, and nothing else.
 */
const ENGINE_FLAGS = [
  '--bridge=none',
  '--iptables=false',
  '--ip6tables=false',
  '--ip-masq=false',
  '--ip-forward=false',
  '--userland-proxy=true',
];

const CONTROL_GROUP = `friendship-e2e-${checkoutHash}`;

const ENGINE_START_MS = 60_000;
/** It stops what still runs first. */
const ENGINE_STOP_MS = 90_000;

/**
 * @typedef {object} Engine
 * @property {string} name for people
 * @property {(args: string[], options?: import('../processes.mjs').RunOptions) => ReturnType<typeof run>} docker runs one command; never rejects
 * @property {(args: string[]) => import('node:child_process').ChildProcessWithoutNullStreams} follow starts a command that goes on until its subject ends
 */

/**
 * @param {import('../command.mjs').CommandContext} context
 * @returns {Promise<Engine>}
 */
export async function getEngine(context) {
  const { progress, signal } = context;
  await removeKilledEngine(progress.note);
  const missing = await whatIsMissing(process.env);
  if (missing === undefined) return engineWith('the engine that was there', process.env);
  progress.note(`${missing}: starting an engine of this run's own`);
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !isOnPath('apt-get'))
    throw new Error(
      `Expected a Docker engine with the compose plugin that answers (${missing}), or root on Debian to start one; got user ${process.getuid?.()} on ${process.platform}.`,
    );
  if (!existsSync('/usr/sbin/dockerd') || !isOnPath('iptables')) {
    const failure = await installDebianPackages(PACKAGES, { progress });
    if (failure !== undefined) throw new Error(`A Docker engine could not be installed: ${failure}`);
  }
  const plugin = await composePlugin({ cacheDir, progress, signal });
  return startEngine(plugin, context);
}

/** @param {NodeJS.ProcessEnv} env @returns {Promise<string | undefined>} undefined: nothing */
async function whatIsMissing(env) {
  if (!isOnPath('docker')) return 'no docker command found';
  const server = await run('docker', ['version', '--format', '{{.Server.Version}}'], { env, timeoutMs: 10_000 });
  if (server.code !== 0 || server.stdout.trim() === '') return 'no Docker engine answers';
  const compose = await run('docker', ['compose', 'version'], { env, timeoutMs: 10_000 });
  return compose.code === 0 ? undefined : 'Docker has no compose plugin';
}

/**
 * @param {string} plugin folder of the plugin
 * @param {import('../command.mjs').CommandContext} context
 */
async function startEngine(plugin, { progress, signal, onExit }) {
  // A socket's path may have 107 bytes: not below a checkout, which may lie deep.
  const folder = mkdtempSync(join(tmpdir(), 'friendship-docker-'));
  const data = join(cacheDir, 'engine-data');
  const config = join(folder, 'config');
  const log = join(cacheDir, 'engine.log');
  const socket = `unix://${join(folder, 'docker.sock')}`;
  mkdirSync(data, { recursive: true, mode: 0o710 });
  mkdirSync(config);
  writeFileSync(join(config, 'config.json'), JSON.stringify({ cliPluginsExtraDirs: [plugin] }));
  // Debian's client beside Debian's engine: another one on the PATH may be of another release, without BuildKit of its own.
  const env = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('DOCKER_'))),
    PATH: `/usr/sbin:/usr/bin:/sbin:/bin:${process.env.PATH}`,
    DOCKER_HOST: socket,
    DOCKER_CONFIG: config,
  };
  const args = [
    ...['--data-root', data, '--exec-root', join(folder, 'exec'), '--pidfile', join(folder, 'docker.pid')],
    ...['--host', socket, '--cgroup-parent', `/${CONTROL_GROUP}`, ...ENGINE_FLAGS],
  ];
  createControlGroup(CONTROL_GROUP);
  const output = openSync(log, 'w', 0o600);
  const child = spawn('/usr/sbin/dockerd', args, {
    cwd: folder,
    env,
    detached: true,
    stdio: ['ignore', output, output],
  });
  child.on('error', () => undefined); // reported below: there is no process
  child.unref();
  closeSync(output);
  const known = remember(child.pid);
  const record = { owner: remember(process.pid), engine: known, folders: [folder, data] };
  writeFileSync(recordFile, JSON.stringify(record));
  onExit('the Docker engine', () => progress.step('ending the engine and removing its data', () => endEngine(record)));

  await progress.step('starting a Docker engine', async () => {
    const state = await poll(
      async () => {
        if (!isAlive(known)) return 'ended';
        return (await whatIsMissing(env)) === undefined ? 'ready' : undefined;
      },
      { timeoutMs: ENGINE_START_MS, everyMs: 300, signal },
    );
    if (state !== 'ready')
      throw new Error(
        `dockerd ${state ?? `did not answer within ${ENGINE_START_MS / 1000} s`}. It said last:\n${lastLinesOf(log)}`,
      );
  });
  return engineWith("an engine of this run's own", env);
}

/** @param {string} origin @param {NodeJS.ProcessEnv} env @returns {Promise<Engine>} */
async function engineWith(origin, env) {
  /** @type {Engine['docker']} */
  const docker = (args, options = {}) => run('docker', args, { ...options, env: { ...env, ...options.env } });
  const { stdout } = await docker(['version', '--format', '{{.Server.Version}}']);
  const compose = await docker(['compose', 'version', '--short']);
  return {
    name: `Docker ${stdout.trim()} with Compose ${compose.stdout.trim()}, ${origin}`,
    docker,
    follow: (args) => spawn('docker', args, { env, stdio: 'pipe', detached: true }),
  };
}

/** @typedef {import('../processes.mjs').KnownProcess} KnownProcess */

/** @param {{ engine: KnownProcess | undefined, folders: string[] }} record */
async function endEngine({ engine, folders }) {
  await stopProcess(engine, { signal: 'SIGTERM', graceMs: ENGINE_STOP_MS });
  for (const folder of folders) await removeTree(folder);
  removeControlGroup(CONTROL_GROUP);
  rmSync(recordFile, { force: true });
}

/** What an engine that was killed had mounted is unmounted first: deleting must not reach into it. */
async function removeTree(/** @type {string} */ folder) {
  const mounted = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${folder}/`));
  for (const path of mounted.reverse()) {
    const { code, output } = await run('umount', [path], { timeoutMs: 30_000 });
    if (code !== 0) throw new Error(`${path} could not be unmounted, so ${folder} stays:\n${lastLines(output, 3)}`);
  }
  // Tens of thousands of files: the program is several times faster than Node's own, and never leaves the file system.
  const { code, output } = await run('rm', ['--recursive', '--force', '--one-file-system', folder]);
  if (code !== 0) throw new Error(`${folder} could not be deleted:\n${lastLines(output, 3)}`);
}

/** @param {(text: string) => void} note */
async function removeKilledEngine(note) {
  mkdirSync(cacheDir, { recursive: true });
  if (!existsSync(recordFile)) return;
  /** @type {{ owner: KnownProcess, engine: KnownProcess, folders: string[] }} */
  const record = JSON.parse(readFileSync(recordFile, 'utf8'));
  if (isAlive(record.owner))
    throw new Error(`Process ${record.owner.pid} runs the same in this checkout: one at a time.`);
  note('an earlier run was killed: ending the engine that it left');
  await endEngine(record);
}
