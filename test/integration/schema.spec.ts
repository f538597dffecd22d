import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DataSource } from 'typeorm';
import { readEnvironment } from '../../src/config/environment';
import { ConversationEventEntity } from '../../src/conversation-events/conversation-event.entity';
import { dataSourceOptions } from '../../src/database/data-source';
import { migrate } from '../../src/database/migrate';
import { MIGRATIONS } from '../../src/database/migrations';
import { FriendshipStatusEntity } from '../../src/friendship-status/friendship-status.entity';
import { createNamespace, type Namespace } from '../support/namespace';
import { describeSchema } from '../support/schema-dump';

const ROOT = join(__dirname, '..', '..');
const DUMP = join(ROOT, 'test', 'schema.txt');

describe('the schema', () => {
  let namespace: Namespace;

  beforeAll(async () => {
    namespace = await createNamespace();
  });
  afterAll(() => namespace.remove());

  it('is what test/schema.txt says (after a migration: npm run schema)', async () => {
    const found = await describeSchema(namespace.database);
    if (process.env.UPDATE_SCHEMA) await writeFile(DUMP, found);
    expect(found).toBe(await readFile(DUMP, 'utf8'));
  });

  it('has every column that an entity names, with its type', async () => {
    const options = {
      ...dataSourceOptions(readEnvironment(namespace.variables)),
      entities: [ConversationEventEntity, FriendshipStatusEntity],
    };
    const dataSource = await new DataSource(options).initialize();
    const { rows } = await namespace.database.query(
      `SELECT table_name || '.' || column_name AS name, is_nullable = 'YES' AS nullable, udt_name
         FROM information_schema.columns WHERE table_schema = 'public'`,
    );
    const columns = new Map(
      (rows as { name: string; nullable: boolean; udt_name: string }[]).map((row) => [row.name, row]),
    );
    for (const { tableName, columns: declared } of dataSource.entityMetadatas) {
      const names = [...columns.keys()].filter((name) => name.startsWith(`${tableName}.`));
      expect(declared.map(({ databaseName }) => `${tableName}.${databaseName}`).sort()).toEqual(names.sort());
      for (const { databaseName, isNullable, type } of declared) {
        const column = columns.get(`${tableName}.${databaseName}`);
        expect({ name: databaseName, nullable: column?.nullable }).toEqual({
          name: databaseName,
          nullable: isNullable,
        });
        expect({ name: databaseName, type: column?.udt_name }).toEqual({
          name: databaseName,
          type: type === 'integer' ? 'int4' : String(type),
        });
      }
    }
    await dataSource.destroy();
  });

  it('is left alone by a second migration, and made once by several at the same time', async () => {
    const environment = readEnvironment(namespace.variables);
    expect(await migrate(environment)).toEqual([]);
    await namespace.database.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    const results = await Promise.all([1, 2, 3, 4].map(() => migrate(environment)));
    expect(results.flat()).toEqual(MIGRATIONS.map(({ name }) => name));
  });

  it('can be taken back and made again by TypeORM’s own CLI', async () => {
    const typeorm = (...args: string[]) =>
      promisify(execFile)(
        process.execPath,
        [
          join(ROOT, 'node_modules', 'typeorm', 'cli.js'),
          ...args,
          '-d',
          join(ROOT, 'dist', 'database', 'typeorm-cli.js'),
        ],
        {
          env: { PATH: process.env.PATH, ...namespace.variables },
        },
      );
    for (const _ of MIGRATIONS) await typeorm('migration:revert');
    const { rows } = await namespace.database.query(`SELECT to_regclass('conversation_events') AS found`);
    expect(rows).toEqual([{ found: null }]);
    await typeorm('migration:run');
    expect((await typeorm('migration:show')).stdout).toMatch(/\[X\].*CreateSchema[^]*\[X\].*OperatorsPage/);
  });
});
