import { connect } from 'amqplib';
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
