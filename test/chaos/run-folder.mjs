// @ts-check
/** The folder of one run: its logs, its build, and the processes that it started, so that a run that was killed can be cleaned up by the next. */
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, remember, stopProcess } from '../../scripts/processes.mjs';
import { checkoutDir } from '../../scripts/services/checkout.mjs';
import { dataDir, postgresUser } from '../../scripts/services/private-location.mjs';

/** @typedef {import('../../scripts/processes.mjs').KnownProcess} KnownProcess */

const runsDir = join(checkoutDir, '.local', 'chaos');

/** @param {string} run */
export function createRunFolder(run) {
  const folder = join(runsDir, run);
  mkdirSync(folder, { recursive: true });
  const owner = remember(process.pid);
  /** @type {KnownProcess[]} */
  let started = [];
  return {
    path: folder,
    /** The build as it is now: somebody may build again while the run goes on. */
    copyBuild: () => {
      const dist = join(folder, 'build', 'dist');
      cpSync(join(checkoutDir, 'dist'), dist, { recursive: true });
      cpSync(join(checkoutDir, 'package.json'), join(folder, 'build', 'package.json'));
      return dist;
    },
    /** @param {KnownProcess | undefined} known */
    note: (known) => {
      if (!known || started.some(({ identity, pid }) => identity === known.identity && pid === known.pid)) return;
      started = [...started.filter(isAlive), known];
      writeFileSync(join(folder, 'processes.json'), JSON.stringify({ owner, started }));
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
    /** What a person may want to look at stays. */
    keepLogs: () => {
      rmSync(join(folder, 'build'), { recursive: true, force: true });
      rmSync(join(folder, 'processes.json'), { force: true });
    },
  };
}

/** Ends what runs left behind that were killed themselves; their logs stay. @param {(text: string) => void} note */
export async function removeKilledRuns(note) {
  mkdirSync(runsDir, { recursive: true });
  for (const run of readdirSync(runsDir)) {
    const file = join(runsDir, run, 'processes.json');
    const record = readRecord(file);
    if (!record || isAlive(record.owner)) continue;
    note(`the run ${run} was killed: ending what it left`);
    for (const known of record.started.reverse()) {
      if (isAlive(known)) process.kill(known.pid, 'SIGCONT'); // it may have been paused
      await stopProcess(known, { signal: 'SIGKILL' });
    }
    rmSync(join(await dataDir(postgresUser()), `chaos-${run}`), { recursive: true, force: true });
    rmSync(file);
  }
}

/** @param {string} file @returns {{ owner: KnownProcess, started: KnownProcess[] } | undefined} */
function readRecord(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
