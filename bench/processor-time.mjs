// @ts-check
/** Who used the processor, from /proc. Linux only: elsewhere these figures are missing. */
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { execFileSync } from 'node:child_process';

/** The kernel counts in ticks of this length. */
const MICROSECONDS_PER_TICK = 1e6 / ticksPerSecond();

export const isAvailable = existsSync('/proc/self/stat');

function ticksPerSecond() {
  try {
    return Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })) || 100;
  } catch {
    return 100;
  }
}

/**
 * @typedef {object} Stat
 * @property {number} parent
 * @property {number} own ticks of the process, in user and system mode
 * @property {number} reaped ticks of its children that have ended
 */

/** @param {number} pid @returns {Stat | undefined} undefined when it is gone */
function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may contain anything, spaces and parentheses included.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [, parent = 0] = fields;
    return {
      parent,
      own: (fields[11] ?? 0) + (fields[12] ?? 0),
      reaped: (fields[13] ?? 0) + (fields[14] ?? 0),
    };
  } catch {
    return undefined;
  }
}

/**
 * Microseconds that a process has used, with all its children: those that live, and those that it has outlived.
 * PostgreSQL has a process for each connection.
 * @param {number} pid
 */
export function processorTime(pid) {
  const children = new Map();
  for (const entry of readdirSync('/proc')) {
    const stat = /^\d+$/.test(entry) ? statOf(Number(entry)) : undefined;
    if (stat) children.set(stat.parent, [...(children.get(stat.parent) ?? []), { pid: Number(entry), stat }]);
  }
  const own = statOf(pid);
  if (own === undefined) return 0;
  let ticks = own.own + own.reaped;
  const open = [...(children.get(pid) ?? [])];
  for (let child = open.pop(); child !== undefined; child = open.pop()) {
    ticks += child.stat.own + child.stat.reaped;
    open.push(...(children.get(child.pid) ?? []));
  }
  return ticks * MICROSECONDS_PER_TICK;
}

/** Microseconds that a process has used, with its threads and without its children: cheap enough to be asked often. @param {number} pid */
export function ownProcessorTime(pid) {
  return (statOf(pid)?.own ?? 0) * MICROSECONDS_PER_TICK;
}

/** Resident memory of a process, MiB; 0 when it is gone. @param {number} pid */
export function residentMemory(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/**
 * The process that listens on a port of this machine.
 * @param {string} url of a server
 * @param {number} defaultPort
 * @returns {number | undefined} undefined when it runs elsewhere, or belongs to somebody who does not let us look
 */
export function listenerOf(url, defaultPort) {
  const { hostname, port } = new URL(url);
  if (!isAvailable || !['127.0.0.1', 'localhost', '[::1]', '::1'].includes(hostname)) return undefined;
  const sockets = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => listeningSockets(table, Number(port) || defaultPort)),
  );
  const holders = readdirSync('/proc').filter(
    (entry) => /^\d+$/.test(entry) && openFiles(entry).some((file) => sockets.has(file)),
  );
  // A server's children may have inherited its socket: the first one holds them all.
  return holders.map(Number).sort((a, b) => a - b)[0];
}

/** @param {string} table @param {number} port @returns {string[]} as the links in /proc/PID/fd name them */
function listeningSockets(table, port) {
  if (!existsSync(table)) return [];
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync(table, 'latin1')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(wanted) && state === '0A')
    .map((fields) => `socket:[${fields[9]}]`);
}

/** @param {string} pid */
function openFiles(pid) {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return '';
      }
    });
  } catch {
    return [];
  }
}
