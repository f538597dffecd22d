import { setTimeout as delay } from 'node:timers/promises';
import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { Operator, OPERATOR_KEY } from '../support/operator';
import { preload } from '../support/preload';
import { ServiceProcess, stopAll } from '../support/service-process';
import { settledEvent } from '../support/stored';
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

  it('an api that starts meanwhile answers every question with 503, not with an error of its own', async () => {
    await proxy.down();
    const api = await ServiceProcess.start('api', { ...variables, OPERATOR_KEY });
    await api.logged('that it is away', ({ msg }) => msg === 'database is away');
    const operator = await Operator.logIn(api);
    const answers = await Promise.all([
      api.post('/v1/conversations/end', conversation()),
      api.get('/v1/conversations'),
      api.get('/v1/conversations/conversation-1'),
      api.post('/v1/conversations/conversation-1/score', {}),
      api.get('/v1/friendship/child-1'),
      operator.get('conversations/conversation-1'),
      operator.get('children/child-1'),
    ]);
    for (const { status, headers, body } of answers) {
      expect({ status, body }).toMatchObject({ status: 503, body: { code: 'DATABASE_UNAVAILABLE' } });
      expect(headers.get('retry-after')).toMatch(/^\d+$/);
    }
    expect(api.log.filter(({ level }) => level === 'error')).toEqual([]);
    await proxy.up();
    await until('an answer', async () => (await api.get('/v1/conversations')).status === 200);
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

  it('a worker that held its messages for as long as it may sets them aside, attempts unchanged, and they are counted later', async () => {
    // As long as an outage lasts they go round: held, set aside, delivered to nobody.
    const worker = await ServiceProcess.start('worker', { ...variables, LONGEST_HOLD: '1s' });
    const api = await takeAwayInMidMessage(4, worker);
    const retryQueue = namespace.broker.topology.processing.retryQueues[0].name;
    await until('the messages to be acknowledged', async () => {
      const { body } = await worker.get<{ details: { consumers: object } }>('/health/ready');
      return JSON.stringify(body).includes('"live":0') && (await namespace.broker.figures())?.consumers === 0;
    });
    await until('the messages to be back from the retry queue', async () => {
      const [waiting, retrying] = [await namespace.broker.figures(), await namespace.broker.figures(retryQueue)];
      return waiting?.ready === 4 && retrying?.ready === 0;
    });
    await proxy.up();
    await until('all to be processed', async () => {
      const { rows } = await namespace.database.query(
        `SELECT FROM conversation_events WHERE status = 'PROCESSED' AND attempt_count = 1`,
      );
      return rows.length === 4;
    });
    expect((await api.get('/v1/friendship/child-1')).body).toMatchObject({ friendship_score: 12 });
    await worker.ready();
    expect(await worker.stop()).toBe(0);
    expect(worker.log.findLast(({ msg }) => msg === 'stopped')).toMatchObject({ retried: 4, acked: 4, handedBack: 0 });
    expect(await api.stop()).toBe(0);
  });

  it('a database that became read-only counts as away: 503, no attempt spent, and all goes on when it can be written again', async () => {
    const api = await ServiceProcess.start('api', variables);
    const worker = await ServiceProcess.start('worker', variables);
    await Promise.all([api.ready(), worker.ready()]);
    const setReadOnly = async (value: 'on' | 'off') => {
      const client = await namespace.database.connect();
      const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
      await client.query('SET default_transaction_read_only = off');
      await client.query(`ALTER DATABASE ${rows[0].name} SET default_transaction_read_only = ${value}`);
      // New sessions only take it over, as after a failover.
      await client.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name LIKE 'friendship-service%'`,
      );
      client.release();
    };
    await setReadOnly('on');
    await worker.logged('the reason', ({ msg, reason }) => msg === 'database is away' && reason === '25006');
    const refused = await until('a refusal', async () => {
      const answer = await api.post('/v1/conversations/end', conversation());
      return answer.status === 503 && answer;
    });
    expect(refused.body).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    await until('the consumers to be paused', async () => (await namespace.broker.figures())?.consumers === 0);
    const body = conversation({ user_id: 'child-late' });
    await namespace.broker.send(body);

    await setReadOnly('off');
    expect(await settledEvent(namespace, body.conversation_id)).toMatchObject({
      status: 'PROCESSED',
      attempt_count: 1,
    });
    await until(
      'a post to be accepted',
      async () => (await api.post('/v1/conversations/end', conversation())).status === 202,
    );
    await worker.ready();
    expect(worker.log.filter(({ msg }) => msg === 'retried' || msg === 'dead-lettered')).toEqual([]);
    expect(await worker.stop()).toBe(0);
    expect(await api.stop()).toBe(0);
  });

  it('twenty consumers come through many short outages and a long one with every message delivered once', async () => {
    const many = {
      ...variables,
      MESSAGE_CONCURRENCY_PER_WORKER: '20',
      RABBITMQ_CHANNELS: '10',
      ...preload('slow'),
      SLOW_MS: '150',
    };
    const api = await ServiceProcess.start('api', namespace.variables);
    const workers = [await ServiceProcess.start('worker', many), await ServiceProcess.start('worker', many)];
    await Promise.all([api, ...workers].map((service) => service.ready()));
    const posts = Array.from({ length: 600 }, (_, index) => conversation({ user_id: `child-${index % 20}` }));
    const posting = Promise.all(posts.map((body) => api.post('/v1/conversations/end', body)));
    for (const milliseconds of [300, 300, 300, 300, 300, 5_000]) {
      await until('work under way', async () => {
        const states = await Promise.all(workers.map((worker) => worker.get<object>('/health/ready')));
        return states.every(({ text }) => !text.includes('"paused"') && text.includes('"live":11'));
      });
      await proxy.down();
      await delay(milliseconds);
      await proxy.up();
    }
    await posting;
    await until(
      'all to be processed',
      async () => {
        const { rows } = await namespace.database.query(
          `SELECT FROM conversation_events WHERE status = 'PROCESSED' AND attempt_count = 1`,
        );
        return rows.length === 600;
      },
      30,
    );
    const { rows } = await namespace.database.query(
      'SELECT sum(friendship_score)::int AS score FROM friendship_status',
    );
    expect(rows).toEqual([{ score: 1800 }]);
    for (const worker of workers) expect(await worker.stop()).toBe(0);
    const lines = workers.map((worker) => worker.log.findLast(({ msg }) => msg === 'stopped')!);
    const sum = (name: string) => lines.reduce((total, line) => total + Number(line[name]), 0);
    // Not one delivery more than messages, so the broker has nothing to count towards its limit, whatever number of workers.
    expect({
      delivered: sum('delivered'),
      acked: sum('acked'),
      retried: sum('retried'),
      handedBack: sum('handedBack'),
    }).toEqual({
      delivered: 600,
      acked: 600,
      retried: 0,
      handedBack: 0,
    });
    expect(sum('deferred')).toBeGreaterThan(0);
    expect(await api.stop()).toBe(0);
  }, 90_000);
});
