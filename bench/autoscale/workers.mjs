// @ts-check
/** What a Deployment does for its replicas: starts processes, and stops those that are too many, with SIGTERM. */
import { ownProcessorTime } from '../processor-time.mjs';
import { callsOf } from './calls.mjs';

/**
 * @typedef {object} Worker one process, from its start to its end
 * @property {import('../../test/chaos/fleet.mjs').Slot} slot
 * @property {string} log
 * @property {number} startedAt Unix time, milliseconds, as all of these
 * @property {number} [readyAt]
 * @property {number} [toldAt] SIGTERM
 * @property {number} [stoppedAt]
 * @property {number | NodeJS.Signals} [ended] exit code, or the signal
 * @property {{ at: number, cpu: number }[]} usage CPU time used, microseconds
 */

/**
 * @param {object} options
 * @param {import('../../test/chaos/fleet.mjs').Slot[]} options.slots places for processes; more than replicas, since those that drain need one too
 * @param {number} options.requestedCores
 * @param {number} options.resolution of the CPU metric, milliseconds
 * @param {AbortSignal} options.signal
 * @param {(error: Error) => void} options.onError
 */
export function createWorkers({ slots, requestedCores, resolution, signal, onError }) {
  /** @type {Worker[]} */
  const workers = [];
  const wanted = () => workers.filter(({ toldAt }) => toldAt === undefined);
  const occupied = () => new Set(workers.filter(({ stoppedAt }) => stoppedAt === undefined).map(({ slot }) => slot));

  const start = () => {
    const slot = slots.find((one) => !occupied().has(one));
    if (!slot) return; // those that drain have all places: at the next look
    slot.start();
    /** @type {Worker} */
    const worker = { slot, log: slot.log, startedAt: Date.now(), usage: [] };
    workers.push(worker);
    slot.ready(signal).then(
      () => void (worker.readyAt = Date.now()),
      (error) => worker.toldAt ?? onError(error),
    );
  };

  /** @param {Worker} worker */
  const stop = (worker) => {
    worker.toldAt = Date.now();
    return worker.slot.stop().then((ended) => {
      worker.stoppedAt = Date.now();
      worker.ended = ended;
    }, onError);
  };

  return {
    /** Every process there was. */
    all: workers,
    get replicas() {
      return wanted().length;
    },
    get ready() {
      return wanted().filter(({ readyAt }) => readyAt !== undefined).length;
    },
    get draining() {
      return workers.filter(({ toldAt, stoppedAt }) => toldAt !== undefined && stoppedAt === undefined).length;
    },
    /** @param {number} replicas */
    scale: (replicas) => {
      while (wanted().length < replicas && occupied().size < slots.length) start();
      // A ReplicaSet takes those that are not ready first, then the youngest.
      const leaving = wanted()
        .sort((a, b) => (b.readyAt ?? Infinity) - (a.readyAt ?? Infinity))
        .slice(0, Math.max(0, wanted().length - replicas));
      for (const worker of leaving) void stop(worker);
    },
    stopAll: () => Promise.all(wanted().map(stop)),
    /** As the metrics server sees them: usage over its last window, known once a pod has been ready for one. */
    pods: () => {
      const now = Date.now();
      return wanted().map(({ slot, readyAt, usage }) => {
        if (slot.pid !== undefined) usage.push({ at: now, cpu: ownProcessorTime(slot.pid) });
        while ((usage[1]?.at ?? Infinity) <= now - resolution) usage.shift();
        const [first] = usage;
        const last = usage.at(-1);
        // Whose figures reach back before it was ready counts as not ready yet: a start takes CPU that no message asked for.
        const ready = readyAt !== undefined && first !== undefined && first.at >= readyAt;
        const whole = ready && last !== undefined && last.at - first.at >= resolution;
        return { ready: whole, utilization: whole ? coresBetween(first, last) / requestedCores : undefined };
      });
    },
  };
}

/** @typedef {ReturnType<typeof createWorkers>} Workers */

/** @param {{ at: number, cpu: number }} first @param {{ at: number, cpu: number }} last */
function coresBetween(first, last) {
  return (last.cpu - first.cpu) / ((last.at - first.at) * 1_000);
}

/** How a worker got its work: seconds from ready to the first message. @param {Worker} worker */
export function firstMessageAfter({ log, readyAt }) {
  const first = Math.min(...callsOf(log).map(({ came }) => came));
  // Readiness is looked at four times a second, so the first message may come before it is seen.
  return readyAt === undefined || !Number.isFinite(first) ? undefined : Math.max(0, first - readyAt) / 1_000;
}
