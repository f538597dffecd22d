/** A database of the tuner's own on the operator's server: filled, emptied, asked, dropped. Nothing of the real one is touched. */
import { Client } from 'pg';
import { errorCode } from '../../errors/describe';
import { encodeReference } from '../../conversation-events/conversation-message';
import { UsageError } from '../command';
import type { Percentiles } from './statistics';

/** What is stored of a conversation of the mix; who and when is new each time. */
export interface Template {
  readonly conversation_log: string;
  readonly user_initiated_questions: number | null;
  readonly session_emotion: string | null;
  readonly new_memories_count: number | null;
}

export interface SeededMessage {
  readonly id: string;
  readonly body: Buffer;
}

const SEED = `
  INSERT INTO conversation_events
         (conversation_id, user_id, bot_id, bot_name, bot_type, start_time, end_time, conversation_log,
          user_initiated_questions, session_emotion, new_memories_count, fingerprint)
  SELECT 'tune-' || n, 'tune-user-' || n % $3, 'tune-bot', 'Pika', 'TUNE', now() - interval '10 minutes', now(),
         (template ->> 'conversation_log')::json, (template ->> 'user_initiated_questions')::int,
         template ->> 'session_emotion', (template ->> 'new_memories_count')::int, sha256(n::text::bytea)
    FROM generate_series($1::int, $2::int) n
    JOIN json_array_elements($4::json) WITH ORDINALITY AS mix (template, number)
      ON number - 1 = n % json_array_length($4::json)`;

const CRITICAL_TIMES = `
  SELECT percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY extract(epoch FROM processed_at - accepted_at) * 1000) AS times
    FROM conversation_events WHERE status = 'PROCESSED' AND accepted_at >= to_timestamp($1 / 1000.0)`;

/** Of the server and of the role, less what everybody has open; reserved_connections came with PostgreSQL 16. */
const FREE_CONNECTIONS = `
  WITH open AS (SELECT usename FROM pg_stat_activity WHERE datid IS NOT NULL AND usesysid IS NOT NULL AND pid <> pg_backend_pid())
  SELECT least(
           current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
             - coalesce(current_setting('reserved_connections', true)::int, 0) - (SELECT count(*) FROM open),
           (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user)
             - (SELECT count(*) FROM open WHERE usename = current_user))::int AS connections`;

export class TuneDatabaseRepository {
  private constructor(
    private readonly client: Client,
    private readonly server: string,
    readonly name: string,
    readonly url: string,
  ) {}

  /** @throws UsageError that says what is missing */
  static async create(server: string, name: string): Promise<TuneDatabaseRepository> {
    try {
      await once(server, `CREATE DATABASE ${name}`);
    } catch (error) {
      throw new UsageError(
        `DATABASE_URL: expected a PostgreSQL at ${new URL(server).host} and a role that may create a database, got ${errorCode(error)}`,
      );
    }
    const url = new URL(server);
    url.pathname = `/${name}`;
    const client = new Client({ connectionString: url.href, application_name: 'friendship-service tune' });
    client.on('error', () => undefined); // the next statement says it
    await client.connect();
    return new TuneDatabaseRepository(client, server, name, url.href);
  }

  /** The process of this connection, on the server's machine. */
  async backend(): Promise<number> {
    const { rows } = await this.client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return rows[0].pid;
  }

  /** Connections that can be opened beside those of now, this one included. */
  async freeConnections(): Promise<number> {
    const { rows } = await this.client.query<{ connections: number }>(FREE_CONNECTIONS);
    return rows[0].connections;
  }

  /** Stores pending events as an api would have, numbered `from` to `to`. @returns the messages that belong to them */
  async seed(from: number, to: number, users: number, templates: readonly Template[]): Promise<SeededMessage[]> {
    await this.client.query({ name: 'tune_seed', text: SEED, values: [from, to, users, JSON.stringify(templates)] });
    const now = new Date();
    return Array.from({ length: to - from + 1 }, (_, index) => {
      const id = `tune-${from + index}`;
      const event = { conversation_id: id, user_id: `tune-user-${(from + index) % users}`, bot_id: 'tune-bot' };
      return { id, body: encodeReference(event, now) };
    });
  }

  /** Every point begins with empty tables. */
  async empty(): Promise<void> {
    await this.client.query('TRUNCATE conversation_events, friendship_status, dead_letters CASCADE');
  }

  /** From acceptance to commit, milliseconds, of what was accepted since then. */
  async criticalTimes(sinceMs: number): Promise<Percentiles> {
    const { rows } = await this.client.query<{ times: number[] | null }>(CRITICAL_TIMES, [sinceMs]);
    const [p50, p95, p99] = rows[0].times ?? [0, 0, 0];
    return { p50, p95, p99 };
  }

  async pending(): Promise<number> {
    const { rows } = await this.client.query<{ n: string }>(
      "SELECT count(*) AS n FROM conversation_events WHERE status = 'PENDING'",
    );
    return Number(rows[0].n);
  }

  async drop(): Promise<void> {
    await this.client.end().catch(() => undefined);
    await once(this.server, `DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`);
  }
}

async function once(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined); // the failing query says it
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
