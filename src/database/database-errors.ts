/** The one place that tells PostgreSQL's failures apart. */

/** Thrown before the first connection has been made. */
export class DatabaseNotReady extends Error {
  constructor() {
    super('The database has not been reached yet');
    this.name = 'DatabaseNotReady';
  }
}

/**
 * SQLSTATE classes and codes that say "not now" about the server and nothing about the statement:
 * 08 connection, 53 out of resources, 57P0x shutting down or starting up, 25006 read-only (a standby after a failover),
 * 28 and 3D000 access (a password or a database being rotated), 55000 with a server in recovery is covered by 57P03.
 */
const AWAY_SQLSTATE = /^(08...|53...|57P0.|25006|28...|3D000)$/;

const AWAY_SYSTEM_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
]);

/** Errors of pg, pg-pool and TypeORM that carry no code, by their messages (pg 8.23, TypeORM 1.1). */
const AWAY_MESSAGE =
  /Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Client was closed|Driver not Connected|Query runner already released|Cannot use a pool after calling end/i;

/**
 * True when every connection of the pool was busy for too long. The same work may succeed later, so it counts as "away" for the
 * message; but it says nothing about the database, so nobody else needs to stop.
 */
export function isPoolTimeout(error: unknown): boolean {
  return error instanceof Error && /timeout exceeded when trying to connect/i.test(error.message);
}

/** True when the database is away (or read-only), so that the same work may succeed unchanged when it is back. */
export function isDatabaseAway(error: unknown): boolean {
  if (error instanceof DatabaseNotReady) return true;
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string') return AWAY_SQLSTATE.test(code) || AWAY_SYSTEM_CODES.has(code);
  return AWAY_MESSAGE.test(error.message);
}
