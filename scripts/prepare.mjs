// @ts-check
/** What every other script needs first: the dependencies installed, the service built. Each does nothing when it is done already. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines, run } from './processes.mjs';
import { checkoutDir } from './services/checkout.mjs';
import { withLock } from './services/lock.mjs';

/** @typedef {{ progress: import('./progress.mjs').Progress, signal?: AbortSignal }} Options */

const nodeModules = join(checkoutDir, 'node_modules');
const installStamp = join(nodeModules, '.installed-lockfile');
const dist = join(checkoutDir, 'dist');
/** In dist itself: whoever empties dist, or builds by hand with an emptied dist, takes it along. */
const buildStamp = join(dist, '.built-from');

/** npm writes the two lock files of one installation in the same moment, in no fixed order. */
const SAME_INSTALLATION_MS = 10_000;

/** Runs `npm ci` when node_modules is missing or belongs to another package-lock.json. */
export async function ensureInstalled(/** @type {Options} */ options) {
  const lockfile = join(checkoutDir, 'package-lock.json');
  if (!existsSync(lockfile))
    throw new Error(`${lockfile}: expected npm's lock file, got nothing. Run \`npm install\` once.`);
  if (isInstalled(lockfile)) return;
  await exclusively(options, async () => {
    if (isInstalled(lockfile)) return;
    // The build and the tests need the development dependencies whatever NODE_ENV says.
    await npm(['ci', '--include=dev', '--no-audit', '--no-fund'], 'installing dependencies (npm ci)', options);
    writeFileSync(installStamp, hash(readFileSync(lockfile)));
  });
}

/** @param {string} lockfile */
function isInstalled(lockfile) {
  if (readOr(installStamp, '') === hash(readFileSync(lockfile))) return true;
  // Installed by hand: npm leaves its own lock file behind when it has finished.
  const installed = statSync(join(nodeModules, '.package-lock.json'), { throwIfNoEntry: false });
  return installed !== undefined && installed.mtimeMs + SAME_INSTALLATION_MS >= statSync(lockfile).mtimeMs;
}

/** Runs `npm run build` when dist is missing, or anything that goes into it is not what it was. */
export async function ensureBuilt(/** @type {Options} */ options) {
  if (isBuilt()) return;
  await exclusively(options, async () => {
    if (isBuilt()) return;
    const sources = sourcesSignature(); // before the build: what changes meanwhile is built next time
    await npm(['run', 'build'], 'building (npm run build)', options);
    if (!existsSync(join(dist, 'main.js')))
      throw new Error(`Expected \`npm run build\` to write ${join(dist, 'main.js')}, but it is not there.`);
    writeFileSync(buildStamp, sources);
  });
}

function isBuilt() {
  return existsSync(join(dist, 'main.js')) && readOr(buildStamp, '') === sourcesSignature();
}

/** Names, sizes and times of everything that decides the build: notices deleted files too. */
function sourcesSignature() {
  const files = [
    ...filesBelow(join(checkoutDir, 'src')),
    ...filesBelow(join(checkoutDir, 'dashboard')),
    ...readdirSync(checkoutDir)
      .filter((name) => /^(tsconfig.*|nest-cli|package)\.json$/.test(name))
      .map((name) => join(checkoutDir, name)),
  ];
  const lines = files.sort().map((file) => {
    const { size, mtimeMs } = statSync(file);
    return `${file} ${size} ${mtimeMs}`;
  });
  return hash(lines.join('\n'));
}

/** @param {string} folder @returns {string[]} */
function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

/** @param {string[]} args @param {string} what @param {Options} options */
async function npm(args, what, { progress, signal }) {
  // The npm that runs this script, if one does: there may be several.
  const [command, ...first] = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
  await progress.step(what, async () => {
    const { code, output } = await run(/** @type {string} */ (command), [...first, ...args], {
      cwd: checkoutDir,
      signal,
    });
    signal?.throwIfAborted();
    if (code !== 0) throw new Error(`\`npm ${args.join(' ')}\` ended with code ${code}:\n${endsOf(output)}`);
  });
}

/** npm names the cause first and then explains at length; a compiler ends with its count. */
function endsOf(/** @type {string} */ output) {
  const lines = output.trimEnd().split('\n');
  if (lines.length <= 60) return lastLines(output, 60);
  return [
    lastLines(lines.slice(0, 30).join('\n'), 30),
    `    … ${lines.length - 60} lines …`,
    lastLines(output, 30),
  ].join('\n');
}

/** Two commands started at once must not install or build over each other. @param {Options} options @param {() => Promise<void>} work */
function exclusively({ progress, signal }, work) {
  const folder = join(checkoutDir, '.local', 'prepare-lock');
  mkdirSync(join(checkoutDir, '.local'), { recursive: true });
  return withLock(folder, work, {
    signal,
    onWait: (pid) => progress.note(`waiting for process ${pid}, which installs or builds`),
  });
}

/** @param {string} path @param {string} otherwise */
function readOr(path, otherwise) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}

function hash(/** @type {string | Buffer} */ content) {
  return createHash('sha256').update(content).digest('hex');
}
