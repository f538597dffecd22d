import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { readEnvironment } from '../../src/config/environment';
import { GRANTS } from '../../src/database/grants';
import { migrate } from '../../src/database/migrate';
import { conversation } from '../support/conversations';
import { insertEvent } from '../support/insert-event';
import { createNamespace, type Namespace } from '../support/namespace';
import { Operator, OPERATOR_KEY } from '../support/operator';
import { runCli } from '../support/run-cli';
import { ServiceProcess, stopAll } from '../support/service-process';
import { settledEvent } from '../support/stored';
import { until } from '../support/until';

/** PostgreSQL's "permission denied". */
const DENIED = '42501';

const PRIVILEGES = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'];

describe('the roles of the database', () => {
  const suffix = randomBytes(4).toString('hex');
  const roles = { api: `ft_${suffix}_api`, worker: `ft_${suffix}_worker` };
  let namespace: Namespace;
  let adminUrl: string;

  beforeAll(async () => {
    namespace = await createNamespace();
    adminUrl = process.env.DATABASE_URL!;
    for (const role of Object.values(roles))
      await namespace.database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
    await namespace.database.query(`GRANT pg_read_all_stats TO ${roles.worker}`);
    await migrate(readEnvironment(namespace.variables), roles);
  });
  afterAll(async () => {
    await stopAll();
    await namespace.remove();
    const admin = new Client({ connectionString: adminUrl });
    await admin.connect();
    for (const role of Object.values(roles)) await admin.query(`DROP ROLE ${role}`);
    await admin.end();
  });

  const urlOf = (role: keyof typeof roles) => {
    const url = new URL(namespace.variables.DATABASE_URL);
    url.username = roles[role];
    url.password = 'secret';
    return url.toString();
  };
  async function as<T>(role: keyof typeof roles, work: (client: Client) => Promise<T>): Promise<T> {
    const client = new Client({ connectionString: urlOf(role) });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }

  it('are enough for the api and the worker, together and each alone', async () => {
    const start = async (role: keyof typeof roles) =>
      (await ServiceProcess.start(role, { ...namespace.variables, DATABASE_URL: urlOf(role) })).ready();
    const letters = (state: string, count: number) =>
      until(`${count} dead letter(s) ${state}`, async () => {
        const { rowCount } = await namespace.database.query('SELECT FROM dead_letters WHERE state = $1', [state]);
        return rowCount === count;
      });
    const replay = () => runCli(namespace.variables, 'dead-letters', 'replay', '--all', '--yes');
    /** @param due when it is to be published; null: the sweeper has to find out that it was not */
    const store = async (due: string | null) => {
      const { conversation_id } = conversation();
      await namespace.database.query(
        `INSERT INTO conversation_events (conversation_id, user_id, bot_id, bot_name, bot_type, start_time, end_time,
                                          conversation_log, fingerprint, accepted_at, publish_due_at)
         VALUES ($1, 'child-2', 'bot', 'bot', 'TALK', now() - interval '2 hours', now() - interval '1 hour', '[]',
                 sha256('x'), now() - interval '1 hour', $2)`,
        [conversation_id, due],
      );
      return conversation_id;
    };
    const isProcessed = async (id: string) => expect((await settledEvent(namespace, id)).status).toBe('PROCESSED');

    const [api, worker] = await Promise.all([start('api'), start('worker')]);
    const posted = conversation();
    expect((await api.post('/v1/conversations/end', posted)).status).toBe(202);
    await isProcessed(posted.conversation_id);
    expect((await api.post('/v1/conversations/end', posted)).body).toMatchObject({ data: { duplicate: true } });
    expect((await api.get(`/v1/friendship/${String(posted.user_id)}`)).status).toBe(200);
    expect((await api.get('/v1/conversations')).status).toBe(200);
    expect((await api.post(`/v1/conversations/${posted.conversation_id}/score`)).status).toBe(200);
    expect((await worker.get('/metrics')).text).toMatch(/^friendship_oldest_unsettled_seconds \d/m);
    await isProcessed(await store(null));
    await namespace.broker.send('no json');
    await letters('OPEN', 1);

    // The api alone publishes what is due, and what is replayed.
    expect(await worker.stop()).toBe(0);
    expect(await replay()).toMatchObject({ code: 0 });
    const due = await store('-infinity');
    await letters('REPLAYED', 1);
    expect(await api.stop()).toBe(0);

    // So does the worker alone; and a message that comes again is a suspect, whose starts are counted.
    const again = await start('worker');
    await isProcessed(due);
    await letters('OPEN', 1);
    expect(await replay()).toMatchObject({ code: 0 });
    await letters('REPLAYED', 2);
    await namespace.broker.send({ conversation_id: posted.conversation_id }, { headers: { 'x-swept': true } });
    await again.logged('the suspect', ({ msg }) => msg === 'duplicate');
    expect(await again.stop()).toBe(0);

    for (const line of [...api.lines, ...worker.lines, ...again.lines]) expect(line).not.toContain(DENIED);
  });

  it('are enough for an operator who replays and discards over the page', async () => {
    const variables = { ...namespace.variables, DATABASE_URL: urlOf('api'), OPERATOR_KEY };
    const api = await (await ServiceProcess.start('api', variables)).ready();
    const operator = await Operator.logIn(api);
    const ids = await Promise.all([1, 2].map(() => insertEvent(namespace, 'child-3', { status: 'FAILED' })));
    await namespace.database.query(
      `INSERT INTO dead_letters (delivery_key, conversation_id, settles_event, reason, error_code, attempts,
                                 last_failed_at, exchange, routing_key)
       SELECT id, id, true, 'ATTEMPTS_EXHAUSTED', id, 3, now(), '', 'q' FROM unnest($1::text[]) AS id`,
      [ids],
    );
    const cause = (id: string) => ({ reason: 'ATTEMPTS_EXHAUSTED', error_code: id });
    expect(await operator.done('failures/replay', cause(ids[0]))).toMatchObject({ state: 'done', done: 1 });
    expect(await operator.done('failures/discard', { ...cause(ids[1]), note: 'x' })).toMatchObject({ done: 1 });
    const { totals, database } = await operator.state();
    expect([totals.open_dead_letters, database.used_by_us]).not.toContain(null);
    expect((await operator.get(`conversations/${ids[1]}`)).body).toMatchObject({ event: { status: 'FAILED' } });
    const { rows } = await namespace.database.query<{ status: string }>(
      'SELECT status FROM conversation_events WHERE conversation_id = $1',
      [ids[0]],
    );
    expect(rows).toEqual([{ status: 'PENDING' }]);
    expect(await api.stop()).toBe(0);
    expect(api.lines.join('\n')).not.toContain(DENIED);
  });

  it.each([
    ['api', 'UPDATE friendship_status SET friendship_score = 0'],
    ['api', `UPDATE conversation_events SET status = 'PROCESSED'`],
    ['api', 'UPDATE conversation_events SET friendship_score_change = 9'],
    ['api', 'DELETE FROM dead_letters'],
    ['api', 'UPDATE dead_letters SET body = NULL'],
    ['api', 'DELETE FROM operator_actions'],
    ['api', `UPDATE operator_actions SET operator = 'somebody else'`],
    ['worker', `SELECT reopen_failed_events('{}')`],
    ['worker', 'SELECT FROM operator_actions'],
    ['api', 'DELETE FROM conversation_events'],
    ['worker', 'DELETE FROM conversation_events'],
    ['worker', 'DELETE FROM friendship_status'],
    ['worker', 'UPDATE topic_agents SET topic_id = agent_tag'],
    ['worker', 'INSERT INTO audits (users, events, differences) VALUES (0, 0, 0)'],
    ['worker', 'TRUNCATE conversation_events'],
    ['worker', 'ALTER TABLE conversation_events DROP COLUMN fingerprint'],
    ['worker', 'DELETE FROM tombstones'],
  ] as const)('the %s may not: %s', async (role, sql) => {
    const refused = as(role, (client) => client.query(sql));
    await expect(refused).rejects.toMatchObject({ code: DENIED });
  });

  it('are not enough for every command of the CLI, which says so', async () => {
    const variables = { ...namespace.variables, DATABASE_URL: urlOf('worker') };
    const { code, stderr } = await runCli(variables, 'audit');
    expect(code).toBe(1);
    expect(stderr).toContain('DATABASE_URL: expected a role that may do this, such as the one that migrates, got one');
    expect(stderr).not.toContain('failed:');
  });

  it('have what their list says on every table, and nothing else', async () => {
    const { rows: tables } = await namespace.database.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`,
    );
    expect(tables.map(({ name }) => name).sort()).toEqual(Object.keys(GRANTS).sort());
    for (const [table, granted] of Object.entries(GRANTS)) {
      for (const role of ['api', 'worker'] as const) {
        const { rows } = await namespace.database.query<{ held: string[] | null }>(
          `SELECT array_agg(privilege ORDER BY privilege) AS held FROM unnest($3::text[]) AS privilege
            WHERE has_table_privilege($1, $2, privilege)`,
          [roles[role], table, PRIVILEGES],
        );
        const whole = granted[role].filter((privilege) => !privilege.includes('('));
        expect({ table, role, held: rows[0].held ?? [] }).toEqual({ table, role, held: [...whole].sort() });
      }
    }
  });

  it('need not exist: then the one that migrates does everything', async () => {
    await expect(
      migrate(readEnvironment(namespace.variables), { api: `${roles.api}_no`, worker: `${roles.worker}_no` }),
    ).resolves.toEqual([]);
  });
});
