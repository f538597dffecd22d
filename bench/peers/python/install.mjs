// @ts-check
/** pika, SQLAlchemy and psycopg2 from Debian's packages, installed when they are missing. */
import { run } from '../../../scripts/processes.mjs';
import { installDebianPackages } from '../../../scripts/services/debian-packages.mjs';

/** Debian's packages are for Debian's Python; the one that stands first on the PATH may be another. */
export const PYTHON = '/usr/bin/python3';

/** @param {{ progress: import('../../../scripts/progress.mjs').Progress }} options @returns {Promise<string | undefined>} why the Python peers cannot run */
export async function ensurePython({ progress }) {
  if (await isThere()) return undefined;
  const failure = await installDebianPackages(['python3-pika', 'python3-sqlalchemy', 'python3-psycopg2'], { progress });
  if (await isThere()) return undefined;
  return `${PYTHON} with pika, SQLAlchemy and psycopg2 is not there and could not be installed: ${failure ?? 'the packages do not hold them'}`;
}

async function isThere() {
  return (await run(PYTHON, ['-c', 'import pika, sqlalchemy, psycopg2'], { timeoutMs: 20_000 })).code === 0;
}
