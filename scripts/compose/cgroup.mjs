// @ts-check
/**
 * A control group for the containers of one engine. Without a weight of its own, all of them together would weigh as one process:
 * on a busy machine, too little for seven containers to answer their health checks.
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';

/** PostgreSQL, RabbitMQ, migration, api and three workers. */
const PROCESSES = 7;

/** Where each version of control groups takes the weight, and what one process weighs there. */
const WEIGHTS = [
  { folder: join(ROOT, 'cpu'), file: 'cpu.shares', ofOne: 1024 },
  { folder: ROOT, file: 'cpu.weight', ofOne: 100 },
];

/** @param {string} name */
export function createControlGroup(name) {
  for (const { folder, file, ofOne } of WEIGHTS) {
    if (!existsSync(join(folder, 'cgroup.procs'))) continue;
    mkdirSync(join(folder, name), { recursive: true });
    // Version 2 has the file only where the controller is on for children; then every group weighs as one, as without us.
    const weight = join(folder, name, file);
    if (existsSync(weight)) writeFileSync(weight, String(PROCESSES * ofOne));
  }
}

/** In every hierarchy; the engine leaves them behind. @param {string} name */
export function removeControlGroup(name) {
  for (const folder of [ROOT, ...readdirSync(ROOT).map((entry) => join(ROOT, entry))]) removeGroups(join(folder, name));
}

/** A group has no content to delete, only groups below. @param {string} folder */
function removeGroups(folder) {
  if (!existsSync(join(folder, 'cgroup.procs'))) return;
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroups(join(folder, entry.name));
  rmdirSync(folder);
}
