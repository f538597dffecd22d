/** A database and queues of a test file's own, on the services that `npm test` provides. */
import { randomBytes } from 'node:crypto';
import { Client, Pool } from 'pg';
import { readEnvironment } from '../../src/config/environment';
import { migrate } from '../../src/database/migrate';
import { Broker } from './broker';
import { until } from './until';

export interface Namespace {
  /** The variables that a process needs to work in this namespace. */
  readonly variables: Readonly<Record<string, string>>;
  readonly database: Pool;
  readonly broker: Broker;
  readonly queue: string;
  /** Removes everything, and fails if a connection or a consumer was left. */
  remove(): Promise<void>;
}

function provided(name: 'DATABASE_URL' | 'RABBITMQ_URL'): string {
  const url = process.env[name];
  if (!url) throw new Error(`${name}: expected a URL, got nothing. Run the tests with: npm test`);
  return url;
}

export async function createNamespace(extra: Record<string, string> = {}): Promise<Namespace> {
  const id = `ft_${randomBytes(4).toString('hex')}`;
  const server = provided('DATABASE_URL');
  await onServer(server, `CREATE DATABASE ${id}`);
  const url = new URL(server);
  url.pathname = `/${id}`;
  const queue = `${id}_conversation_events_processing`;
  const variables = {
    NODE_ENV: 'test',
    LOG_FORMAT: 'json',
    LOG_LEVEL: 'debug',
    HOST: '127.0.0.1',
    PORT: '0',
    DATABASE_URL: url.toString(),
    RABBITMQ_URL: provided('RABBITMQ_URL'),
    RABBITMQ_EXCHANGE: `${id}_conversation_exchange`,
    RABBITMQ_QUEUE: queue,
    RABBITMQ_ANALYSIS_QUEUE: `${id}_conversation_events_analysis`,
    RABBITMQ_RPC_QUEUE: `${id}_friendship_rpc`,
    RETRY_DELAYS: '200ms,300ms',
    ...extra,
  };
  const environment = readEnvironment(variables);
  await migrate(environment);
  const database = new Pool({ connectionString: variables.DATABASE_URL, max: 5, application_name: 'the tests' });
  const broker = await Broker.connect(environment);
  return {
    variables,
    database,
    broker,
    queue,
    async remove() {
      // The broker takes a moment to notice that a process was killed.
      const consumers = await until(
        'the consumers to be gone',
        async () => (await broker.consumers()).length === 0,
        5,
      ).then(
        () => [],
        () => broker.consumers(),
      );
      await Promise.all([broker.removeNamespace(), database.end()]);
      const leftOpen = await onServer(
        server,
        `SELECT application_name FROM pg_stat_activity WHERE datname = '${id}' AND backend_type = 'client backend'`,
      );
      await onServer(server, `DROP DATABASE ${id} WITH (FORCE)`);
      if (leftOpen.length > 0) throw new Error(`connections were left open: ${JSON.stringify(leftOpen)}`);
      if (consumers.length > 0) throw new Error(`consumers were left: ${JSON.stringify(consumers)}`);
    },
  };
}

async function onServer(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as unknown[];
  } finally {
    await client.end();
  }
}
