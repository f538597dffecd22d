import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/free-port';
import { runCli } from '../support/run-cli';
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

  it.each<[string, string[], string]>([
    [
      'a start beside the list',
      ['--start-workers', '8', '--workers', '1,2'],
      '--start-workers: expected one of --workers (1,2), got 8',
    ],
    [
      'a list without the start of the preset',
      ['--preset', 'classic', '--workers', '1,2'],
      '--start-workers: expected one of --workers (1,2), got 4, where --preset classic begins',
    ],
    [
      'a group that cannot fill',
      ['--groups', '50', '--concurrency', '5'],
      '--groups: expected at most the highest of --concurrency (5), since a commit holds no more than is in flight, got 50',
    ],
    [
      'two ways to choose the points',
      ['--grid', '--preset', 'classic'],
      '--preset and --grid: expected one of them, since --grid measures every point, got both',
    ],
    [
      'a start where there is no search',
      ['--grid', '--start-workers', '2'],
      '--start-workers: expected it without --grid, which measures every point, got both',
    ],
    [
      'other users than the preset has',
      ['--preset', 'classic', '--users', '5'],
      '--users: expected it without --preset classic, which has 100, got both',
    ],
  ])('refuses %s, before it touches a server', async (_what, options, message) => {
    expect(await runCli({}, 'tune', ...options)).toMatchObject({ code: 2, stdout: '', stderr: `${message}\n` });
  });

  it('says which server does not let it in, and what came instead', async () => {
    const port = await freePort();
    const out = join(tmpdir(), `friendship-tune-refused-${port}`);
    try {
      const away = (name: string, url: string) => runCli({ ...namespace.variables, [name]: url }, 'tune', '--out', out);
      const wrongUser = new URL(namespace.variables.RABBITMQ_URL);
      wrongUser.username = 'nobody';
      expect(await away('DATABASE_URL', `postgresql://me:secret@127.0.0.1:${port}/x`)).toMatchObject({
        code: 2,
        stderr: `DATABASE_URL: expected a PostgreSQL at 127.0.0.1:${port} and a role that may create a database, got ECONNREFUSED\n`,
      });
      expect(await away('RABBITMQ_URL', `amqp://me:secret@127.0.0.1:${port}`)).toMatchObject({
        code: 2,
        stderr: `RABBITMQ_URL: expected a RabbitMQ at 127.0.0.1:${port} that lets us in, got ECONNREFUSED\n`,
      });
      expect(await away('RABBITMQ_URL', wrongUser.href)).toMatchObject({
        code: 2,
        stderr: `RABBITMQ_URL: expected a RabbitMQ at ${wrongUser.host} that lets us in, got 403 (ACCESS-REFUSED)\n`,
      });
    } finally {
      await rm(out, { recursive: true, force: true });
    }
  });

  describe('where PostgreSQL has few connections', () => {
    const role = `tune_role_${randomBytes(4).toString('hex')}`;
    let variables: Record<string, string>;

    beforeAll(async () => {
      await namespace.database.query(`CREATE ROLE ${role} LOGIN CREATEDB PASSWORD 'secret' CONNECTION LIMIT 20`);
      const url = new URL(namespace.variables.DATABASE_URL);
      url.username = role;
      url.password = 'secret';
      variables = { ...namespace.variables, DATABASE_URL: url.href };
    });
    afterAll(() => namespace.database.query(`DROP ROLE ${role}`));

    it('gives the workers smaller pools', async () => {
      run = await runTune(variables);
      const { code, result } = run;
      expect(code).toBe(0);
      // 20, less 11 of the api and 5 for others, is a pool of 3 and one connection apart.
      expect(result.measurements.map(({ poolSize }) => poolSize)).toEqual(result.measurements.map(() => 3));
      expect(result.measurements.every(({ failed, throughput }) => failed === 0 && throughput > 0)).toBe(true);
    }, 90_000);

    it('refuses workers for which there are none', async () => {
      const out = join(tmpdir(), role);
      try {
        expect(await runCli(variables, 'tune', '--workers', '1,4', '--out', out)).toMatchObject({
          code: 2,
          stderr:
            '--workers: expected as many as PostgreSQL has connections for, which is 20 at the moment (each worker takes two, the api 11, ' +
            'and 5 are for others), got 1,4: raise max_connections\n',
        });
      } finally {
        await rm(out, { recursive: true, force: true });
      }
    });
  });

  it('ended by Ctrl-C leaves a report of what there is, and nothing else', async () => {
    // The first point has been measured when the second one begins.
    run = await runTune(namespace.variables, { endAt: 2, endBy: 'Ctrl-C' });
    expect(run.code).toBe(130);
    expect(run.result.complete).toBe(false);
    expect(run.result.measurements).toHaveLength(1);
    expect(await readFile(run.report, 'utf8')).toContain('Interrupted: this is what had been measured.');
    expect(run.answer).toContain('Interrupted after 1 runs: this is what had been measured.');
    expect(await exists(run.database)).toBe(false);
  }, 90_000);

  it('ends in the same way when nobody reads on', async () => {
    run = await runTune(namespace.variables, { endAt: 1, endBy: 'nobody reads' });
    expect(run.code).toBe(130);
    expect(run.result.complete).toBe(false);
    expect(await exists(run.database)).toBe(false);
  }, 90_000);
});
