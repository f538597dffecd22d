import { connect, type Channel } from 'amqplib';
import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';
import { until } from '../support/until';

describe('a queue of an older setup', () => {
  let namespace: Namespace;

  beforeEach(async () => {
    namespace = await createNamespace();
    const connection = await connect(namespace.variables.RABBITMQ_URL);
    const channel = await connection.createChannel();
    await channel.assertQueue(namespace.queue, { durable: true });
    await connection.close();
  });
  afterEach(async () => {
    await stopAll();
    await namespace.remove();
  });

  it('is left alone and reported with what to do, and when it is gone the service goes on', async () => {
    const [api, worker] = await Promise.all([
      ServiceProcess.start('api', namespace.variables),
      ServiceProcess.start('worker', namespace.variables),
    ]);
    for (const service of [api, worker]) {
      const line = await service.logged(
        'the report',
        ({ msg }) => msg.includes(namespace.queue) && msg.includes('classic'),
      );
      expect(line.msg).toMatch(/x-dead-letter-exchange: expected '', got none/);
      expect(line.msg).toMatch(/run empty, delete it/);
    }
    await until(
      'an api that knows its database',
      async () => (await api.post('/v1/conversations/end', conversation())).status === 202,
    );
    const { body } = await worker.get<{ error: { broker: { reason: string } } }>('/health/ready');
    expect(body.error.broker.reason).toContain(namespace.queue);
    expect((await worker.get('/health/live')).status).toBe(200);
    expect(await namespace.broker.figures()).toEqual({ ready: 0, consumers: 0 });

    await namespace.broker.deleteQueue(namespace.queue);
    await Promise.all([api.ready(), worker.ready()]);
    await worker.logged('the event that could not be queued', ({ msg }) => msg === 'processed');
    expect(await worker.stop()).toBe(0);
    expect(await api.stop()).toBe(0);
  });
});

describe('what exists on the broker with other properties', () => {
  let namespace: Namespace;

  beforeEach(async () => {
    namespace = await createNamespace();
  });
  afterEach(async () => {
    await stopAll();
    await namespace.remove();
  });

  async function declare(what: (channel: Channel) => Promise<unknown>): Promise<void> {
    const connection = await connect(namespace.variables.RABBITMQ_URL);
    await what(await connection.createChannel());
    await connection.close();
  }
  const reported = (service: ServiceProcess, name: string) =>
    service.logged(`the report of ${name}`, ({ level, msg }) => level === 'error' && msg.startsWith(name));

  it('is named with the property, what was expected and got, and the setting that avoids it: a retry queue', async () => {
    const { name, options } = namespace.broker.topology.processing.retryQueues[0];
    const other = { ...options.arguments, 'x-message-ttl': 7 };
    await declare((channel) => channel.assertQueue(name, { ...options, arguments: other }));
    const worker = await ServiceProcess.start('worker', namespace.variables);
    expect((await reported(worker, `queue ${name}`)).msg).toMatch(
      /^queue \S+ exists with .*: x-message-ttl: expected '200', got '7'\. .*RABBITMQ_QUEUE/,
    );
    await declare((channel) => channel.deleteQueue(name));
    await worker.ready();
    expect(await worker.stop()).toBe(0);
  });

  it('… the exchange', async () => {
    const exchange = namespace.variables.RABBITMQ_EXCHANGE;
    await declare((channel) => channel.assertExchange(exchange, 'direct', { durable: true }));
    const api = await ServiceProcess.start('api', namespace.variables);
    expect((await reported(api, `exchange ${exchange}`)).msg).toMatch(
      /^exchange \S+ exists with .*: type: expected 'topic', got 'direct'\. .*RABBITMQ_EXCHANGE/,
    );
    const { body } = await api.get<{ details: { broker: { reason: string } } }>('/health/ready');
    expect(body.details.broker.reason).toContain(exchange);
    await declare((channel) => channel.deleteExchange(exchange));
    await api.ready();
    expect(await api.stop()).toBe(0);
  });

  it('… the queue of RPC, which keeps nothing else from working, and is served once it is gone', async () => {
    const queue = namespace.variables.RABBITMQ_RPC_QUEUE;
    await declare((channel) => channel.assertQueue(queue, { durable: false }));
    const api = await ServiceProcess.start('api', namespace.variables);
    expect((await reported(api, `queue ${queue}`)).msg).toMatch(
      /^queue \S+ exists with .*: durable: expected 'true', got 'false'\. .*RABBITMQ_RPC_QUEUE/,
    );
    await api.ready();
    expect((await api.post('/v1/conversations/end', conversation())).status).toBe(202);
    await declare((channel) => channel.deleteQueue(queue));
    await api.logged('RPC to be served', ({ msg }) => msg === 'answering RPC requests');
    expect(await api.stop()).toBe(0);
  });
});
