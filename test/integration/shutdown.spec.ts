import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';
import { until } from '../support/until';

describe('a worker that is told to stop', () => {
  let namespace: Namespace;

  beforeEach(async () => {
    namespace = await createNamespace({
      MESSAGE_CONCURRENCY_PER_WORKER: '10',
      RABBITMQ_CHANNELS: '2',
      SHUTDOWN_TIMEOUT: '4s',
    });
  });
  afterEach(async () => {
    await stopAll();
    await namespace.remove();
  });

  /** Posts conversations of different children and starts two workers whose commits wait for a lock of the test's. */
  async function twentyInFlight() {
    const api = await ServiceProcess.start('api', namespace.variables);
    await api.ready();
    for (let index = 0; index < 60; index++) {
      const answer = await api.post('/v1/conversations/end', conversation({ user_id: `child-${index % 6}` }));
      expect(answer.status).toBe(202);
    }
    const lock = await namespace.database.connect();
    await lock.query('BEGIN');
    await lock.query('LOCK TABLE friendship_status IN ACCESS EXCLUSIVE MODE');
    const workers = await Promise.all([
      ServiceProcess.start('worker', namespace.variables),
      ServiceProcess.start('worker', namespace.variables),
    ]);
    await until('twenty to be in flight', async () => {
      const figures = await namespace.broker.figures();
      return figures?.ready === 40 && figures.consumers === 4;
    });
    return {
      api,
      workers,
      async unlock() {
        await lock.query('ROLLBACK');
        lock.release();
      },
    };
  }

  async function totals() {
    const { rows } = await namespace.database.query(
      `SELECT (SELECT count(*)::int FROM conversation_events WHERE status = 'PROCESSED') AS processed,
              (SELECT sum(friendship_score)::int FROM friendship_status) AS score`,
    );
    return rows[0] as { processed: number; score: number | null };
  }

  it('finishes the twenty messages that two of them have in flight, loses none and counts none twice', async () => {
    const { api, workers, unlock } = await twentyInFlight();
    const codes = workers.map((worker) => worker.stop('SIGTERM'));
    await Promise.all(workers.map((worker) => worker.logged('draining', ({ msg }) => msg === 'draining')));
    await unlock();

    expect(await Promise.all(codes)).toEqual([0, 0]);
    const counts = workers.map((worker) => worker.log.findLast(({ msg }) => msg === 'stopped')!);
    expect(counts.map(({ delivered, acked, handedBack }) => ({ delivered, acked, handedBack }))).toEqual([
      { delivered: 10, acked: 10, handedBack: 0 },
      { delivered: 10, acked: 10, handedBack: 0 },
    ]);
    expect(await totals()).toEqual({ processed: 20, score: 60 });
    expect(await namespace.broker.figures())?.toEqual({ ready: 40, consumers: 0 });

    const successor = await ServiceProcess.start('worker', namespace.variables);
    await until('the rest to be processed', async () => (await totals()).processed === 60);
    expect((await totals()).score).toBe(180);
    expect(successor.log.filter(({ msg }) => msg === 'duplicate')).toEqual([]);
    expect(await successor.stop()).toBe(0);
    expect(await api.stop()).toBe(0);
  });

  it('hands back what is not done at the deadline, and the next worker counts it once', async () => {
    const { api, workers, unlock } = await twentyInFlight();
    const [first, second] = workers;
    const stopped = first.stop('SIGTERM');
    await first.logged('stopped', ({ msg }) => msg === 'stopped', 20);
    expect(await stopped).toBe(0);
    expect(first.log.findLast(({ msg }) => msg === 'stopped')).toMatchObject({
      delivered: 10,
      acked: 0,
      handedBack: 10,
    });
    // What the first one left waiting in the database must not commit after all: only a redelivery may count it.
    await namespace.database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
    );
    await unlock();
    await until('all to be processed', async () => (await totals()).processed === 60);
    expect((await totals()).score).toBe(180);
    expect(await second.stop()).toBe(0);
    expect(await api.stop()).toBe(0);
  });
});
