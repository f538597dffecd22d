// @ts-check
/**
 * The four images that the service and its stack stand on: those that Dockerfile and docker-compose.yml name, where a registry answers;
 * else stand-ins from Debian's packages and npm's registry, which take the same variables. They are given by the variables that both files have.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lastLines, run } from '../processes.mjs';
import { checkoutDir } from '../services/checkout.mjs';
import { installDebianPackages } from '../services/debian-packages.mjs';
import { isOnPath } from '../services/find-binaries.mjs';
import { debianMirror } from './compose-plugin.mjs';
import { cacheDir } from './engine.mjs';

/** @typedef {'NODE_IMAGE' | 'RUNTIME_IMAGE' | 'POSTGRES_IMAGE' | 'RABBITMQ_IMAGE'} ImageVariable */
/** @typedef {Record<ImageVariable, string>} BaseImages */

const PULL_TIMEOUT_MS = 5 * 60_000;
const BUILD_TIMEOUT_MS = 10 * 60_000;

const RELEASE = 'bookworm';

/** The releases that Dockerfile's NODE_IMAGE has. */
const NODE_PACKAGES = [`node-linux-${process.arch}@22`, 'npm@10'];

/** Of Debian, what its slim images leave out as well. */
const NOT_NEEDED = [
  'usr/share/doc',
  'usr/share/man',
  'usr/share/info',
  'usr/share/locale',
  'var/cache/apt',
  'var/lib/apt/lists',
];

/** @type {BaseImages} */
const STAND_INS = {
  NODE_IMAGE: 'friendship-stand-in/node:local',
  RUNTIME_IMAGE: 'friendship-stand-in/debian:local',
  POSTGRES_IMAGE: 'friendship-stand-in/postgres:local',
  RABBITMQ_IMAGE: 'friendship-stand-in/rabbitmq:local',
};

const recipesDir = join(dirname(fileURLToPath(import.meta.url)), 'images');

/** @typedef {{ engine: import('./engine.mjs').Engine, progress: import('../progress.mjs').Progress, signal: AbortSignal }} Context */

/** @param {Context} context @returns {Promise<{ images: BaseImages, origin: 'registry' | 'stand-ins' }>} */
export async function getBaseImages(context) {
  const named = namedImages();
  const unavailable = await pullAll(named, context);
  if (unavailable === undefined) return { images: named, origin: 'registry' };
  context.progress.note(`${unavailable}: taking stand-ins`);
  if (process.getuid?.() !== 0 || !isOnPath('apt-get'))
    throw new Error(
      `Expected a registry with ${unavailable}, or root on Debian to make stand-ins; got user ${process.getuid?.()} on ${process.platform}.`,
    );
  await standIns(context);
  return { images: STAND_INS, origin: 'stand-ins' };
}

/** What the environment says, else what the two files say. @returns {BaseImages} */
function namedImages() {
  const files = ['Dockerfile', 'docker-compose.yml']
    .map((name) => readFileSync(join(checkoutDir, name), 'utf8'))
    .join('\n');
  const variables = /** @type {ImageVariable[]} */ (Object.keys(STAND_INS));
  const entries = variables.map((variable) => {
    const written = new RegExp(`^ARG ${variable}=(\\S+)|\\$\\{${variable}:-([^}]+)\\}`, 'm').exec(files);
    return [variable, process.env[variable] || written?.[1] || written?.[2]];
  });
  return Object.fromEntries(entries);
}

/** @param {BaseImages} images @param {Context} context @returns {Promise<string | undefined>} the first that is not to be had */
async function pullAll(images, { engine, progress, signal }) {
  for (const image of Object.values(images)) {
    if ((await engine.docker(['image', 'inspect', image], { signal })).code === 0) continue;
    const pull = await progress.step(
      `pulling ${image}`,
      () => engine.docker(['pull', '--quiet', image], { signal, timeoutMs: PULL_TIMEOUT_MS }),
      ({ code }) => code !== 0,
    );
    signal.throwIfAborted();
    if (pull.code !== 0) return `no registry offers ${image}`;
  }
  return undefined;
}

/** From the archive of an earlier run with the same recipes, or made now and archived. @param {Context} context */
async function standIns(context) {
  const { engine, progress, signal } = context;
  const archive = join(cacheDir, `stand-ins-${recipesHash()}.tar`);
  if (existsSync(archive)) {
    await progress.step('loading the stand-ins of an earlier run', () =>
      must(context, ['load', '--quiet', '--input', archive]),
    );
    return;
  }
  const work = mkdtempSync(join(cacheDir, 'stand-ins-'));
  try {
    await importDebian(work, context);
    await prepareNode(work, context);
    for (const [variable, name] of /** @type {const} */ ([
      ['NODE_IMAGE', 'node'],
      ['POSTGRES_IMAGE', 'postgres'],
      ['RABBITMQ_IMAGE', 'rabbitmq'],
    ])) {
      const folder = join(work, name);
      cpSync(join(recipesDir, name), folder, { recursive: true });
      const registry = await run('npm', ['config', 'get', 'registry'], { cwd: checkoutDir });
      const buildArgs = {
        BASE_IMAGE: STAND_INS.RUNTIME_IMAGE,
        ...(name === 'node' ? { REGISTRY: registry.stdout.trim() } : {}),
      };
      await progress.step(`building a stand-in for ${name}`, () =>
        buildImage({ engine, signal, folder, tag: STAND_INS[variable], buildArgs }),
      );
    }
    for (const name of readdirSync(cacheDir)) if (/^stand-ins-.*\.tar$/.test(name)) rmSync(join(cacheDir, name));
    const draft = join(work, 'archive.tar');
    await progress.step('archiving the stand-ins', () =>
      must(context, ['save', '--output', draft, ...Object.values(STAND_INS)]),
    );
    cpSync(draft, archive);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * @param {{ engine: import('./engine.mjs').Engine, signal: AbortSignal, folder: string, tag: string, buildArgs: Record<string, string> }} options
 */
export async function buildImage({ engine, signal, folder, tag, buildArgs }) {
  const args = Object.entries(buildArgs).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  // The engine's own bridge may be off; a build reaches what this machine reaches.
  const { code, output } = await engine.docker(['build', '--network', 'host', ...args, '--tag', tag, folder], {
    env: { DOCKER_BUILDKIT: '1' },
    signal,
    timeoutMs: BUILD_TIMEOUT_MS,
  });
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`Building ${tag} ended with code ${code}:\n${lastLines(output, 30)}`);
}

/** @param {string} work @param {Context} context */
async function importDebian(work, { engine, progress, signal }) {
  if (!isOnPath('debootstrap')) {
    const failure = await installDebianPackages(['debootstrap'], { progress });
    if (failure !== undefined) throw new Error(`debootstrap could not be installed: ${failure}`);
  }
  const root = join(work, 'debian');
  await progress.step(`making Debian ${RELEASE} with debootstrap`, async () => {
    const mirror = await debianMirror();
    const { code, output } = await run('debootstrap', ['--variant=minbase', RELEASE, root, mirror], {
      signal,
      timeoutMs: BUILD_TIMEOUT_MS,
    });
    signal.throwIfAborted();
    if (code !== 0) throw new Error(`debootstrap ended with code ${code}:\n${lastLines(output)}`);
    for (const name of NOT_NEEDED)
      for (const entry of entriesOf(join(root, name))) rmSync(entry, { recursive: true, force: true });
    await pipe(
      ['tar', '--create', '--numeric-owner', '--directory', root, '.'],
      engine.follow(['import', '-', STAND_INS.RUNTIME_IMAGE]),
    );
  });
}

/** @param {string} folder */
function entriesOf(folder) {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}

/** @param {string} work @param {Context} context */
async function prepareNode(work, { progress, signal }) {
  const folder = join(work, 'node');
  await progress.step('fetching Node and npm', async () => {
    const { code, output } = await run(
      'npm',
      ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', ...NODE_PACKAGES],
      { cwd: work, signal },
    );
    signal.throwIfAborted();
    if (code !== 0) throw new Error(`npm ended with code ${code}:\n${lastLines(output)}`);
  });
  copyFileSync(join(folder, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node'), join(folder, 'node'));
  rmSync(join(folder, 'node_modules', `node-linux-${process.arch}`), { recursive: true });
  // What Node needs here to reach the registry, npm needs in the build.
  const certificates = process.env.NODE_EXTRA_CA_CERTS;
  writeFileSync(join(folder, 'certificates.pem'), certificates ? readFileSync(certificates) : '');
}

/** @param {string[]} source @param {import('node:child_process').ChildProcessWithoutNullStreams} target */
async function pipe([command = '', ...args], target) {
  const from = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  target.stderr.on('data', (chunk) => (said += chunk));
  target.stdin.on('error', () => undefined); // it ended before its input; its code tells
  from.stdout.pipe(target.stdin);
  const [read, written] = await Promise.all([from, target].map(async (child) => (await once(child, 'close'))[0]));
  if (read !== 0 || written !== 0)
    throw new Error(`\`${command} | docker import\` ended with codes ${read} and ${written}:\n${lastLines(said, 5)}`);
}

/** @param {Context} context @param {string[]} args */
async function must({ engine, signal }, args) {
  const { code, output } = await engine.docker(args, { signal, timeoutMs: BUILD_TIMEOUT_MS });
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`\`docker ${args[0]}\` ended with code ${code}:\n${lastLines(output, 8)}`);
}

/** Of everything that decides what the stand-ins are, but for the day on which they are made. */
function recipesHash() {
  const hash = createHash('sha256').update([RELEASE, ...NODE_PACKAGES, ...NOT_NEEDED].join(' '));
  for (const entry of readdirSync(recipesDir, { withFileTypes: true, recursive: true }).filter((entry) =>
    entry.isFile(),
  ))
    hash.update(entry.name).update(readFileSync(join(entry.parentPath, entry.name)));
  return hash.digest('hex').slice(0, 12);
}
