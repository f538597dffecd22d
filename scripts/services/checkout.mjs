// @ts-check
/**
 * Where this checkout keeps its services. Everything is named after a hash of the checkout's path:
 * two checkouts on one machine, and a checkout copied together with its `.local`, never touch each other's.
 */
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const checkoutDir = realpathSync(join(dirname(fileURLToPath(import.meta.url)), '..', '..'));

export const checkoutHash = createHash('sha256').update(checkoutDir).digest('hex').slice(0, 10);

/** Mode 0711: another user (the one PostgreSQL runs as) may pass through, but not look around. */
export const servicesDir = join(checkoutDir, '.local', 'services', checkoutHash);

export const logsDir = join(servicesDir, 'logs');

/** Creates the folders of the services; safe to call again. */
export function createServicesDir() {
  const local = join(checkoutDir, '.local');
  try {
    mkdirSync(logsDir, { recursive: true });
    for (const folder of [local, join(local, 'services'), servicesDir]) chmodSync(folder, 0o711);
  } catch (cause) {
    const problem = /** @type {Error} */ (cause).message;
    throw new Error(
      `${local}: expected a folder of user ${process.getuid?.()}, got: ${problem}. Run as the user who ran this before, or delete the folder.`,
      { cause },
    );
  }
}

/**
 * @param {string} name a file in the services' folder
 * @returns {any} undefined when it is missing or damaged
 */
export function readState(name) {
  try {
    return JSON.parse(readFileSync(join(servicesDir, name), 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * Written whole or not at all, and readable by the owner only: some of it holds passwords.
 * @param {string} name
 * @param {unknown} value
 */
export function writeState(name, value) {
  const path = join(servicesDir, name);
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, path);
}

/**
 * The private instances' user and password, made once: their data outlive a stop.
 * @returns {{ user: string, password: string, database: string }}
 */
export function credentials() {
  const known = readState('credentials.json');
  if (known?.password) return known;
  const created = { user: 'friendship', password: randomBytes(18).toString('hex'), database: 'friendship' };
  writeState('credentials.json', created);
  return created;
}
