import { Client, type ClientConfig } from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { readEnvironment, type Environment } from '../config/environment';
import { MIGRATIONS, MIGRATIONS_TABLE } from './migrations';

/** What every connection to PostgreSQL has in common, of the pool and apart from it. */
export function clientOptions(environment: Environment): ClientConfig {
  return {
    connectionString: environment.DATABASE_URL,
    connectionTimeoutMillis: environment.DATABASE_TIMEOUT,
    // The server gives up first; the client a second later, for when the network swallowed the answer.
    statement_timeout: environment.DATABASE_STATEMENT_TIMEOUT,
    query_timeout: environment.DATABASE_STATEMENT_TIMEOUT + 1_000,
    keepAlive: true,
    ...(environment.DATABASE_CA_FILE === undefined ? {} : { ssl: { ca: environment.DATABASE_CA_FILE } }),
  };
}

/**
 * A connection that breaks in the moment of its login has nobody who listens yet: pg's pool has let go of it, and TypeORM has not
 * got hold of it. Without a listener the event ends the process; whoever works on the connection next sees it broken.
 */
export class GuardedClient extends Client {
  constructor(config?: ClientConfig) {
    super(config);
    this.on('error', () => undefined);
  }
}

/** TypeORM's options for this environment. */
export function dataSourceOptions(environment: Environment): DataSourceOptions {
  return {
    type: 'postgres',
    url: environment.DATABASE_URL,
    migrations: MIGRATIONS,
    migrationsTableName: MIGRATIONS_TABLE,
    migrationsTransactionMode: 'each',
    poolSize: environment.DATABASE_POOL_SIZE,
    applicationName: `friendship-service ${environment.APP_ROLE}`,
    installExtensions: false,
    logging: false,
    extra: { ...clientOptions(environment), Client: GuardedClient },
  };
}

/** A data source outside Nest: for migrations and for TypeORM's own CLI. */
export const createDataSource = (environment = readEnvironment()): DataSource =>
  new DataSource(dataSourceOptions(environment));
