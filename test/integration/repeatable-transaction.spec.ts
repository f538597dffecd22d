import { DataSource, type QueryRunner } from 'typeorm';
import { readEnvironment } from '../../src/config/environment';
import { dataSourceOptions } from '../../src/database/data-source';
import type { DatabaseMonitor } from '../../src/database/database-monitor';
import { QueryRunners } from '../../src/database/query-runners';
import { Metrics } from '../../src/observability/metrics';
import { createNamespace, type Namespace } from '../support/namespace';

describe('a transaction that may be repeated', () => {
  let namespace: Namespace;
  let dataSource: DataSource;
  let queryRunners: QueryRunners;

  beforeAll(async () => {
    namespace = await createNamespace();
    dataSource = await new DataSource(dataSourceOptions(readEnvironment(namespace.variables))).initialize();
    // Nothing here is away; the monitor is told of nothing else.
    queryRunners = new QueryRunners(dataSource, {} as DatabaseMonitor, new Metrics());
    await namespace.database.query('CREATE TABLE counters (name text PRIMARY KEY, count integer NOT NULL DEFAULT 0)');
    await namespace.database.query(`INSERT INTO counters (name) VALUES ('a'), ('b')`);
  });
  afterAll(async () => {
    await dataSource.destroy();
    await namespace.remove();
  });

  const count = (runner: QueryRunner, name: string) =>
    runner.query('UPDATE counters SET count = count + 1 WHERE name = $1', [name]);

  it('begins anew when it lost a deadlock, and both of the two do their work once', async () => {
    let tries = 0;
    let together: () => void = () => undefined;
    const bothHoldOne = new Promise<void>((resolve) => (together = resolve));
    const crossing = (first: string, second: string) =>
      queryRunners.repeatableTransaction(async (runner) => {
        await count(runner, first);
        if (++tries === 2) together();
        await bothHoldOne;
        await count(runner, second);
      });
    await Promise.all([crossing('a', 'b'), crossing('b', 'a')]);
    expect(tries).toBe(3);
    const { rows } = await namespace.database.query('SELECT name, count FROM counters ORDER BY name');
    expect(rows).toEqual([
      { name: 'a', count: 2 },
      { name: 'b', count: 2 },
    ]);
  });

  it('does not try again what fails for another reason', async () => {
    let tries = 0;
    const failing = queryRunners.repeatableTransaction(async (runner) => {
      tries++;
      await count(runner, 'a');
      await runner.query(`INSERT INTO counters (name) VALUES ('a')`);
    });
    await expect(failing).rejects.toMatchObject({ code: '23505' });
    expect(tries).toBe(1);
    const { rows } = await namespace.database.query(`SELECT count FROM counters WHERE name = 'a'`);
    expect(rows).toEqual([{ count: 2 }]);
  });
});
