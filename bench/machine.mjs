// @ts-check
/** Where and on what a figure was measured. */
import { cpus, totalmem, release } from 'node:os';
import { run } from '../scripts/processes.mjs';
import { checkoutDir } from '../scripts/services/checkout.mjs';

/**
 * @typedef {object} Surroundings
 * @property {string} commit with `+changes` where files differ from it
 * @property {string} date ISO 8601
 * @property {{ processors: number, model: string, memoryGiB: number, kernel: string, node: string }} machine
 * @property {{ postgres: string, rabbitmq: string, settings: Record<string, string> }} servers
 */

/** What decides the durability and the speed of PostgreSQL. */
const POSTGRES_SETTINGS = [
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'shared_buffers',
  'max_wal_size',
  'max_connections',
];

/** @param {{ databaseUrl: string, rabbitmqUrl: string }} services @returns {Promise<Surroundings>} */
export async function surroundings({ databaseUrl, rabbitmqUrl }) {
  const git = async (/** @type {string[]} */ ...args) => {
    const { code, stdout } = await run('git', args, { cwd: checkoutDir });
    return code === 0 ? stdout.trim() : undefined;
  };
  const commit = (await git('rev-parse', '--short=12', 'HEAD')) ?? 'unknown';
  // Results are what a run writes, and say nothing about what was measured.
  const changes = await git('status', '--porcelain', '--', '.', ':!bench/results', ':!docs', ':!*.md');
  const processors = cpus();
  return {
    commit: changes ? `${commit}+changes` : commit,
    date: new Date().toISOString(),
    machine: {
      processors: processors.length,
      model: processors[0]?.model ?? 'unknown',
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      kernel: release(),
      node: process.version,
    },
    servers: { ...(await postgresOf(databaseUrl)), rabbitmq: await rabbitmqOf(rabbitmqUrl) },
  };
}

/** @param {string} url */
async function postgresOf(url) {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    /** @type {Record<string, string>} */
    const settings = {};
    for (const name of POSTGRES_SETTINGS) settings[name] = (await client.query(`SHOW ${name}`)).rows[0][name];
    return { postgres: (await client.query('SHOW server_version')).rows[0].server_version, settings };
  } finally {
    await client.end();
  }
}

/** @param {string} url */
async function rabbitmqOf(url) {
  const { default: amqp } = await import('amqplib');
  const connection = await amqp.connect(url);
  const { version } = connection.connection.serverProperties;
  await connection.close();
  return version;
}
