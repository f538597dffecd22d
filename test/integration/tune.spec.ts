import { readFile } from 'node:fs/promises';
import { createNamespace, type Namespace } from '../support/namespace';
import { runTune, type TuneRun } from '../support/tune-run';

describe('tune', () => {
  let namespace: Namespace;
  let run: TuneRun | undefined;

  beforeAll(async () => {
    namespace = await createNamespace();
  });
  afterEach(async () => {
    await run?.remove();
    run = undefined;
  });
  afterAll(() => namespace.remove());

  const exists = async (database: string) => {
    expect(database).toMatch(/^friendship_tune_/);
    const { rowCount } = await namespace.database.query('SELECT FROM pg_database WHERE datname = $1', [database]);
    return rowCount === 1;
  };

  it('recommends what it measured, as lines of settings and as a report, and removes what it made', async () => {
    run = await runTune(namespace.variables);
    const { code, result, database } = run;
    expect(code).toBe(0);
    expect(result).toMatchObject({ complete: true, kind: 'search' });
    const points = result.measurements.map(({ concurrency }) => concurrency);
    expect(new Set(points)).toEqual(new Set([2, 5]));
    expect(result.measurements.every(({ throughput }) => throughput > 0)).toBe(true);
    const { point, env } = result.answer!;
    expect(points).toContain(point.concurrency);
    expect(env).toEqual(
      expect.arrayContaining(['WORKER_REPLICAS=1', `MESSAGE_CONCURRENCY_PER_WORKER=${point.concurrency}`]),
    );
    expect(await readFile(run.report, 'utf8')).toContain(`MESSAGE_CONCURRENCY_PER_WORKER=${point.concurrency}`);
    expect(await exists(database)).toBe(false);
  }, 90_000);

  it('ended by Ctrl-C leaves a report of what there is, and nothing else', async () => {
    // The first point has been measured when the second one begins.
    run = await runTune(namespace.variables, { interruptAt: 2 });
    expect(run.code).toBe(130);
    expect(run.result.complete).toBe(false);
    expect(run.result.measurements).toHaveLength(1);
    expect(await readFile(run.report, 'utf8')).toContain('Interrupted: this is what had been measured.');
    expect(await exists(run.database)).toBe(false);
  }, 90_000);
});
