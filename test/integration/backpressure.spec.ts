import { connect } from 'amqplib';
import { conversation } from '../support/conversations';
import { startExtraBroker, type ExtraBroker } from '../support/extra-broker';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';
import { storedEvent } from '../support/stored';
import { TcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';

/** A request that waited for the broker would take this long, and the tests' requests give up before that. */
const PUBLISH_TIMEOUT = '30s';

/** AMQP 0-9-1: a method of class connection, on channel 0. */
function connectionMethod(method: number, reason?: string): Buffer {
  const text = reason === undefined ? Buffer.alloc(0) : Buffer.from(`${String.fromCharCode(reason.length)}${reason}`);
  const payload = Buffer.concat([Buffer.from([0, 10, 0, method]), text]);
  const header = Buffer.from([1, 0, 0, 0, 0, 0, payload.length]);
  return Buffer.concat([header, payload, Buffer.from([0xce])]);
}
const BLOCKED = connectionMethod(60, 'low on memory');
const UNBLOCKED = connectionMethod(61);

describe('a broker that takes no messages', () => {
  let namespace: Namespace;

  beforeEach(async () => {
    namespace = await createNamespace({ PUBLISH_TIMEOUT });
  });
  afterEach(async () => {
    await stopAll();
    await namespace.remove();
  });

  const accept = async (api: ServiceProcess) => {
    const body = conversation();
    expect(await api.post('/v1/conversations/end', body)).toMatchObject({
      status: 202,
      body: { data: { conversation_id: body.conversation_id, status: 'PENDING' } },
    });
    return body.conversation_id;
  };
  const waitsInTheDatabase = (id: string) =>
    until('the mark', async () => {
      const row = await storedEvent(namespace, id);
      return row?.publish_due_at === -Infinity;
    });
  const counted = (ids: string[], seconds?: number) =>
    until(
      'all to be counted',
      async () => {
        const rows = await Promise.all(ids.map((id) => storedEvent(namespace, id)));
        return rows.every((row) => row?.status === 'PROCESSED');
      },
      seconds,
    );

  describe('because of an alarm', () => {
    let proxy: TcpProxy;

    beforeEach(async () => {
      proxy = await TcpProxy.to(namespace.variables.RABBITMQ_URL);
    });
    afterEach(() => proxy.down());

    it('delays no request; the events wait in PostgreSQL and are counted when the alarm is over', async () => {
      const variables = { ...namespace.variables, RABBITMQ_URL: proxy.urlThrough(namespace.variables.RABBITMQ_URL) };
      const api = await ServiceProcess.start('api', variables);
      await api.ready();
      // What a broker does in an alarm: it says so to whoever publishes, and stops reading.
      proxy.sayToClients(BLOCKED);
      proxy.hold();
      await api.logged(
        'the alarm',
        ({ msg, reason }) => msg === 'the broker blocks publishing' && reason === 'low on memory',
      );
      const ids = [await accept(api), await accept(api), await accept(api)];
      for (const id of ids) await waitsInTheDatabase(id);
      expect(api.log.filter(({ msg }) => msg === 'not queued yet')).toEqual(
        ids.map((conversation_id) => expect.objectContaining({ conversation_id, code: 'BROKER_BLOCKED' })),
      );
      expect((await api.get('/health/ready')).body).toMatchObject({
        status: 'degraded',
        details: { broker: { degraded: true, reason: 'BLOCKED_BY_BROKER' } },
      });
      const worker = await ServiceProcess.start('worker', namespace.variables);
      await worker.ready();

      proxy.release();
      proxy.sayToClients(UNBLOCKED);
      await counted(ids);
      await api.ready();
      expect((await api.get('/v1/friendship/child-1')).body).toMatchObject({ friendship_score: 9 });
      expect(await worker.stop()).toBe(0);
      expect(await api.stop()).toBe(0);
    });
  });

  it('because a queue is full rejects at once: no request waits, and the events are queued when there is room', async () => {
    const api = await ServiceProcess.start('api', namespace.variables);
    await api.ready();
    // A second queue of the same messages, full: the broker rejects what it cannot put into every queue.
    const connection = await connect(namespace.variables.RABBITMQ_URL);
    try {
      const channel = await connection.createConfirmChannel();
      const { exchange } = namespace.broker.topology;
      const { queue } = await channel.assertQueue('', {
        exclusive: true,
        arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' },
      });
      channel.sendToQueue(queue, Buffer.from('full'));
      await channel.waitForConfirms();
      await channel.bindQueue(queue, exchange, '#');

      const ids = [await accept(api), await accept(api)];
      for (const id of ids) await waitsInTheDatabase(id);
      expect(api.log.filter(({ code }) => code === 'REJECTED_BY_BROKER')).toHaveLength(2);
      // A try that failed is no reason to wait longer for the next one.
      await until('some rounds in vain', () => api.log.filter(({ failed }) => Number(failed) > 0).length >= 3);
      for (const id of ids) {
        await waitsInTheDatabase(id);
        expect(await storedEvent(namespace, id)).toMatchObject({ publish_count: 0 });
      }
      await channel.deleteQueue(queue);
      const worker = await ServiceProcess.start('worker', namespace.variables);
      await counted(ids);
      // What a full queue rejects may have reached another one: a copy counts once.
      await until('the sweeper’s copies', async () => {
        const rows = await Promise.all(ids.map((id) => storedEvent(namespace, id)));
        return rows.every((row) => row!.publish_due_at === null);
      });
      expect((await api.get('/v1/friendship/child-1')).body).toMatchObject({ friendship_score: 6 });
      expect(await worker.stop()).toBe(0);
    } finally {
      await connection.close();
    }
    expect(await api.stop()).toBe(0);
  });

  describe('because of a limit that an operator set and takes away', () => {
    let broker: ExtraBroker;
    let limited: Namespace;

    beforeAll(async () => {
      broker = await startExtraBroker({
        plugins: ['rabbitmq_management'],
        settings: ['management.tcp.port = {port}', 'management.tcp.ip = 127.0.0.1'],
      });
    }, 120_000);
    afterAll(() => broker?.stop());

    beforeEach(async () => {
      limited = await createNamespace({ RABBITMQ_URL: broker.url });
    });
    afterEach(() => limited.remove());

    const policy = async (method: 'PUT' | 'DELETE', definition?: object) => {
      const { username, password } = new URL(broker.url);
      const response = await fetch(`http://127.0.0.1:${broker.port}/api/policies/%2F/full`, {
        method,
        headers: {
          authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
          'content-type': 'application/json',
        },
        body: definition && JSON.stringify({ pattern: '.', 'apply-to': 'queues', definition }),
      });
      expect(response.ok).toBe(true);
    };

    it('queues what waited, although the broker goes on refusing on the channel that it refused', async () => {
      const api = await ServiceProcess.start('api', limited.variables);
      await api.ready();
      await policy('PUT', { 'max-length': 1 });
      const ids: string[] = [];
      // A policy takes a moment to reach its queue.
      await until('the queue to be full', async () => {
        ids.push(await accept(api));
        return api.log.some(({ code }) => code === 'REJECTED_BY_BROKER');
      });
      await policy('DELETE');
      // A worker would publish over a channel that was never refused.
      await api.logged('a round of the sweeper', ({ msg, events }) => msg === 'published again' && events === 1);
      const worker = await ServiceProcess.start('worker', limited.variables);
      await until('all to be counted', async () => {
        const rows = await Promise.all(ids.map((id) => storedEvent(limited, id)));
        return rows.every((row) => row?.status === 'PROCESSED');
      });
      expect(await worker.stop()).toBe(0);
      expect(await api.stop()).toBe(0);
    });
  });
});
