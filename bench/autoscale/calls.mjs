// @ts-check
/** What the workers' calls say: when a worker had its first message, and how long messages lay in a worker that was busy with others. */
import { existsSync, readFileSync } from 'node:fs';

/** Idle workers are counted at moments so far apart, milliseconds. */
const STEP = 100;

/** @typedef {{ came: number, begun: number, ended: number }} Call Unix time, milliseconds */

/** @param {string} log of the worker @returns {Call[]} */
export function callsOf(log) {
  const file = `${log}.witness.calls`;
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ').map(Number))
    .map(([came = 0, begun = 0, ended = 0]) => ({ came, begun, ended }));
}

/** @param {Call[]} calls @param {number} share 0..1 @returns {number} milliseconds for which that share of messages waited in their worker, at most */
export function heldFor(calls, share) {
  const waits = calls.map(({ came, begun }) => begun - came).sort((a, b) => a - b);
  return waits[Math.max(0, Math.ceil(waits.length * share) - 1)] ?? 0;
}

/**
 * Seconds of workers that were ready and had no message while another worker held some that waited: what hoarding costs.
 * @param {{ readyAt: number, stoppedAt: number, calls: Call[] }[]} workers
 */
export function idleBesideHeld(workers) {
  const begin = Math.min(...workers.map(({ readyAt }) => readyAt));
  const end = Math.max(...workers.map(({ stoppedAt }) => stoppedAt));
  let idle = 0;
  for (let at = begin; at < end; at += STEP) {
    const up = workers.filter(({ readyAt, stoppedAt }) => readyAt <= at && at < stoppedAt);
    const held = workers.some(({ calls }) => calls.some(({ came, begun }) => came <= at && at < begun));
    if (held) idle += up.filter(({ calls }) => !calls.some(({ came, ended }) => came <= at && at < ended)).length;
  }
  return (idle * STEP) / 1_000;
}
