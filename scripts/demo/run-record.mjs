// @ts-check
/**
 * What a run of the demo has out there, written down before it exists: a demo that was killed cannot clean up,
 * so the next one does it.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, remember, stopProcess } from '../processes.mjs';
import { checkoutDir } from '../services/checkout.mjs';
import { deleteTopology } from './broker.mjs';
import { dropDatabase } from './database.mjs';

const recordsDir = join(checkoutDir, '.local', 'demo-runs');

/** @typedef {{ databaseUrl: string, rabbitmqUrl: string }} ServiceUrls */

/**
 * @typedef {object} RunRecord
 * @property {import('../processes.mjs').KnownProcess | undefined} owner
 * @property {import('./names.mjs').RunNames} names
 * @property {import('../processes.mjs').KnownProcess[]} processes
 */

/**
 * @param {import('./names.mjs').RunNames} names
 * @returns {{ add: (process: import('../processes.mjs').KnownProcess) => void, forget: () => void }}
 */
export function recordRun(names) {
  mkdirSync(recordsDir, { recursive: true });
  const path = join(recordsDir, `${names.run}.json`);
  /** @type {RunRecord} */
  const record = { owner: remember(process.pid), names, processes: [] };
  const write = () => writeFileSync(path, JSON.stringify(record));
  write();
  return { add: (process) => (record.processes.push(process), write()), forget: () => rmSync(path, { force: true }) };
}

/** Stops, drops and deletes what killed runs left. @param {ServiceUrls} urls @param {import('../progress.mjs').Progress} progress */
export async function removeKilledRuns(urls, progress) {
  for (const name of list()) {
    const record = read(name);
    if (record && isAlive(record.owner)) continue;
    if (record) {
      await progress.step(`removing what the killed demo ${record.names.run} left`, async () => {
        await Promise.all(record.processes.map((process) => stopProcess(process)));
        await removeRun(urls, record.names);
      });
    }
    rmSync(join(recordsDir, name), { force: true });
  }
}

/** @param {ServiceUrls} urls @param {import('./names.mjs').RunNames} names @param {{ keepDatabase?: boolean }} [options] */
export async function removeRun({ databaseUrl, rabbitmqUrl }, names, { keepDatabase = false } = {}) {
  await deleteTopology(rabbitmqUrl, names);
  if (!keepDatabase) await dropDatabase(databaseUrl, names.database);
}

function list() {
  try {
    return readdirSync(recordsDir);
  } catch {
    return [];
  }
}

/** @returns {RunRecord | undefined} */
function read(/** @type {string} */ name) {
  try {
    return JSON.parse(readFileSync(join(recordsDir, name), 'utf8'));
  } catch {
    return undefined;
  }
}
