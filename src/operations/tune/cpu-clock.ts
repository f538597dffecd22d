/** CPU time of processes on this machine, from /proc. Elsewhere, or where it cannot be read, there is none. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Linux counts CPU in these, whatever its own timer is: USER_HZ, in seconds. */
const TICK = 1 / 100;

interface Stat {
  readonly name: string;
  readonly parent: number;
  /** CPU of the process, and of its children that have ended, seconds. */
  readonly own: number;
  readonly ended: number;
}

function statOf(pid: number): Stat | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in parentheses may hold anything; the fields that count follow the last one.
    const end = stat.lastIndexOf(')');
    const fields = stat.slice(end + 2).split(' ');
    const at = (field: number) => Number(fields[field - 3]) * TICK;
    return {
      name: stat.slice(stat.indexOf('(') + 1, end),
      parent: Number(fields[1]),
      own: at(14) + at(15),
      ended: at(16) + at(17),
    };
  } catch {
    return undefined;
  }
}

function pids(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** @returns seconds of CPU since the process started; undefined when it is not there */
export function cpuOfProcess(pid: number): number | undefined {
  return statOf(pid)?.own;
}

/** @returns seconds of CPU of a process, its children, and those of its children that have ended */
export function cpuOfFamily(pid: number): number | undefined {
  const head = statOf(pid);
  if (!head) return undefined;
  const children = pids()
    .map(statOf)
    .filter((stat) => stat?.parent === pid);
  return head.own + head.ended + children.reduce((sum, child) => sum + (child?.own ?? 0), 0);
}

/** @param backend pid of any of PostgreSQL's processes, as it says itself @returns its first one, if it runs here */
export function postmasterOf(backend: number): number | undefined {
  const stat = statOf(backend);
  return stat && /^postgres/.test(stat.name) ? stat.parent : undefined;
}

/** @returns the process that listens on a port, if it runs here and is ours to look at */
export function listenerOn(port: number): number | undefined {
  const inode = ['/proc/net/tcp', '/proc/net/tcp6'].map((table) => listeningInode(table, port)).find(Boolean);
  if (!inode) return undefined;
  return pids().find((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((fd) => {
        try {
          return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`;
        } catch {
          return false;
        }
      });
    } catch {
      return false;
    }
  });
}

function listeningInode(table: string, port: number): string | undefined {
  try {
    const wanted = port.toString(16).toUpperCase().padStart(4, '0');
    const line = readFileSync(table, 'latin1')
      .split('\n')
      .map((row) => row.trim().split(/\s+/))
      .find((fields) => fields[1]?.endsWith(`:${wanted}`) && fields[3] === '0A');
    return line?.[9];
  } catch {
    return undefined;
  }
}

/** @returns seconds of CPU that all cores together were busy since the machine started */
export function cpuOfMachine(): number | undefined {
  try {
    const [, user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'latin1')
      .split('\n', 1)[0]
      .split(/\s+/);
    return [user, nice, system, irq, softirq].reduce((sum, ticks) => sum + Number(ticks), 0) * TICK;
  } catch {
    return undefined;
  }
}

export const CORES = availableParallelism();
