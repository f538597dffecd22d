import { connect, type Channel } from 'amqplib';
import { conversation } from '../support/conversations';
import { CountingProxy } from '../support/counting-proxy';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll, type Answer } from '../support/service-process';
import { storedEvent } from '../support/stored';
import { TcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';

interface Part {
  status: string;
  since: string;
  reason?: string;
  degraded?: boolean;
}
interface Health {
  status: string;
  details: Record<string, Part>;
}

const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('health', () => {
  let namespace: Namespace;

  beforeEach(async () => {
    namespace = await createNamespace({ MESSAGE_CONCURRENCY_PER_WORKER: '2', RABBITMQ_CHANNELS: '2' });
  });
  afterEach(async () => {
    await stopAll();
    await namespace.remove();
  });

  async function startBoth(variables: Readonly<Record<string, string>>) {
    const [api, worker] = await Promise.all([
      ServiceProcess.start('api', variables),
      ServiceProcess.start('worker', variables),
    ]);
    return { api, worker };
  }
  async function inChannel(work: (channel: Channel) => Promise<unknown>) {
    const connection = await connect(namespace.variables.RABBITMQ_URL);
    await work(await connection.createChannel());
    await connection.close();
  }
  const readiness = (service: ServiceProcess) => service.get<Health>('/health/ready');
  /** Waits until the readiness answer is as described. */
  const readinessOf = (service: ServiceProcess, what: string, matches: (answer: Answer<Health>) => boolean) =>
    until(what, async () => {
      const answer = await readiness(service);
      return matches(answer) && answer;
    });

  async function stopBoth(...services: ServiceProcess[]) {
    expect(await Promise.all(services.map((service) => service.stop()))).toEqual(services.map(() => 0));
  }

  describe('while PostgreSQL or RabbitMQ is away', () => {
    let database: TcpProxy;
    let broker: TcpProxy;
    let variables: Record<string, string>;

    beforeEach(async () => {
      database = await TcpProxy.to(namespace.variables.DATABASE_URL);
      broker = await TcpProxy.to(namespace.variables.RABBITMQ_URL);
      variables = {
        ...namespace.variables,
        DATABASE_URL: database.urlThrough(namespace.variables.DATABASE_URL),
        RABBITMQ_URL: broker.urlThrough(namespace.variables.RABBITMQ_URL),
      };
    });
    afterEach(async () => {
      await stopAll();
      await Promise.all([database.down(), broker.down()]);
    });

    it('processes are alive all the same, an api is degraded, a worker is not ready, and both recover', async () => {
      const { api, worker } = await startBoth(variables);
      await Promise.all([api.ready(), worker.ready()]);

      for (const [name, proxy] of [
        ['database', database],
        ['broker', broker],
      ] as const) {
        const other = name === 'database' ? 'broker' : 'database';
        const before = new Date().toISOString();
        await proxy.down();
        const ofApi = await readinessOf(api, `the api to miss the ${name}`, ({ body }) => body.status === 'degraded');
        expect(ofApi.status).toBe(200);
        expect(ofApi.body.details[name]).toMatchObject({
          degraded: true,
          since: expect.stringMatching(UTC),
          reason: expect.stringMatching(/^[\w-]+$/),
        });
        expect(ofApi.body.details[name].since >= before).toBe(true);
        expect(ofApi.body.details[other].degraded).toBeUndefined();

        const ofWorker = await readinessOf(worker, `the worker to miss the ${name}`, ({ status }) => status === 503);
        expect(ofWorker.body.status).toBe('error');
        expect(ofWorker.body.details[name]).toMatchObject({ status: 'down', since: expect.stringMatching(UTC) });
        expect(ofWorker.body.details[other].status).toBe('up');

        for (const service of [api, worker]) {
          expect(await service.get('/health/live')).toMatchObject({ status: 200, body: { status: 'ok' } });
          expect(await service.get('/health')).toMatchObject({ status: 200, body: { status: 'ok' } });
        }
        await proxy.up();
        await Promise.all([api.ready(), worker.ready()]);
        const { details } = (await readiness(api)).body;
        expect(details[name].since > ofApi.body.details[name].since).toBe(true);
        expect(details[name].reason).toBeUndefined();
      }
      await stopBoth(api, worker);
    });

    it('processes that start with both away are alive and recover', async () => {
      await Promise.all([database.down(), broker.down()]);
      const { api, worker } = await startBoth(variables);
      for (const service of [api, worker]) expect((await service.get('/health/live')).status).toBe(200);
      const ofApi = await readinessOf(api, 'the api to be degraded', ({ status }) => status === 200);
      expect(ofApi.body).toMatchObject({
        status: 'degraded',
        details: { database: { degraded: true }, broker: { degraded: true } },
      });
      const ofWorker = await readiness(worker);
      expect(ofWorker.status).toBe(503);
      expect(ofWorker.body.details).toMatchObject({ database: { status: 'down' }, broker: { status: 'down' } });
      await Promise.all([database.up(), broker.up()]);
      await Promise.all([api.ready(), worker.ready()]);
      await stopBoth(api, worker);
    });

    it('a database that swallows everything is noticed, too', async () => {
      const { api, worker } = await startBoth(variables);
      await Promise.all([api.ready(), worker.ready()]);
      database.swallow();
      await readinessOf(api, 'the api to be degraded', ({ body }) => body.details.database.degraded === true);
      await readinessOf(worker, 'the worker to be not ready', ({ status }) => status === 503);
      expect((await api.get('/health/live')).status).toBe(200);
      // What was swallowed is lost for good, so those connections have to go.
      await database.down();
      await database.up();
      await Promise.all([api.ready(), worker.ready()]);
      await stopBoth(api, worker);
    });
  });

  it('stays ready while the only connection of the pool is busy', async () => {
    const { api, worker } = await startBoth({ ...namespace.variables, DATABASE_POOL_SIZE: '1' });
    await Promise.all([api.ready(), worker.ready()]);
    const known = conversation();
    const lock = await namespace.database.connect();
    await lock.query('BEGIN');
    // The worker waits for this table, and the api for the other transaction's insert under the same id.
    await lock.query('LOCK TABLE friendship_status IN ACCESS EXCLUSIVE MODE');
    await lock.query(
      `INSERT INTO conversation_events (conversation_id, user_id, bot_id, bot_name, bot_type, start_time, end_time, fingerprint)
       VALUES ($1, 'child', 'b', 'B', 'TALK', '2026-11-20T10:00Z', '2026-11-20T10:10Z', $2)`,
      [known.conversation_id, Buffer.alloc(32)],
    );
    await api.post('/v1/conversations/end', conversation());
    const held = api.post('/v1/conversations/end', known);
    await until('both to wait', async () => {
      const { rowCount } = await namespace.database.query(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
      );
      return rowCount === 2;
    });
    for (let probe = 0; probe < 5; probe++) {
      expect(await readiness(api)).toMatchObject({ status: 200, body: { status: 'ok' } });
      expect(await readiness(worker)).toMatchObject({ status: 200, body: { status: 'ok' } });
    }
    await lock.query('ROLLBACK');
    lock.release();
    expect((await held).status).toBe(202);
    await until('the event', async () => (await storedEvent(namespace, known.conversation_id))?.status === 'PROCESSED');
    await stopBoth(api, worker);
  });

  it('is not ready on a schema that is not migrated, and ready once it is', async () => {
    const { rows } = await namespace.database.query('SELECT timestamp, name FROM schema_migrations');
    const take = () => namespace.database.query('DELETE FROM schema_migrations');
    const { api, worker } = await startBoth(namespace.variables);
    await Promise.all([api.ready(), worker.ready()]);

    await take();
    for (const service of [api, worker]) {
      const answer = await readinessOf(service, 'it to be not ready', ({ status }) => status === 503);
      expect(answer.body.details.database).toMatchObject({ status: 'down', reason: 'SCHEMA_NOT_MIGRATED' });
      expect((await service.get('/health/live')).status).toBe(200);
    }
    const late = await startBoth(namespace.variables);
    for (const service of [late.api, late.worker]) {
      const answer = await readinessOf(
        service,
        'the late one to have looked',
        ({ body }) => body.details.database.reason === 'SCHEMA_NOT_MIGRATED',
      );
      expect(answer.status).toBe(503);
    }
    for (const row of rows as { timestamp: string; name: string }[]) {
      await namespace.database.query('INSERT INTO schema_migrations (timestamp, name) VALUES ($1, $2)', [
        row.timestamp,
        row.name,
      ]);
    }
    const all = [api, worker, late.api, late.worker];
    await Promise.all(all.map((service) => service.ready()));
    await stopBoth(...all);
  });

  it('opens no connection for a probe', async () => {
    const [broker, database] = await Promise.all([
      CountingProxy.to(namespace.variables.RABBITMQ_URL),
      CountingProxy.to(namespace.variables.DATABASE_URL),
    ]);
    const { api, worker } = await startBoth({
      ...namespace.variables,
      RABBITMQ_URL: broker.urlThrough,
      DATABASE_URL: database.urlThrough,
    });
    await Promise.all([api.ready(), worker.ready()]);
    await api.logged('RPC to be served', ({ msg }) => msg === 'answering RPC requests');
    // The worker's own work may need a connection more; from here on there is none.
    const before = broker.connections;
    const probes = Array.from({ length: 25 }, () => [api, worker].map(readiness)).flat();
    for (const { status } of await Promise.all(probes)) expect(status).toBe(200);
    expect(broker.connections).toBe(before);
    expect(before).toBe(3); // api: events and RPC; worker: one
    const { rows } = await namespace.database.query(
      `SELECT count(*)::int AS probes FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'friendship-service probe'`,
    );
    expect(rows).toEqual([{ probes: 2 }]);
    await stopBoth(api, worker);
    await Promise.all([broker.close(), database.close()]);
  });

  it('says of a queue that exists as a classic one what to do', async () => {
    await inChannel((channel) => channel.assertQueue(namespace.queue, { durable: true }));
    const { api, worker } = await startBoth(namespace.variables);
    const ofWorker = await readinessOf(worker, 'the worker to know', ({ body }) =>
      (body.details.broker.reason ?? '').includes(namespace.queue),
    );
    expect(ofWorker.status).toBe(503);
    expect(ofWorker.body.details.broker.reason).toMatch(/classic/);
    const ofApi = await readinessOf(
      api,
      'the api to know, and its database',
      ({ status, body }) => status === 200 && (body.details.broker.reason ?? '').includes(namespace.queue),
    );
    expect(ofApi.body.status).toBe('degraded');
    expect((await api.post('/v1/conversations/end', conversation())).status).toBe(202);

    await inChannel((channel) => channel.deleteQueue(namespace.queue));
    await Promise.all([api.ready(), worker.ready()]);
    await stopBoth(api, worker);
  });

  it('shows the consumers of a worker', async () => {
    const worker = await ServiceProcess.start('worker', namespace.variables);
    await worker.ready();
    // Two channels for the work, one for the dead letters.
    expect((await readiness(worker)).body.details.consumers).toMatchObject({ status: 'up', expected: 3, live: 3 });
    await stopBoth(worker);
  });
});
