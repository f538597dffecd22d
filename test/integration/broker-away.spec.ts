import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';
import { TcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';

describe('while the broker is away', () => {
  let namespace: Namespace;
  let proxy: TcpProxy;
  let variables: Record<string, string>;

  async function begin(options?: { up: boolean }) {
    namespace = await createNamespace({ MESSAGE_CONCURRENCY_PER_WORKER: '4' });
    proxy = await TcpProxy.to(namespace.variables.RABBITMQ_URL, options);
    variables = { ...namespace.variables, RABBITMQ_URL: proxy.urlThrough(namespace.variables.RABBITMQ_URL) };
  }
  afterEach(async () => {
    await stopAll();
    await proxy.down();
    await namespace.remove();
  });

  const processed = (count: number) =>
    until(`${count} to be processed`, async () => {
      const { rows } = await namespace.database.query(`SELECT FROM conversation_events WHERE status = 'PROCESSED'`);
      return rows.length === count;
    });

  it('an api that starts listens at once, accepts, and queues when the broker is there', async () => {
    await begin({ up: false });
    const api = await ServiceProcess.start('api', variables);
    await until('the database', async () => (await api.post('/v1/conversations/end', conversation())).status === 202);
    expect((await api.get('/health/ready')).body).toMatchObject({
      status: 'degraded',
      details: { broker: { degraded: true } },
    });
    const worker = await ServiceProcess.start('worker', variables);
    expect((await worker.get('/health/ready')).status).toBe(503);

    await proxy.up();
    await processed(1);
    await worker.ready();
    expect(await worker.stop()).toBe(0);
    expect(await api.stop()).toBe(0);
  });

  it('a post is accepted and its event counted once when the broker is back', async () => {
    await begin();
    const [api, worker] = await Promise.all([
      ServiceProcess.start('api', variables),
      ServiceProcess.start('worker', variables),
    ]);
    await Promise.all([api.ready(), worker.ready()]);
    await api.post('/v1/conversations/end', conversation());
    await processed(1);

    await proxy.down();
    await api.logged('the loss', ({ msg }) => msg === 'no connection to the broker');
    const answer = await api.post<{ data: { status: string } }>('/v1/conversations/end', conversation());
    expect(answer).toMatchObject({ status: 202, body: { data: { status: 'PENDING' } } });
    await proxy.up();
    await processed(2);
    const { body } = await api.get('/v1/friendship/child-1');
    expect(body).toMatchObject({ friendship_score: 6 });
    expect(await worker.stop()).toBe(0);
    expect(await api.stop()).toBe(0);
  });

  it('a post during a broker that swallows everything is answered 202 all the same', async () => {
    await begin();
    const api = await ServiceProcess.start('api', variables);
    await api.ready();
    proxy.swallow();
    const answer = await api.post('/v1/conversations/end', conversation());
    expect(answer.status).toBe(202);
    await api.logged('the mark', ({ msg, code }) => msg === 'not queued yet' && code === 'PUBLISH_TIMEOUT');
    // Cut what was swallowed, so that the connection is made anew.
    await proxy.down();
    await proxy.up();
    const worker = await ServiceProcess.start('worker', variables);
    await processed(1);
    expect(await worker.stop()).toBe(0);
    expect(await api.stop()).toBe(0);
  });

  it('a worker that loses its connection in mid-message goes on living, and the redelivery finds the work done', async () => {
    await begin();
    const api = await ServiceProcess.start('api', namespace.variables);
    await api.ready();
    const lock = await namespace.database.connect();
    await lock.query('BEGIN');
    await lock.query('LOCK TABLE friendship_status IN ACCESS EXCLUSIVE MODE');
    const worker = await ServiceProcess.start('worker', variables);
    for (let index = 0; index < 4; index++) await api.post('/v1/conversations/end', conversation());
    await until('four in flight', async () => {
      const figures = await namespace.broker.figures();
      const { rows } = await namespace.database.query(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
      );
      return figures?.ready === 0 && figures.consumers === 1 && rows.length === 4;
    });
    proxy.cut();
    await worker.logged('the loss', ({ msg }) => msg === 'no connection to the broker');
    await lock.query('ROLLBACK');
    lock.release();
    await until('the redeliveries', () => worker.log.filter(({ msg }) => msg === 'duplicate').length === 4);
    expect((await api.get('/v1/friendship/child-1')).body).toMatchObject({ friendship_score: 12 });
    await worker.ready();
    expect(await worker.stop()).toBe(0);
    expect(await api.stop()).toBe(0);
  });

  it('a worker consumes again after somebody deleted the queue, and events that were in it are found', async () => {
    await begin();
    const quick = { ...variables, DATABASE_STATEMENT_TIMEOUT: '1s' };
    const api = await ServiceProcess.start('api', quick);
    await api.ready();
    await api.post('/v1/conversations/end', conversation());
    await api.post('/v1/conversations/end', conversation());
    await until('two in the queue', async () => (await namespace.broker.figures())?.ready === 2);
    const worker = await ServiceProcess.start('worker', { ...quick, MESSAGE_CONCURRENCY_PER_WORKER: '1' });
    await worker.ready();
    await processed(2);
    await namespace.broker.deleteQueue(namespace.queue);
    const lost = await api.post('/v1/conversations/end', conversation());
    expect(lost.status).toBe(202);
    await processed(3);
    await until('the consumer to be back', async () => (await namespace.broker.figures())?.consumers === 1);
    expect(await worker.stop()).toBe(0);
    expect(await api.stop()).toBe(0);
  });
});
