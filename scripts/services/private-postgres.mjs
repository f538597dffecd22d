// @ts-check
/** A PostgreSQL of this checkout's own: data folder, port and password, reachable over 127.0.0.1 only. */
import { spawn } from 'node:child_process';
import { chownSync, closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, lastLines, lastLinesOf, poll, remember, run, stopProcess } from '../processes.mjs';
import { credentials, logsDir } from './checkout.mjs';
import { answersWhileAlive, postgresAnswers } from './probe.mjs';
import { postgresDir } from './private-location.mjs';

/** Tests of a service with a pool per process open many connections; PostgreSQL's own default is 100. */
const MAX_CONNECTIONS = 300;

const START_TIMEOUT_MS = 60_000;

/**
 * @typedef {object} PostgresInstance what is remembered of a running one
 * @property {import('../processes.mjs').KnownProcess} process
 * @property {number} port
 */

/**
 * @param {object} options
 * @param {import('./find-binaries.mjs').PostgresBinaries} options.binaries
 * @param {string} options.parent folder of the data
 * @param {import('./private-location.mjs').User | undefined} options.user
 * @param {number} options.port
 * @param {string} [options.logs] folder of the log
 * @param {AbortSignal} options.signal
 * @param {(instance: PostgresInstance) => void} options.onStarted called at once, so that even a failed start can be stopped
 */
export async function startPostgres({ binaries, parent, user, port, logs = logsDir, signal, onStarted }) {
  const log = join(logs, 'postgres.log');
  // One folder per major version: a newer server cannot open an older one's files.
  const data = join(postgresDir(parent), `data-${binaries.version}`);
  const env = cleanEnvironment();
  if (!existsSync(join(data, 'PG_VERSION'))) await initialise({ binaries, data, user, env, signal });
  await adoptOrRefuse(data);

  if (existsSync(log)) renameSync(log, log.replace('.log', '.previous.log'));
  const output = openSync(log, 'w', 0o600);
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '', // their paths have a length limit that a deep checkout exceeds
    max_connections: MAX_CONNECTIONS,
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(join(binaries.binDir, 'postgres'), ['-D', data, ...args], {
    ...user,
    cwd: data,
    env,
    detached: true, // it outlives us with --keep, and Ctrl-C in the terminal is for us alone
    stdio: ['ignore', output, output],
  });
  child.on('error', () => undefined); // reported below: there is no process
  child.unref();
  closeSync(output);
  const started = remember(child.pid);
  if (started === undefined)
    throw new Error(`PostgreSQL did not start. Its log (${log}) ends with:\n${lastLinesOf(log)}`);
  onStarted({ process: started, port });

  const ready = await poll(
    async () => {
      if (!isAlive(started)) return 'ended';
      return (await postgresAnswers({ host: '127.0.0.1', port, ...credentials() })) ? 'ready' : undefined;
    },
    { timeoutMs: START_TIMEOUT_MS, signal },
  );
  if (ready !== 'ready') {
    const what = ready === 'ended' ? 'ended while starting' : `did not answer within ${START_TIMEOUT_MS / 1000} s`;
    throw new Error(`PostgreSQL ${what}. Its log (${log}) ends with:\n${lastLinesOf(log)}`);
  }
}

/** @param {PostgresInstance | undefined} instance */
export async function postgresIsHealthy(instance) {
  if (instance === undefined) return false;
  return answersWhileAlive(instance.process, () =>
    postgresAnswers({ host: '127.0.0.1', port: instance.port, ...credentials() }),
  );
}

/** SIGINT is PostgreSQL's fast stop: sessions are ended, nothing committed is lost. */
export async function stopPostgres(/** @type {PostgresInstance | undefined} */ instance) {
  await stopProcess(instance?.process, { signal: 'SIGINT', graceMs: 30_000 });
}

/**
 * In a folder beside, renamed when complete: an initdb that was interrupted leaves nothing that looks finished.
 * @param {{ binaries: import('./find-binaries.mjs').PostgresBinaries, data: string, user: import('./private-location.mjs').User | undefined, env: NodeJS.ProcessEnv, signal: AbortSignal }} options
 */
async function initialise({ binaries, data, user, env, signal }) {
  const draft = `${data}.new`;
  const passwordFile = `${data}.password`;
  const { user: name, password, database } = credentials();
  rmSync(draft, { recursive: true, force: true });
  rmSync(data, { recursive: true, force: true });
  rmSync(passwordFile, { force: true });
  try {
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' });
    if (user) chownSync(passwordFile, user.uid, user.gid);
    const locale = process.platform === 'linux' ? 'C.UTF-8' : 'en_US.UTF-8';
    const options = [
      '-D',
      draft,
      '-U',
      name,
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--encoding=UTF8',
      `--locale=${locale}`,
    ];
    const initdb = await run(join(binaries.binDir, 'initdb'), options, { user, cwd: '/', env, signal });
    signal.throwIfAborted();
    if (initdb.code !== 0) throw new Error(`initdb ended with code ${initdb.code}:\n${lastLines(initdb.output)}`);
    // Single-user mode: no client program and no driver are needed.
    const create = await run(join(binaries.binDir, 'postgres'), ['--single', '-D', draft, 'postgres'], {
      user,
      cwd: '/',
      env,
      signal,
      input: `CREATE DATABASE ${database}\n`,
    });
    signal.throwIfAborted();
    if (create.code !== 0)
      throw new Error(`Creating the database ended with code ${create.code}:\n${lastLines(create.output)}`);
    renameSync(draft, data);
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(draft, { recursive: true, force: true });
  }
}

/**
 * A postmaster of this very data folder that nobody remembers (its starter was killed in between) is stopped first.
 * @param {string} data
 */
async function adoptOrRefuse(data) {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return;
  const [pid, folder] = readFileSync(file, 'utf8').split('\n');
  const known = remember(Number(pid));
  // After a reboot the pid may belong to anyone; only a process that was started with this folder is PostgreSQL's.
  if (known && folder === data && (await commandLine(known.pid)).includes(data))
    await stopProcess(known, { signal: 'SIGINT', graceMs: 30_000 });
}

/** @param {number} pid */
async function commandLine(pid) {
  return (await run('ps', ['-ww', '-o', 'args=', '-p', String(pid)], { timeoutMs: 5_000 })).stdout;
}

/** The operator's own PGHOST, PGDATA and so on are meant for other servers. */
function cleanEnvironment() {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('PG') && name !== 'DATABASE_URL'),
  );
}
