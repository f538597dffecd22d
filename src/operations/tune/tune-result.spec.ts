import type { Measurement, Point } from './measurement';
import { bindingResource } from './search';
import { answerOf, answerText, costsOf } from './tune-result';

/** A point measured on a quiet machine of two cores. */
function run(point: Partial<Point>, throughput: number, more: Partial<Measurement> = {}): Measurement {
  return {
    workers: 1,
    concurrency: 10,
    poolSize: 10,
    group: 1,
    ...point,
    load: 'backlog',
    why: '',
    seconds: 1,
    throughput,
    failed: 0,
    processing: { p50: 5, p95: 8, p99: 9 },
    critical: undefined,
    offered: undefined,
    cores: 2,
    eventLoop: 0.5,
    memory: 0,
    pool: { waits: 0, waitMs: 0, heldMs: 1 },
    queue: [],
    cpu: QUIET,
    ...more,
  };
}
const QUIET = { workers: 0.5, database: 0.5, broker: 0.2, api: 0, tuner: 0, machine: 1.3 };
const DISTURBED = { ...QUIET, machine: 1.95 };

const LIMITS = { workers: 8, concurrency: 100, poolLimit: () => 500 };
const answer = (...measured: Measurement[]) =>
  answerText(answerOf(measured, LIMITS, { serviceTime: 0, cpuTime: 0 })!).join('\n');

describe('the short answer', () => {
  it('says of a next best that was measured once whether identical runs may differ by as much', () => {
    expect(answer(run({ concurrency: 10 }, 500), run({ concurrency: 20 }, 1_000))).toContain(
      'with 500, 50 % less: measured once, and more than identical runs differ by (14 %).',
    );
    expect(answer(run({ concurrency: 10 }, 900), run({ concurrency: 20 }, 1_000))).toContain(
      'with 900, 10 % less: measured once, and no more than identical runs may differ by (14 %).',
    );
  });

  it('says of repeated runs whether the difference is beyond their noise', () => {
    const runs = (concurrency: number, ...throughputs: number[]) =>
      throughputs.map((each) => run({ concurrency }, each));
    expect(answer(...runs(10, 800, 810, 805), ...runs(20, 1_000, 1_010, 1_002))).toContain(
      '20 % less, beyond the noise.',
    );
    expect(answer(...runs(10, 800, 1_000), ...runs(20, 1_050, 950))).toContain('10 % less, which is within the noise.');
  });

  it('tells of others on the machine, also where only the next best had them beside it', () => {
    expect(answer(run({ concurrency: 10 }, 500, { cpu: DISTURBED }), run({ concurrency: 20 }, 1_000))).toContain(
      'Note: others used up to 38 % of this machine in 1 of the 2 runs of these two points: repeat on a quiet one.',
    );
    expect(answer(run({}, 500), run({ concurrency: 20 }, 1_000))).not.toContain('others');
  });

  it('does not pass off the queue of an overload as a latency', () => {
    const open = { load: 'open loop', offered: 663 } as const;
    expect(answer(run({}, 1_326), run({}, 106, open))).toContain(
      'Note: 663 posts a second were offered and 106 worked on: the latency there is that of a queue that grows.',
    );
    expect(answer(run({}, 1_326), run({}, 655, open))).not.toContain('offered');
  });

  it('asks for higher values only where the machine has room for them', () => {
    const most = { workers: 8, concurrency: 100 };
    expect(answer(run(most, 1_000))).toMatch(/Note: C is at the highest[^]*Note: W is at the highest/);
    expect(answer(run(most, 1_000, { cpu: { ...QUIET, workers: 1.2, machine: 1.98 } }))).not.toContain('Note:');
  });

  it('says where PostgreSQL has no connections for more', () => {
    const limits = { ...LIMITS, poolLimit: (workers: number) => Math.floor(20 / workers) - 1 };
    const said = (point: Partial<Point>, waits: number) =>
      answerText(
        answerOf([run(point, 500, { pool: { waits, waitMs: 1, heldMs: 1 } })], limits, { serviceTime: 0, cpuTime: 0 })!,
      ).join('\n');
    expect(said({ workers: 4, poolSize: 4 }, 0.9)).toContain(
      'Note: messages wait for a connection, and PostgreSQL has none for more than 4 x 4 of them: raise max_connections to try larger pools.',
    );
    expect(said({ workers: 4, poolSize: 4 }, 0)).not.toContain('PostgreSQL has none');
    limits.workers = 10;
    expect(said({ workers: 10, poolSize: 1 }, 0)).toContain(
      'Note: W is at the highest that PostgreSQL has connections for: raise max_connections to try more.',
    );
  });

  it('tells two points apart that differ in the commit group alone', () => {
    expect(answer(run({}, 1_000), run({ group: 10 }, 2_000))).toContain(
      'Next: the same with commit group 1 with 1,000',
    );
  });

  it('names a smaller pool that does as much', () => {
    const said = answer(run({}, 1_000), run({ poolSize: 5 }, 980), run({ poolSize: 2 }, 600));
    expect(said).toContain('Note: a pool of 5 did 980 a second, within 3 %, with fewer connections.');
    expect(said).not.toContain('pool of 2');
  });

  it('names what ends the gain further up where nothing binds at the knee itself', () => {
    const full = { cpu: { ...QUIET, workers: 1.25, machine: 1.98 } };
    expect(answer(run({}, 1_000), run({ concurrency: 20 }, 1_010, full))).toContain(
      'What binds: nothing here yet; with more in flight, at W 1 x C 20, pool 10, the cores of this machine (99 % busy).',
    );
    expect(answer(run({}, 1_000), run({ concurrency: 20 }, 900, full))).toContain(
      'What binds: nothing on this machine',
    );
  });

  it('is none where no message was finished', () => {
    expect(answerOf([run({}, 0)], LIMITS, { serviceTime: 0, cpuTime: 0 })).toBeUndefined();
  });

  it('does not blame the service for the cores that others keep busy', () => {
    expect(bindingResource(run({}, 100, { cpu: { ...QUIET, workers: 1.25, machine: 2.06 } }))).toBe(
      'the cores of this machine (100 % busy)',
    );
    expect(bindingResource(run({}, 100, { cpu: DISTURBED }))).toBe(
      'the cores of this machine (98 % busy, of which others use 38 %): without those it may be something else',
    );
  });
});

describe('the costs that plan is given', () => {
  const cpu = (workers: number, database: number) => ({ ...QUIET, workers, database });

  it('are those of a message at the best point, without what the mix itself computes', () => {
    const measured = [run({ concurrency: 1 }, 100, { cpu: cpu(0.5, 0.3) }), run({}, 400, { cpu: cpu(1, 0.4) })];
    expect(costsOf(measured, { serviceTime: 0, cpuTime: 0 })).toMatchObject({ workerCpu: 2.5, databaseCpu: 1 });
    expect(costsOf(measured, { serviceTime: 0, cpuTime: 2 })).toMatchObject({ workerCpu: 0.5, databaseCpu: 1 });
  });

  it('are not those of messages that share a commit, since plan knows of none', () => {
    const measured = [run({}, 400, { cpu: cpu(1, 0.4) }), run({ group: 10 }, 1_000, { cpu: cpu(1, 0.4) })];
    expect(costsOf(measured, { serviceTime: 0, cpuTime: 0 })).toMatchObject({ workerCpu: 2.5, databaseCpu: 1 });
  });

  it('are none where no message was finished', () => {
    expect(costsOf([run({}, 0)], { serviceTime: 0, cpuTime: 0 })).toBeUndefined();
  });
});
