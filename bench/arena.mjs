// @ts-check
/**
 * The place in which one contender runs: a database and a queue of its own, filled anew for every run. Contenders stay up between their runs,
 * warm and connected; that nobody begins before all is there is seen to by the lock of the filling transaction.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import amqp from 'amqplib';
import pg from 'pg';
import { lastLines, run as runProgram } from '../scripts/processes.mjs';
import { checkoutDir, checkoutHash } from '../scripts/services/checkout.mjs';
import checker from './checker.cjs';
import {
  EVENT_COLUMNS,
  EXPECTED_CHANGE,
  EXPECTED_TURNS,
  LOGS,
  NUMBER_OF_EVENT,
  TIME_ZONE,
  TOPIC_AGENTS,
  conversationId,
  messageBody,
} from './workload.cjs';

const built = createRequire(import.meta.url);

/** Published and not yet confirmed at one time: enough to keep the broker busy, little enough to notice that it is not. */
const UNCONFIRMED = 1_000;

/** How often to look whether the queue is empty, milliseconds; the end itself is read from the rows. */
const LOOK_MS = 25;

/** Connections over which conversations are accepted one by one: each waits for its commit. */
const WRITERS = 8;

const INSUFFICIENT_PRIVILEGE = '42501';

/**
 * @typedef {object} Arena
 * @property {NodeJS.ProcessEnv} env what every contender is told: the service's own settings
 * @property {import('pg').Client} database
 * @property {import('amqplib').ConfirmChannel} channel
 * @property {string} queue
 * @property {(options: Filling) => Promise<Filled>} fill everything stored and queued, and held back until it begins
 * @property {(i: number, children: number) => Promise<void>} storeOne number i, committed
 * @property {(numbers: { from: number, to: number }, options: { signal: AbortSignal, timeoutMs: number }) => Promise<number>} whenSettled
 *   the time of the last commit, milliseconds since 1970 by the database's clock
 * @property {(settled?: number) => Promise<string[]>} check what is wrong
 *
 * @typedef {object} Filling
 * @property {number} events
 * @property {number} children
 * @property {number} [after] keeps what is stored, and goes on after this number; without it everything begins anew with number 1
 *
 * @typedef {{ begin: () => Promise<number> }} Filled begin: lets everybody in; the time of it, milliseconds since 1970 by the database's clock
 */

/** What PostgreSQL keeps of a name, bytes. */
const LONGEST_NAME = 63;

/**
 * Opens arenas on the given services, and takes away all of them at the end.
 * @param {Pick<import('./question.mjs').Context, 'services' | 'signal' | 'onExit'>} options
 */
export async function createArenas({ services, signal, onExit }) {
  const server = await connect(services.databaseUrl);
  const broker = await amqp.connect(services.rabbitmqUrl);
  const channel = await broker.createConfirmChannel();
  channel.on('error', () => undefined); // what was asked for rejects
  broker.on('error', () => undefined);
  const prefix = `friendship_bench_${checkoutHash}`;
  const template = `${prefix}_template`;
  /** @type {Map<string, { clients: { end: () => Promise<void> }[], queues: string[], exchange: string }>} by database */
  const opened = new Map();
  let count = 0;

  const drop = async (/** @type {string} */ database) => {
    const arena = opened.get(database);
    for (const client of arena?.clients ?? []) await client.end();
    await server.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
    for (const queue of arena?.queues ?? []) await channel.deleteQueue(queue);
    if (arena) await channel.deleteExchange(arena.exchange);
    opened.delete(database);
  };

  const closeAll = async () => {
    for (const database of [...opened.keys()]) await drop(database);
    await server.query(`DROP DATABASE IF EXISTS ${template} WITH (FORCE)`);
    await server.end();
    await broker.close();
  };
  onExit('databases and queues', closeAll);

  // What a run left behind that was killed. Its queues have the names of ours and are deleted before they are declared.
  const { rows } = await server.query('SELECT datname FROM pg_database WHERE datname LIKE $1', [
    `${prefix.replaceAll('_', '\\_')}%`,
  ]);
  for (const { datname } of rows) await drop(datname);
  await createTemplate(server, services, template, signal);

  return {
    /** @param {string} name letters, digits, dashes @returns {Promise<Arena>} */
    async open(name) {
      const id = name.replaceAll(/\W/g, '_').toLowerCase();
      // With a number, since long names are cut and may then be the same.
      const database = `${prefix}_${++count}_${id}`.slice(0, LONGEST_NAME);
      const env = environment({ services, database, id });
      const queues = queuesOf(env);
      opened.set(database, {
        clients: [],
        queues: queues.map((queue) => queue.name),
        exchange: env.RABBITMQ_EXCHANGE ?? '',
      });
      await server.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
      await server.query(`CREATE DATABASE ${database} TEMPLATE ${template}`);
      const client = await connect(env.DATABASE_URL ?? '');
      const pool = new pg.Pool({ connectionString: env.DATABASE_URL, max: WRITERS });
      pool.on('error', () => undefined); // the failing query says it too
      opened.get(database)?.clients.push(client, pool);
      for (const queue of queues) await channel.deleteQueue(queue.name);
      for (const queue of queues) await channel.assertQueue(queue.name, queue.options);
      return arenaOf({ env, client, pool, channel });
    },
    /** How many PostgreSQL allows. */
    connections: async () => Number((await server.query('SHOW max_connections')).rows[0].max_connections),
    /** Takes one away before the end, for one that is large. @param {Arena} arena */
    close: (arena) => drop(new URL(arena.env.DATABASE_URL ?? '').pathname.slice(1)),
  };
}

/** @typedef {Awaited<ReturnType<typeof createArenas>>} Arenas */

/** @param {{ env: NodeJS.ProcessEnv, client: import('pg').Client, pool: import('pg').Pool, channel: import('amqplib').ConfirmChannel }} options @returns {Arena} */
function arenaOf({ env, client, pool, channel }) {
  const queue = env.RABBITMQ_QUEUE ?? '';

  const store = async (/** @type {Filling} */ { events, children, after }) => {
    // First, so that none comes in the middle: what is written afterwards is new pages, which it has not to write twice.
    await checkpoint(client);
    await client.query('BEGIN');
    await client.query(
      after === undefined
        ? 'TRUNCATE conversation_events, friendship_status, dead_letters, suspect_messages'
        : 'LOCK TABLE conversation_events IN ACCESS EXCLUSIVE MODE',
    );
    await client.query(
      `INSERT INTO conversation_events (${Object.keys(EVENT_COLUMNS).join(', ')})
       SELECT ${Object.values(EVENT_COLUMNS).join(', ')}
         FROM generate_series($3::bigint + 1, $3::bigint + $1::bigint) AS i JOIN bench.logs ON logs.variant = i % ${LOGS.length} ORDER BY i`,
      [events, children, after ?? 0],
    );
    if (after === undefined) await client.query('ANALYZE conversation_events, friendship_status');
  };

  return {
    env,
    database: client,
    channel,
    queue,

    async fill(filling) {
      await channel.purgeQueue(queue);
      await store(filling);
      await publish(channel, queue, filling);
      return {
        begin: async () => {
          const { rows } = await client.query('SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now');
          await client.query('COMMIT');
          return rows[0].now;
        },
      };
    },

    async storeOne(i, children) {
      await pool.query({
        name: 'store one',
        text: `INSERT INTO conversation_events (${Object.keys(EVENT_COLUMNS).join(', ')})
               SELECT ${Object.values(EVENT_COLUMNS).join(', ')} FROM (VALUES ($1::bigint)) AS one (i) JOIN bench.logs ON logs.variant = i % ${LOGS.length}`,
        values: [i, children],
      });
    },

    async whenSettled({ from, to }, { signal, timeoutMs }) {
      const deadline = Date.now() + timeoutMs;
      const late = async () => {
        const { rows } = await client.query(
          `SELECT count(*)::int AS pending FROM conversation_events WHERE status = 'PENDING'`,
        );
        return new Error(
          `Expected ${to - from + 1} events to be settled within ${(timeoutMs / 1000).toFixed(0)} s, got ${rows[0].pending} that are not.`,
        );
      };
      while ((await channel.checkQueue(queue)).messageCount > 0) {
        if (Date.now() > deadline) throw await late();
        await delay(LOOK_MS, undefined, { signal });
      }
      for (;;) {
        const { rows } = await client.query({
          name: 'settled',
          text: `SELECT count(*) FILTER (WHERE status = 'PENDING')::int AS pending, extract(epoch FROM max(processed_at))::float8 * 1000 AS last
                   FROM conversation_events WHERE conversation_id BETWEEN $1 AND $2`,
          values: [conversationId(from), conversationId(to)],
        });
        if (rows[0].pending === 0) return rows[0].last;
        if (Date.now() > deadline) throw await late();
        await delay(LOOK_MS, undefined, { signal });
      }
    },

    check: (settled) =>
      checker.findWrong(
        client,
        { number: NUMBER_OF_EVENT, change: EXPECTED_CHANGE, turns: EXPECTED_TURNS, timeZone: TIME_ZONE },
        { settled },
      ),
  };
}

/** @param {string} url */
async function connect(url) {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined); // the failing query says it too
  await client.connect();
  return client;
}

/**
 * The service's schema, made by its own migrations, with the logs and topics of the workload.
 * @param {import('pg').Client} server
 * @param {{ databaseUrl: string, rabbitmqUrl: string }} services
 * @param {string} template
 * @param {AbortSignal} signal
 */
async function createTemplate(server, services, template, signal) {
  await server.query(`CREATE DATABASE ${template}`);
  const env = environment({ services, database: template, id: 'template' });
  const { code, output } = await runProgram(process.execPath, [join(checkoutDir, 'dist', 'database', 'migrate.js')], {
    env,
    signal,
  });
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`The migrations ended with code ${code}:\n${lastLines(output)}`);
  const client = await connect(env.DATABASE_URL ?? '');
  try {
    await client.query('CREATE SCHEMA bench CREATE TABLE logs (variant integer PRIMARY KEY, log json NOT NULL)');
    for (const [variant, log] of LOGS.entries())
      await client.query('INSERT INTO bench.logs VALUES ($1, $2)', [variant, JSON.stringify(log)]);
    for (const { agent_tag, topic_id } of TOPIC_AGENTS)
      await client.query('INSERT INTO topic_agents VALUES ($1, $2)', [agent_tag, topic_id]);
  } finally {
    await client.end();
  }
}

/** @param {{ services: { databaseUrl: string, rabbitmqUrl: string }, database: string, id: string }} options @returns {NodeJS.ProcessEnv} */
function environment({ services, database, id }) {
  const databaseUrl = new URL(services.databaseUrl);
  databaseUrl.pathname = `/${database}`;
  const named = `bench_${checkoutHash}_${id}`;
  return {
    // Nothing of the caller's own settings may decide a figure.
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    APP_ROLE: 'worker',
    NODE_ENV: 'production',
    LOG_LEVEL: 'info',
    HOST: '127.0.0.1',
    PORT: '0',
    DATABASE_URL: databaseUrl.href,
    RABBITMQ_URL: services.rabbitmqUrl,
    RABBITMQ_EXCHANGE: `${named}_exchange`,
    RABBITMQ_QUEUE: `${named}_processing`,
    RABBITMQ_RPC_QUEUE: `${named}_rpc`,
    BUSINESS_TIME_ZONE: TIME_ZONE,
    // Everybody waits at the lock while a backlog is filled; that is no sign of a database that is away.
    DATABASE_TIMEOUT: '1m',
    DATABASE_STATEMENT_TIMEOUT: '2m',
  };
}

/** The service's own topology: quorum queues, with retry and dead-letter queues. @param {NodeJS.ProcessEnv} env */
function queuesOf(env) {
  const { readEnvironment } = built(join(checkoutDir, 'dist', 'config', 'environment.js'));
  const { allQueues, buildTopology } = built(join(checkoutDir, 'dist', 'messaging', 'topology.js'));
  /** @type {{ name: string, options: import('amqplib').Options.AssertQueue }[]} */
  const queues = allQueues(buildTopology(readEnvironment(env)));
  return queues;
}

/** @param {import('pg').Client} client */
async function checkpoint(client) {
  try {
    await client.query('CHECKPOINT');
  } catch (error) {
    // On a server of somebody else's: then it comes when it comes, and the spread shows it.
    if (/** @type {{ code?: string }} */ (error).code !== INSUFFICIENT_PRIVILEGE) throw error;
  }
}

/** @param {import('amqplib').ConfirmChannel} channel @param {string} queue @param {Filling} filling */
export async function publish(channel, queue, { events, children, after = 0 }) {
  for (let i = after + 1; i <= after + events; i++) {
    channel.sendToQueue(queue, messageBody(i, children), {
      persistent: true,
      messageId: conversationId(i),
      contentType: 'application/json',
    });
    if ((i - after) % UNCONFIRMED === 0) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
}
