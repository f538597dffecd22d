// @ts-check
/** The demo's own database. The driver is loaded late: it is there only once the dependencies are installed. */

/**
 * @param {string} serverUrl
 * @param {string} name only letters, digits and underscores
 * @returns {Promise<string>} the new database's URL
 */
export async function createDatabase(serverUrl, name) {
  await execute(serverUrl, `CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** @param {string} serverUrl @param {string} name */
export async function dropDatabase(serverUrl, name) {
  await execute(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
}

/** @param {string} url @param {string} statement */
async function execute(url, statement) {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined); // the failing query says it too
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
