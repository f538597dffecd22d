// @ts-check
/**
 * Who uses the services of this checkout: one small file per process, which counts only as long as that process lives.
 * The last one to leave stops them. A pin keeps them with nobody there (`services.mjs up`, `--keep`).
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isAlive, remember } from '../processes.mjs';
import { servicesDir } from './checkout.mjs';

const leasesDir = join(servicesDir, 'leases');
const pin = join(servicesDir, 'pinned');

/** @typedef {{ process: import('../processes.mjs').KnownProcess, command: string }} Lease */

/** @returns {() => void} gives the lease back */
export function takeLease() {
  mkdirSync(leasesDir, { recursive: true });
  const path = join(leasesDir, `${process.pid}.json`);
  const command = basename(process.argv[1] ?? 'node');
  writeFileSync(path, JSON.stringify({ process: remember(process.pid), command }));
  return () => rmSync(path, { force: true });
}

/** @returns {Lease[]} of processes that live; the files of dead ones are removed on the way */
export function liveLeases() {
  /** @type {Lease[]} */
  const alive = [];
  for (const name of list()) {
    const lease = read(join(leasesDir, name));
    if (lease && isAlive(lease.process)) alive.push(lease);
    else rmSync(join(leasesDir, name), { force: true });
  }
  return alive;
}

export function setPin(/** @type {boolean} */ pinned) {
  if (pinned) writeFileSync(pin, '');
  else rmSync(pin, { force: true });
}

export function isPinned() {
  return readdirSync(servicesDir).includes(basename(pin));
}

function list() {
  try {
    return readdirSync(leasesDir);
  } catch {
    return [];
  }
}

/** @returns {Lease | undefined} */
function read(/** @type {string} */ path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
