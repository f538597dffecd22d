/** What each role of the database may do: no more than its statements need. The role that migrates owns everything. */
import type { ClientBase } from 'pg';
import { MIGRATIONS_TABLE } from './migrations';

/** The roles that processes connect as, or are members of. Somebody else creates them (docs/deployment.md); they own nothing. */
export const ROLES = { api: 'friendship_api', worker: 'friendship_worker' } as const;

export type Roles = Readonly<Record<keyof typeof ROLES, string>>;

/** Per table, what the api and the worker may do; `UPDATE (columns)` where some columns are enough. */
export const GRANTS: Readonly<Record<string, Readonly<Record<keyof Roles, readonly string[]>>>> = {
  conversation_events: {
    // It publishes again what it knows was not queued, and scores nothing.
    api: ['SELECT', 'INSERT', 'UPDATE (publish_due_at, publish_count)'],
    worker: ['SELECT', 'INSERT', 'UPDATE'],
  },
  friendship_status: { api: ['SELECT'], worker: ['SELECT', 'INSERT', 'UPDATE'] },
  topic_agents: { api: [], worker: ['SELECT'] },
  // An operator of the page settles them; replaying gives failed events back through a function, see below.
  dead_letters: {
    api: ['SELECT', 'UPDATE (state, settled_at, note, publish_due_at)'],
    worker: ['SELECT', 'INSERT', 'UPDATE'],
  },
  tombstones: { api: ['SELECT'], worker: ['SELECT'] },
  // What is replayed begins anew, whichever process publishes it.
  suspect_messages: { api: ['SELECT', 'DELETE'], worker: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] },
  positions: { api: ['SELECT'], worker: ['SELECT', 'UPDATE'] },
  operator_actions: {
    api: ['SELECT', 'INSERT', 'UPDATE (state, done, ended_at, error_code, lease_until)'],
    worker: [],
  },
  audits: { api: ['SELECT'], worker: ['SELECT'] },
  [MIGRATIONS_TABLE]: { api: ['SELECT'], worker: ['SELECT'] },
};

/** Functions that work with the rights of their owner, and who may call them. */
export const FUNCTIONS: Readonly<Record<string, readonly (keyof Roles)[]>> = {
  'reopen_failed_events(text[])': ['api'],
};

/** Gives the roles that exist what they may do, and takes from them what they may no longer. Idempotent. @returns the roles that exist */
export async function applyGrants(client: ClientBase, roles: Roles = ROLES): Promise<string[]> {
  const { rows } = await client.query<{ rolname: string }>('SELECT rolname FROM pg_roles WHERE rolname = ANY ($1)', [
    Object.values(roles),
  ]);
  const existing = new Set(rows.map(({ rolname }) => rolname));
  for (const [kind, role] of Object.entries(roles) as [keyof Roles, string][]) {
    if (!existing.has(role)) continue;
    for (const [table, granted] of Object.entries(GRANTS)) {
      await client.query(`REVOKE ALL ON ${table} FROM ${client.escapeIdentifier(role)}`);
      if (granted[kind].length === 0) continue;
      await client.query(`GRANT ${granted[kind].join(', ')} ON ${table} TO ${client.escapeIdentifier(role)}`);
    }
    for (const [name, kinds] of Object.entries(FUNCTIONS)) {
      await client.query(`REVOKE ALL ON FUNCTION ${name} FROM ${client.escapeIdentifier(role)}`);
      if (kinds.includes(kind)) {
        await client.query(`GRANT EXECUTE ON FUNCTION ${name} TO ${client.escapeIdentifier(role)}`);
      }
    }
  }
  return [...existing];
}
