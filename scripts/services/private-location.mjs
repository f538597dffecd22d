// @ts-check
/**
 * As whom PostgreSQL runs, and where the private instances keep their data.
 * PostgreSQL refuses to run as root, and the user it gets may not be able to reach a checkout below /root.
 */
import { accessSync, chmodSync, chownSync, constants, lstatSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../processes.mjs';
import { checkoutDir, checkoutHash, servicesDir } from './checkout.mjs';

/** @typedef {{ uid: number, gid: number }} User */

/**
 * The user for PostgreSQL: nobody special when this process is not root (then it runs as itself).
 * As root: `postgres`, else the owner of the checkout, else `nobody`.
 * @returns {User | undefined}
 */
export function postgresUser() {
  if (process.getuid?.() !== 0) return undefined;
  const owner = statSync(checkoutDir).uid;
  const users = passwordEntries();
  const chosen =
    users.find(({ name }) => name === 'postgres') ??
    users.find(({ uid }) => uid === owner && uid !== 0) ??
    users.find(({ name }) => name === 'nobody');
  if (chosen === undefined)
    throw new Error(
      'PostgreSQL does not run as root: expected a user `postgres` or `nobody` in /etc/passwd, found neither.',
    );
  return { uid: chosen.uid, gid: chosen.gid };
}

/** initdb looks its user up by name, so only users with an entry will do. */
function passwordEntries() {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name, , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
}

/**
 * A folder in which `user` can keep data: in the checkout, or below the temporary folder when the user cannot get there,
 * or when the path holds characters that RabbitMQ's shell scripts would trip over.
 * @param {User | undefined} user
 * @returns {Promise<string>}
 */
export async function dataDir(user) {
  if (/^[\w./@+-]+$/.test(servicesDir) && (await canUse(servicesDir, user))) return servicesDir;
  const fallback = join(tmpdir(), `friendship-service-${checkoutHash}`);
  createOwnDir(fallback, 0o711);
  if (await canUse(fallback, user)) return fallback;
  throw new Error(
    `Expected a folder that PostgreSQL's user ${user?.uid ?? process.getuid?.()} can use, but it can reach neither ${servicesDir} nor ${fallback}.`,
  );
}

/**
 * Tried for real, as that user: access lists, mount options and every folder on the way count.
 * @param {string} parent
 * @param {User | undefined} user
 */
async function canUse(parent, user) {
  const folder = postgresDir(parent);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (user === undefined) {
    accessSync(folder, constants.W_OK);
    return true;
  }
  chownSync(folder, user.uid, user.gid);
  const { code } = await run('sh', ['-c', 'cd "$1" && test -w .', 'sh', folder], { user, cwd: '/', timeoutMs: 5_000 });
  return code === 0;
}

/** @param {string} parent */
export function postgresDir(parent) {
  return join(parent, 'postgres');
}

/**
 * The temporary folder belongs to everybody: what lies there under our name must be a folder, and ours.
 * @param {string} path
 * @param {number} mode
 */
function createOwnDir(path, mode) {
  mkdirSync(path, { recursive: true, mode });
  const found = lstatSync(path);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new Error(
      `${path}: expected a folder of user ${process.getuid?.()}, got ${found.isDirectory() ? `one of user ${found.uid}` : 'something else'}.`,
    );
  }
  chmodSync(path, mode);
}
