import { ClientProxyFactory, Transport, type ClientProxy } from '@nestjs/microservices';
import { Logger } from '@nestjs/common';
import { connect } from 'amqplib';
import { TimeoutError, firstValueFrom, timeout } from 'rxjs';
import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';
import { settledEvent } from '../support/stored';
import { TcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';

describe('the pattern friendship.status.get', () => {
  let namespace: Namespace;
  let client: ClientProxy;

  beforeAll(() => Logger.overrideLogger(false)); // the client's own
  beforeEach(async () => {
    namespace = await createNamespace();
    // What another Nest service has.
    client = ClientProxyFactory.create({
      transport: Transport.RMQ,
      options: {
        urls: [namespace.variables.RABBITMQ_URL],
        queue: namespace.variables.RABBITMQ_RPC_QUEUE,
        queueOptions: { durable: true },
      },
    });
  });
  afterEach(async () => {
    await client.close();
    await stopAll();
    await namespace.remove();
  });

  const ask = (payload: unknown) =>
    firstValueFrom(client.send<Record<string, unknown>>('friendship.status.get', payload).pipe(timeout(8_000)));
  const refusal = (payload: unknown) =>
    ask(payload).then(
      (answer) => ({ answered: answer }),
      (error: unknown) => (error instanceof TimeoutError ? 'no answer' : error),
    );
  const serving = (api: ServiceProcess) =>
    api.logged('RPC to be served', ({ msg }) => msg === 'answering RPC requests');

  it('answers what HTTP answers, and errors as the problem object', async () => {
    const api = await ServiceProcess.start('all', namespace.variables);
    await Promise.all([api.ready(), serving(api)]);
    const body = conversation({ user_id: 'child-rpc' });
    await api.post('/v1/conversations/end', body);
    await settledEvent(namespace, body.conversation_id);

    const overHttp = await api.get('/v1/friendship/child-rpc');
    expect(overHttp).toMatchObject({ status: 200, body: { friendship_score: 3 } });
    expect(await ask({ user_id: 'child-rpc' })).toEqual(overHttp.body);

    const notFound = await api.get('/v1/friendship/child-unknown');
    expect(await refusal({ user_id: 'child-unknown' })).toEqual(notFound.body);

    for (const payload of [{}, { user_id: 7 }, { user_id: 'ab' }, { user_id: 'child\0' }, [], 'child-rpc', 12]) {
      expect({ payload, error: await refusal(payload) }).toEqual({
        payload,
        error: {
          type: expect.any(String),
          title: expect.any(String),
          detail: expect.any(String),
          status: 422,
          code: 'VALIDATION_FAILED',
          errors: [{ field: 'user_id', expected: expect.any(String), got: expect.any(String) }],
        },
      });
    }
    expect(await api.stop()).toBe(0);
  });

  it('answers request after request, and many at once', async () => {
    const api = await ServiceProcess.start('api', namespace.variables);
    await Promise.all([api.ready(), serving(api)]);
    for (let round = 0; round < 4; round++) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => refusal({ user_id: 'child-unknown' })));
      expect(answers.filter((answer) => answer === 'no answer')).toEqual([]);
    }
    expect(await api.stop()).toBe(0);
  });

  it('goes on answering after garbage on its queue, and says none of it', async () => {
    const api = await ServiceProcess.start('api', { ...namespace.variables, LOG_LEVEL: 'trace' });
    await Promise.all([api.ready(), serving(api)]);
    const connection = await connect(namespace.variables.RABBITMQ_URL);
    const channel = await connection.createConfirmChannel();
    const queue = namespace.variables.RABBITMQ_RPC_QUEUE;
    const garbage = [
      'Zauberwort is not JSON',
      '',
      'null',
      '[]',
      '12',
      '"Zauberwort"',
      '{}',
      JSON.stringify({ pattern: 'friendship.status.get' }),
      JSON.stringify({ pattern: 'friendship.status.get', data: null, id: '1' }),
      JSON.stringify({ pattern: { cmd: 'other' }, data: 'Zauberwort', id: '2' }),
      JSON.stringify({ pattern: 'other', data: { text: 'Zauberwort' } }),
      // A conversation that was sent to the wrong queue.
      JSON.stringify(conversation({ conversation_log: [{ speaker: 'user', text: 'Zauberwort' }] })),
    ];
    for (const body of garbage) {
      channel.sendToQueue(queue, Buffer.from(body));
      channel.sendToQueue(queue, Buffer.from(body), { replyTo: 'amq.rabbitmq.reply-to.nonsense', correlationId: 'x' });
    }
    await channel.waitForConfirms();
    await connection.close();
    expect(await refusal({ user_id: 'child-unknown' })).toMatchObject({ code: 'FRIENDSHIP_NOT_FOUND' });
    await until('the queue to be empty', async () => (await namespace.broker.figures(queue))?.ready === 0);
    expect((await api.get('/health/ready')).body).toMatchObject({ status: 'ok' });
    expect(api.lines.filter((line) => line.includes('Zauberwort'))).toEqual([]);
    expect(await api.stop()).toBe(0);
  });

  it('is answered once the broker is up, while HTTP is there from the start', async () => {
    const proxy = await TcpProxy.to(namespace.variables.RABBITMQ_URL, { up: false });
    const variables = { ...namespace.variables, RABBITMQ_URL: proxy.urlThrough(namespace.variables.RABBITMQ_URL) };
    const api = await ServiceProcess.start('api', variables);
    expect((await api.get('/health/live')).status).toBe(200);
    await until('the database', async () => (await api.get('/v1/friendship/child-unknown')).status === 404);
    expect(api.log.some(({ msg }) => msg === 'answering RPC requests')).toBe(false);
    await proxy.up();
    await serving(api);
    expect(await refusal({ user_id: 'child-unknown' })).toMatchObject({ code: 'FRIENDSHIP_NOT_FOUND', status: 404 });

    await proxy.down();
    await proxy.up();
    expect(await refusal({ user_id: 'child-unknown' })).toMatchObject({ code: 'FRIENDSHIP_NOT_FOUND', status: 404 });
    expect(await api.stop()).toBe(0);
    await proxy.down();
  });

  it('says DATABASE_UNAVAILABLE while the database is away', async () => {
    const proxy = await TcpProxy.to(namespace.variables.DATABASE_URL);
    const variables = { ...namespace.variables, DATABASE_URL: proxy.urlThrough(namespace.variables.DATABASE_URL) };
    const api = await ServiceProcess.start('api', variables);
    await Promise.all([api.ready(), serving(api)]);
    await proxy.down();
    expect(await refusal({ user_id: 'child-1' })).toMatchObject({ code: 'DATABASE_UNAVAILABLE', status: 503 });
    await proxy.up();
    await api.ready();
    expect(await refusal({ user_id: 'child-unknown' })).toMatchObject({ code: 'FRIENDSHIP_NOT_FOUND' });
    expect(await api.stop()).toBe(0);
    await proxy.down();
  });

  it('is not served by a worker', async () => {
    const worker = await ServiceProcess.start('worker', namespace.variables);
    await worker.ready();
    expect(await namespace.broker.figures(namespace.variables.RABBITMQ_RPC_QUEUE)).toBeUndefined();
    expect((await worker.get('/v1/friendship/child-1')).status).toBe(404);
    expect((await worker.post('/v1/conversations/end', conversation())).status).toBe(404);
    expect(await worker.stop()).toBe(0);
    // Still nobody but this client has touched the queue.
    expect(worker.log.some(({ msg }) => msg === 'answering RPC requests')).toBe(false);
  });
});
