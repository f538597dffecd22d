// @ts-check
/**
 * Compose v2 as Docker's plugin. Debian has it from trixie on: one program that needs libc alone, so it is taken out of its package
 * and nothing of another release is installed. apt gets a list of sources of its own and checks signatures as ever.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines, run } from '../processes.mjs';

const RELEASE = 'trixie';
const PACKAGE = 'docker-compose';

/** Where Debian puts the plugin, inside of the package. */
const INSIDE = 'usr/libexec/docker/cli-plugins/docker-compose';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Where a machine does not say which mirror it uses. */
const MIRROR = 'http://deb.debian.org/debian';

/**
 * @param {{ cacheDir: string, progress: import('../progress.mjs').Progress, signal: AbortSignal }} options
 * @returns {Promise<string>} the folder that holds the plugin
 */
export async function composePlugin({ cacheDir, progress, signal }) {
  const folder = join(cacheDir, 'cli-plugins');
  const plugin = join(folder, PACKAGE);
  if (existsSync(plugin)) return folder;
  const work = mkdtempSync(join(cacheDir, 'apt-'));
  try {
    await progress.step(`fetching ${PACKAGE} of Debian ${RELEASE}`, async () => {
      const apt = await privateApt(work);
      await execute('apt-get', [...apt, 'update'], work, signal);
      await execute('apt-get', [...apt, 'download', PACKAGE], work, signal);
      const archive = readdirSync(work).find((name) => name.endsWith('.deb')) ?? '';
      await execute('dpkg-deb', ['--extract', archive, 'extracted'], work, signal);
    });
    mkdirSync(folder, { recursive: true });
    cpSync(join(work, 'extracted', INSIDE), plugin);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}

/** The mirror from which this machine has its Debian. */
export async function debianMirror() {
  const { code, stdout } = await run('apt-get', [
    'indextargets',
    '--format',
    '$(SITE)',
    'Created-By: Packages',
    'Origin: Debian',
    'Label: Debian',
  ]);
  return (code === 0 && stdout.split('\n')[0]?.trim()) || MIRROR;
}

/** @param {string} work @returns {Promise<string[]>} options for apt-get */
async function privateApt(work) {
  const sources = join(work, 'sources.list');
  for (const folder of ['lists/partial', 'archives/partial']) mkdirSync(join(work, folder), { recursive: true });
  writeFileSync(sources, `deb [signed-by=${KEYRING}] ${await debianMirror()} ${RELEASE} main\n`);
  const settings = {
    'Dir::Etc::SourceList': sources,
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::State::Lists': join(work, 'lists'),
    'Dir::Cache': work,
    'Dir::Cache::Archives': join(work, 'archives'),
    'APT::Sandbox::User': 'root', // the folder is root's alone
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** @param {string} command @param {string[]} args @param {string} cwd @param {AbortSignal} signal */
async function execute(command, args, cwd, signal) {
  const { code, output } = await run(command, args, { cwd, signal, timeoutMs: 5 * 60_000 });
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`\`${command} ${args.at(-1)}\` ended with code ${code}:\n${lastLines(output, 8)}`);
}
