// @ts-check
/** Finds the PostgreSQL and RabbitMQ programs of this machine, where distributions, Homebrew and plain archives put them. */
import { accessSync, constants, readdirSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { run } from '../processes.mjs';

/** `datemultirange`, which the schema uses, came with 14. */
export const OLDEST_POSTGRES = 14;

/**
 * @typedef {object} PostgresBinaries
 * @property {string} binDir
 * @property {number} version major
 */

/**
 * The newest PostgreSQL server that is new enough.
 * @returns {Promise<PostgresBinaries | undefined>}
 */
export async function findPostgres() {
  const folders = [
    ...subfolders('/usr/lib/postgresql', 'bin'), // Debian, Ubuntu
    ...subfolders('/usr', 'bin', /^pgsql-/), // PostgreSQL's own RPMs
    ...subfolders('/opt/homebrew/opt', 'bin', /^postgresql@/),
    ...subfolders('/usr/local/opt', 'bin', /^postgresql@/),
    ...pathFolders(),
  ];
  /** @type {PostgresBinaries | undefined} */
  let newest;
  for (const folder of folders) {
    if (!isExecutable(join(folder, 'postgres')) || !isExecutable(join(folder, 'initdb'))) continue;
    const binDir = dirname(realpathSync(join(folder, 'postgres')));
    const { stdout } = await run(join(binDir, 'postgres'), ['--version'], { timeoutMs: 5_000 });
    const version = Number(/\s(\d+)/.exec(stdout)?.[1] ?? 0);
    if (version >= OLDEST_POSTGRES && version > (newest?.version ?? 0)) newest = { binDir, version };
  }
  return newest;
}

/**
 * @typedef {object} RabbitmqBinaries
 * @property {string} server the `rabbitmq-server` script
 * @property {string} epmd Erlang's port mapper
 */

/**
 * Debian's and Fedora's `/usr/sbin/rabbitmq-server` is a wrapper that switches user and folder; the real script stands below /usr/lib.
 * @returns {RabbitmqBinaries | undefined}
 */
export function findRabbitmq() {
  const folders = [
    '/usr/lib/rabbitmq/bin',
    ...subfolders('/usr/lib/rabbitmq/lib', 'sbin', /^rabbitmq_server-/),
    '/opt/homebrew/sbin',
    '/usr/local/sbin',
    ...pathFolders().filter((folder) => folder !== '/usr/sbin'),
  ];
  const server = folders.map((folder) => join(folder, 'rabbitmq-server')).find(isExecutable);
  const epmd = [...pathFolders(), '/usr/lib/erlang/bin', '/opt/homebrew/bin']
    .map((folder) => join(folder, 'epmd'))
    .find(isExecutable);
  return server !== undefined && epmd !== undefined ? { server, epmd } : undefined;
}

/** Is there such a program on the PATH? */
export function isOnPath(/** @type {string} */ name) {
  return findOnPath(name) !== undefined;
}

/** @returns {string | undefined} the first program of that name on the PATH */
export function findOnPath(/** @type {string} */ name) {
  return pathFolders()
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function pathFolders() {
  return (process.env.PATH ?? '').split(delimiter).filter((folder) => folder.startsWith('/'));
}

/** `<parent>/<any>/<child>` */
function subfolders(/** @type {string} */ parent, /** @type {string} */ child, name = /./) {
  try {
    return readdirSync(parent)
      .filter((entry) => name.test(entry))
      .map((entry) => join(parent, entry, child));
  } catch {
    return [];
  }
}

function isExecutable(/** @type {string} */ path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
