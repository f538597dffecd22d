import { conversation } from '../support/conversations';
import { createNamespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';
import { settledEvent } from '../support/stored';

/** What a migration of the next version may do: add, with a default that the database fills in, and never take away. */
const NEXT_VERSION = [
  `ALTER TABLE conversation_events ADD COLUMN next_version text`,
  `ALTER TABLE friendship_status ADD COLUMN next_version integer NOT NULL DEFAULT 0`,
  `CREATE TABLE next_version (id bigint PRIMARY KEY)`,
  `CREATE INDEX CONCURRENTLY next_version_index ON conversation_events (processed_at)`,
  `INSERT INTO schema_migrations (timestamp, name) VALUES (9990000000000, 'NextVersion9990000000000')`,
];

describe('an upgrade of the schema, and a rollback of the service', () => {
  afterEach(stopAll);

  it('goes on under processes of this version: those that run, and those that start afterwards', async () => {
    const namespace = await createNamespace();
    const start = () =>
      Promise.all((['api', 'worker'] as const).map((role) => ServiceProcess.start(role, namespace.variables)));
    const running = await start();
    await Promise.all(running.map((service) => service.ready()));
    const post = async (api: ServiceProcess) => {
      const posted = conversation();
      expect((await api.post('/v1/conversations/end', posted)).status).toBe(202);
      return posted.conversation_id;
    };

    const before = await post(running[0]);
    for (const statement of NEXT_VERSION) await namespace.database.query(statement);
    const during = await post(running[0]);
    for (const id of [before, during]) expect((await settledEvent(namespace, id)).status).toBe('PROCESSED');
    expect(await Promise.all(running.map((service) => service.stop()))).toEqual([0, 0]);

    // Rolled back: this version starts on the schema of the next one.
    const again = await start();
    await Promise.all(again.map((service) => service.ready()));
    expect((await settledEvent(namespace, await post(again[0]))).status).toBe('PROCESSED');
    expect((await again[0].get('/v1/friendship/child-1')).body).toMatchObject({ friendship_score: 9 });
    expect(await Promise.all(again.map((service) => service.stop()))).toEqual([0, 0]);
    await namespace.remove();
  });
});
