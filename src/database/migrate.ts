/** Brings the schema up to date: `npm run migrate`. Idempotent; when several start at once, one works and the others wait. */
import { Client } from 'pg';
import { EnvironmentError, readEnvironment, type Environment } from '../config/environment';
import { describeError } from '../errors/describe';
import { clientOptions, createDataSource } from './data-source';
import { applyGrants, type Roles } from './grants';

/** Any number will do, as long as every version of this service uses the same. */
const MIGRATION_LOCK = 5_720_641;

/**
 * Runs what is missing, then says anew what each role may do.
 * @returns the names of the migrations that were run
 */
export async function migrate(environment: Environment, roles?: Roles): Promise<string[]> {
  // A transaction-level lock on a connection of its own: session-level locks break behind PgBouncer.
  const lock = new Client({ ...clientOptions(environment), statement_timeout: 0, query_timeout: 0 });
  await lock.connect();
  try {
    await lock.query('BEGIN');
    await lock.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    const dataSource = createDataSource({ ...environment, DATABASE_STATEMENT_TIMEOUT: 600_000 });
    await dataSource.initialize();
    try {
      const done = await dataSource.runMigrations();
      await applyGrants(lock, roles);
      await lock.query('COMMIT');
      return done.map(({ name }) => name);
    } finally {
      await dataSource.destroy();
    }
  } finally {
    await lock.end();
  }
}

async function main(): Promise<void> {
  const done = await migrate(readEnvironment());
  process.stdout.write(done.length > 0 ? `migrated: ${done.join(', ')}\n` : 'the schema is up to date\n');
}

if (require.main === module) {
  main().catch((error: unknown) => {
    const text = error instanceof EnvironmentError ? error.message : JSON.stringify(describeError(error), null, 2);
    process.stderr.write(`migration failed: ${text}\n`);
    process.exitCode = 1;
  });
}
