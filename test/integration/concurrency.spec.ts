import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';
import { until } from '../support/until';

describe('with C = 10 and K = 2', () => {
  let namespace: Namespace;

  beforeEach(async () => {
    namespace = await createNamespace({ MESSAGE_CONCURRENCY_PER_WORKER: '10', RABBITMQ_CHANNELS: '2' });
  });
  afterEach(async () => {
    await stopAll();
    await namespace.remove();
  });

  it('ten messages are in flight at once on two consumers, by the broker’s own figures', async () => {
    const api = await ServiceProcess.start('api', namespace.variables);
    await api.ready();
    const bodies = Array.from({ length: 25 }, (_, index) => conversation({ user_id: `child-${index}` }));
    for (const body of bodies) await api.post('/v1/conversations/end', body);
    const lock = await namespace.database.connect();
    await lock.query('BEGIN');
    await lock.query('LOCK TABLE friendship_status IN ACCESS EXCLUSIVE MODE');
    const worker = await ServiceProcess.start('worker', namespace.variables);

    await until('fifteen of twenty-five to be left', async () => {
      const figures = await namespace.broker.figures();
      return figures?.ready === 15 && figures.consumers === 2;
    });
    await lock.query('ROLLBACK');
    lock.release();

    await until('all to be processed', () => worker.log.filter(({ msg }) => msg === 'processed').length === 25);
    expect(await namespace.broker.figures())?.toEqual({ ready: 0, consumers: 2 });
    expect(await worker.stop()).toBe(0);
    expect(await api.stop()).toBe(0);
  });
});
