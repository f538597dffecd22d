import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';
import { TcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';

describe('while the database is away', () => {
  let namespace: Namespace;
  let proxy: TcpProxy;
  let variables: Record<string, string>;

  beforeEach(async () => {
    namespace = await createNamespace({ MESSAGE_CONCURRENCY_PER_WORKER: '4', DATABASE_TIMEOUT: '1s' });
    proxy = await TcpProxy.to(namespace.variables.DATABASE_URL);
    variables = { ...namespace.variables, DATABASE_URL: proxy.urlThrough(namespace.variables.DATABASE_URL) };
  });
  afterEach(async () => {
    await stopAll();
    await proxy.down();
    await namespace.remove();
  });

  it('the api answers 503 with Retry-After, and accepts again when it is back', async () => {
    const api = await ServiceProcess.start('api', variables);
    await api.ready();
    await proxy.down();
    const refused = await api.post('/v1/conversations/end', conversation());
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(refused.body).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect((await api.get('/health/ready')).body).toMatchObject({
      status: 'degraded',
      details: { database: { degraded: true } },
    });
    await proxy.up();
    await until(
      'a post to be accepted',
      async () => (await api.post('/v1/conversations/end', conversation())).status === 202,
    );
    expect(await api.stop()).toBe(0);
  });

  /** Takes the database away while a worker is at work on as many messages as it may. */
  async function takeAwayInMidMessage(count: number, worker: ServiceProcess) {
    const api = await ServiceProcess.start('api', { ...namespace.variables, RETRY_DELAYS: variables.RETRY_DELAYS });
    await Promise.all([api.ready(), worker.ready()]);
    const lock = await namespace.database.connect();
    await lock.query('BEGIN');
    await lock.query('LOCK TABLE friendship_status IN ACCESS EXCLUSIVE MODE');
    for (let index = 0; index < count; index++) await api.post('/v1/conversations/end', conversation());
    await until('the messages to be at their commit', async () => {
      const { rowCount } = await namespace.database.query(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
      );
      return rowCount === Math.min(count, 4);
    });
    await proxy.down();
    await until(
      'the messages to be held',
      () => worker.log.filter(({ msg }) => msg === 'deferred').length >= Math.min(count, 4),
    );
    await lock.query('ROLLBACK');
    lock.release();
    return api;
  }

  it('a worker stops consuming, spends no attempt, and goes on with what it holds', async () => {
    const worker = await ServiceProcess.start('worker', variables);
    const api = await takeAwayInMidMessage(10, worker);
    // The broker still counts a cancelled consumer that holds messages, so the worker itself is asked.
    await until('the consumers to be cancelled', async () => {
      const { body } = await worker.get<{ details: { consumers: object } }>('/health/ready');
      return JSON.stringify(body.details.consumers).includes('"live":0');
    });
    expect((await worker.get('/health/ready')).status).toBe(503);
    expect((await namespace.broker.figures())?.ready).toBe(6);

    await proxy.up();
    await until('all to be processed', async () => {
      const { rows } = await namespace.database.query(
        `SELECT FROM conversation_events WHERE status = 'PROCESSED' AND attempt_count = 1`,
      );
      return rows.length === 10;
    });
    expect((await api.get('/v1/friendship/child-1')).body).toMatchObject({ friendship_score: 30 });
    await worker.ready();
    expect(await worker.stop()).toBe(0);
    expect(await api.stop()).toBe(0);
  });

  it('a worker that is stopped meanwhile puts what it holds into the first retry queue, attempts unchanged', async () => {
    const worker = await ServiceProcess.start('worker', variables);
    const api = await takeAwayInMidMessage(1, worker);
    expect(await worker.stop()).toBe(0);
    expect(worker.log.findLast(({ msg }) => msg === 'stopped')).toMatchObject({
      delivered: 1,
      acked: 0,
      retried: 1,
      handedBack: 0,
    });

    await proxy.up();
    const successor = await ServiceProcess.start('worker', variables);
    // The commit under way may have succeeded without anybody hearing of it: then the message is a duplicate.
    await successor.logged('the message', ({ msg }) => msg === 'processed' || msg === 'duplicate');
    expect((await api.get('/v1/friendship/child-1')).body).toMatchObject({ friendship_score: 3 });
    const { rows } = await namespace.database.query('SELECT attempt_count FROM conversation_events');
    expect(rows).toEqual([{ attempt_count: 1 }]);
    expect(await successor.stop()).toBe(0);
    expect(await api.stop()).toBe(0);
  });

  it('a worker that starts waits for it, and for its schema', async () => {
    await proxy.down();
    const worker = await ServiceProcess.start('worker', variables);
    expect((await worker.get('/health/live')).status).toBe(200);
    expect((await worker.get('/health/ready')).status).toBe(503);
    await proxy.up();
    await worker.ready();
    expect(await worker.stop()).toBe(0);
  });
});
