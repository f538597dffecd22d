/**
 * Which points are worth measuring. It climbs by the operators' rules until nothing is gained, looks around the best, chooses the
 * knee, and at last repeats the best two until their difference is beyond the noise. Pure: it is given a way to measure.
 */
import { isDisturbed, machineUse, othersUse, pointText, samePoint, type Measurement, type Point } from './measurement';
import { mean, pairedRatio } from './statistics';

/** Below, a worker has room for more messages in flight. Share of a core. */
const ROOM = 0.8;

/** The machine has no core free above this share. */
export const MACHINE_FULL = 0.93;

const MOST_OF_OTHERS = 0.3;

/** The pool is too small where a larger share of the messages waits for a connection. */
export const POOL_WAITS = 0.2;

/** A step up must gain this much to be worth its latency; and the knee may lose that much against the best. */
const WORTH_A_STEP = 1.05;
export const KNEE_TOLERANCE = 0.97;

/** Identical runs differ by up to 16 % on a machine that is shared: what is this much better needs no second look. */
export const CLEAR = 1.16;

/** A pool that differs by less than this factor is the same pool. */
const OTHER_POOL = 1.4;

/** Looks at points around the best, at most. */
const MOST_LOOKS_AROUND = 4;

/**
 * On a full machine more in flight only helps by making a message cheaper, and what the mix computes gets no cheaper: the rest must be
 * at least this share of the CPU to be worth a look.
 */
const SHARE_TO_SAVE = 0.25;

/** A step may be long where little is used, but what it finds must lie between measured points. */
const LONGEST_STEP = 10;

export interface SearchSpace {
  /** W and C that may be chosen, in rising order. */
  readonly workers: readonly number[];
  readonly concurrency: readonly number[];
  readonly start: { readonly workers: number; readonly concurrency: number };
  readonly poolSize: number;
  /** The largest pool of each of so many workers that the server has connections for. */
  readonly poolLimit: (workers: number) => number;
  /** The pool that a run would have needed. */
  readonly poolFor: (run: Measurement) => number;
  readonly groups: readonly number[];
  /** What the mix computes for a message, milliseconds. */
  readonly cpuTime: number;
  /** Runs of each of the best two, at most. */
  readonly mostRepeats: number;
}

export type Measure = (point: Point, why: string) => Promise<Measurement>;

/** Measurements of one point, best mean first. */
export interface Candidate {
  readonly point: Point;
  readonly runs: readonly Measurement[];
  /** Mean over the runs, messages a second. */
  readonly throughput: number;
}

/** @param measured grows as the search goes on, so that whoever interrupts it has what there is */
export async function search(space: SearchSpace, measured: Measurement[], measure: Measure): Promise<void> {
  const at = async (workers: number, concurrency: number, why: string) => {
    const point = pointOf(space, workers, concurrency);
    // What was posted through the api has the api's limits in it.
    const known = measured.find((run) => run.load === 'backlog' && samePoint(run, point));
    if (known) return known;
    const run = await measure(point, why);
    measured.push(run);
    return run;
  };
  await climb(space, at);
  await lookAround(space, measured, at);
  await tryFewerWorkers(space, measured, at);
  await tryGroups(space, measured, measure);
  await tryPool(space, measured, measure);
  await repeatBest(space, measured, measure);
}

/** Without commit groups, and with the pool to begin with. */
export function pointOf(space: SearchSpace, workers: number, concurrency: number): Point {
  return { workers, concurrency, poolSize: Math.min(space.poolSize, space.poolLimit(workers)), group: 1 };
}

type At = (workers: number, concurrency: number, why: string) => Promise<Measurement>;

interface Move {
  readonly workers: number;
  readonly concurrency: number;
  readonly why: string;
}

async function climb(space: SearchSpace, at: At): Promise<void> {
  let here = await at(space.start.workers, space.start.concurrency, 'the start');
  for (let exhausted: 'none' | 'concurrency' = 'none'; ;) {
    const move = nextMove(space, here, exhausted);
    if (!move) return;
    const there = await at(move.workers, move.concurrency, move.why);
    const gained = there.throughput >= here.throughput * WORTH_A_STEP;
    if (gained) {
      exhausted = 'none';
      here = there;
    } else if (move.workers === here.workers) {
      exhausted = 'concurrency'; // more in flight gains nothing: from here, only more processes can
    } else return;
  }
}

/** The operators' rules, with C before W: a message in flight costs kilobytes, a process 100 MB. */
export function nextMove(
  { workers, concurrency }: SearchSpace,
  here: Measurement,
  exhausted: 'none' | 'concurrency' = 'none',
): Move | undefined {
  const machine = machineUse(here) ?? 0;
  // Where others keep the machine busy, its use says nothing of the service: only the gain does.
  const disturbed = othersUse(here) > MOST_OF_OTHERS * here.cores;
  const moreWorkers = workers.find((w) => w > here.workers);
  const { eventLoop } = here;
  if (machine >= MACHINE_FULL && !disturbed) {
    const c = concurrency.find((higher) => higher > here.concurrency);
    if (c === undefined || exhausted === 'concurrency') return undefined;
    // Measured here: from C 10 to 20 a message cost 15 % less CPU, since commits, deliveries and acks are shared by more of them.
    const why = `the machine ${share(machine)} busy: is a message cheaper with more in flight?`;
    return { workers: here.workers, concurrency: c, why };
  }
  if (eventLoop < ROOM && exhausted === 'none') {
    // Proportional while nothing is scarce: Little's law.
    const factor = Math.min(LONGEST_STEP, Math.max(2, (0.85 / Math.max(eventLoop, 0.01)) * 0.7));
    const limit = here.concurrency * factor;
    const higher = concurrency.filter((c) => c > here.concurrency);
    const c = higher.filter((candidate) => candidate <= limit).at(-1) ?? higher[0];
    if (c !== undefined) {
      return {
        workers: here.workers,
        concurrency: c,
        why: `workers ${share(eventLoop)} busy and the queue is there: more in flight`,
      };
    }
  }
  if (moreWorkers === undefined) return undefined;
  const reason =
    eventLoop >= ROOM ? `workers ${share(eventLoop)} busy` : 'more in flight gains nothing, or C is at its highest';
  return {
    workers: moreWorkers,
    concurrency: here.concurrency,
    why: `${reason}, the machine ${share(machine)}: another worker`,
  };
}

/** The points around the best that are worth a look, until none is left; of those that are better, the next ones. */
async function lookAround(space: SearchSpace, measured: Measurement[], at: At): Promise<void> {
  for (let looks = 0; looks < MOST_LOOKS_AROUND; looks++) {
    const [best] = candidates(measured);
    const next = neighbours(space, best).find(
      ({ workers, concurrency }) =>
        !measured.some((run) => run.workers === workers && run.concurrency === concurrency && run.load === 'backlog'),
    );
    if (!next) return;
    await at(next.workers, next.concurrency, next.why);
  }
}

function neighbours(space: SearchSpace, { point: { workers, concurrency }, runs: [run] }: Candidate): Move[] {
  const full = (machineUse(run) ?? 0) >= MACHINE_FULL;
  const moves: Move[] = [];
  const higher = space.concurrency.filter((c) => c > concurrency);
  if (higher.length > 0 && (!full || shareToSave(space, run) >= SHARE_TO_SAVE)) {
    moves.push({ workers, concurrency: higher[0], why: 'next to the best: more in flight?' });
    // One slow moment of the machine is enough to end a climb early: 1,696/s at C 50 after 1,840/s at C 20, where C 100 did 2,500/s.
    moves.push({ workers, concurrency: higher[higher.length - 1], why: 'as many in flight as may be?' });
  }
  const more = space.workers.find((w) => w > workers);
  // Where the machine is full, another process helps only if it was a thread that gave out while a core was left for another.
  if (more !== undefined && (!full || (run.eventLoop >= ROOM && workers < run.cores)))
    moves.push({ workers: more, concurrency, why: 'next to the best: another worker?' });
  const lower = space.concurrency.filter((c) => c < concurrency).at(-1);
  if (lower !== undefined) moves.push({ workers, concurrency: lower, why: 'as much with less in flight?' });
  return moves;
}

/** Of the CPU of a message, all that is not the mix's own. */
function shareToSave({ cpuTime }: SearchSpace, { cpu, throughput }: Measurement): number {
  return 1 - (throughput * cpuTime) / 1_000 / (cpu.machine ?? Infinity);
}

/** As many in flight in fewer processes, as long as their threads can do the work and nothing is lost by it: a process costs 100 MB. */
async function tryFewerWorkers(space: SearchSpace, measured: Measurement[], at: At): Promise<void> {
  for (;;) {
    const [{ point, runs }] = knee(candidates(measured));
    const workers = space.workers.filter((w) => w < point.workers).at(-1);
    if (workers === undefined || (runs[0].eventLoop * point.workers) / workers > ROOM) return;
    const inFlight = point.workers * point.concurrency;
    const concurrency = space.concurrency.find((c) => workers * c >= inFlight) ?? Math.max(...space.concurrency);
    await at(workers, concurrency, 'as much with fewer workers?');
    if (knee(candidates(measured))[0].point.workers === point.workers) return;
  }
}

/** At the best point: a pool that fits what was held of it. */
async function tryPool(space: SearchSpace, measured: Measurement[], measure: Measure): Promise<void> {
  const [best] = knee(candidates(measured));
  if (!best) return;
  const poolSize = Math.min(space.poolFor(best.runs[0]), space.poolLimit(best.point.workers));
  const other = { ...best.point, poolSize };
  const ratio = other.poolSize / best.point.poolSize;
  if (ratio > 1 / OTHER_POOL && ratio < OTHER_POOL) return;
  measured.push(await measure(other, 'a pool that fits what was held'));
}

/** At the best point: results that are ready together committed together. */
async function tryGroups(space: SearchSpace, measured: Measurement[], measure: Measure): Promise<void> {
  for (const group of space.groups) {
    const { point } = candidates(measured)[0];
    const other = { ...point, group };
    if (group > point.concurrency || measured.some((run) => samePoint(run, other))) continue;
    measured.push(await measure(other, 'results committed in groups'));
  }
}

/** Runs of the best two, in turns, until one is better beyond the noise or they are as good as equal. What a repeat makes one of the best two is repeated next. */
async function repeatBest(space: SearchSpace, measured: Measurement[], measure: Measure): Promise<void> {
  for (let round = 1; round < space.mostRepeats; round++) {
    const [first, ...others] = knee(candidates(measured));
    const second = first && rivalOf(first, others);
    if (!second) return;
    // What ran while others used the machine is compared with nothing until both have run next to each other.
    const disturbed = [first, second].some(({ runs }) => runs.every(isDisturbed));
    if (!disturbed && first.throughput > second.throughput * CLEAR) return;
    if (isDecided(runsAt(measured, first.point), runsAt(measured, second.point))) return;
    for (const { point } of round % 2 === 1 ? [first, second] : [second, first]) {
      measured.push(await measure(point, `repeat ${round}: is the difference beyond the noise?`));
    }
  }
}

/** One is better beyond the noise, or they are as good as equal. */
function isDecided(a: readonly number[], b: readonly number[]): boolean {
  const { low, high } = pairedRatio(a, b);
  return low > 1 || high < 1 || (low > KNEE_TOLERANCE && high < 1 / KNEE_TOLERANCE);
}

/** The fastest other point; the same one with another pool is no rival, only a cheaper or dearer way to it. */
export function rivalOf({ point }: Candidate, others: readonly Candidate[]): Candidate | undefined {
  return others.find(
    ({ point: { workers, concurrency, group } }) =>
      workers !== point.workers || concurrency !== point.concurrency || group !== point.group,
  );
}

function runsAt(measured: readonly Measurement[], point: Point): number[] {
  return measured.filter((run) => run.load === 'backlog' && samePoint(run, point)).map(({ throughput }) => throughput);
}

/** Every point with its runs, the fastest first. */
export function candidates(measured: readonly Measurement[]): Candidate[] {
  const backlog = measured.filter(({ load }) => load === 'backlog');
  const points = backlog.filter((run, index) => backlog.findIndex((other) => samePoint(other, run)) === index);
  return points
    .map(({ workers, concurrency, poolSize, group }) => {
      const point = { workers, concurrency, poolSize, group };
      const runs = backlog.filter((run) => samePoint(run, point));
      return { point, runs, throughput: mean(runs.map(({ throughput }) => throughput)) };
    })
    .sort((a, b) => b.throughput - a.throughput);
}

/**
 * What is as fast as the fastest, within the tolerance, the cheapest first: fewer processes, then fewer messages in flight.
 * @param ranked as {@link candidates} gives them
 * @returns the recommended one, and after it the others from the fastest to the slowest
 */
export function knee(ranked: readonly Candidate[]): Candidate[] {
  if (ranked.length === 0) return [];
  const good = ranked.filter(({ throughput }) => throughput >= ranked[0].throughput * KNEE_TOLERANCE);
  const [chosen] = good.sort(
    (a, b) =>
      a.point.workers - b.point.workers || a.point.concurrency - b.point.concurrency || b.throughput - a.throughput,
  );
  return [chosen, ...ranked.filter((candidate) => candidate !== chosen)];
}

/** What gives out first; undefined where it cannot be seen from here. */
export function bindingResource(run: Measurement): string | undefined {
  const machine = machineUse(run);
  if (machine !== undefined && machine >= 0.9) {
    const others = othersUse(run) / run.cores;
    // The clocks of processes and of the machine are not read in the same instant.
    const busy = share(Math.min(1, machine));
    return isDisturbed(run)
      ? `the cores of this machine (${busy} busy, of which others use ${share(others)}): without those it may be something else`
      : `the cores of this machine (${busy} busy)`;
  }
  if (run.eventLoop >= 0.85) return `the workers' threads of JavaScript (${share(run.eventLoop)} busy)`;
  if (run.pool.waits > POOL_WAITS) {
    return `the connection pools (${share(Math.min(1, run.pool.waits))} of the messages wait for a connection, ${run.pool.waitMs.toFixed(1)} ms a message)`;
  }
  const own = run.processing.p50;
  const littles = (1_000 * run.workers * run.concurrency) / own;
  if (run.throughput > 0.85 * littles) return `messages in flight: ${pointText(run)} are always in use`;
  return undefined;
}

function share(value: number): string {
  return `${Math.round(100 * value)} %`;
}
