import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { preload } from '../support/preload';
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

  describe('with fifty messages of five seconds in flight', () => {
    /** What a worker's last line must say: everything that was delivered came to one end. */
    function lastLineOf(worker: ServiceProcess) {
      const line = worker.log.findLast(({ msg }) => msg === 'stopped')!;
      const { delivered, acked, retried, deadLettered, handedBack, results } = line as unknown as Record<
        string,
        number
      > & { results: Record<string, number> };
      expect(acked + retried + deadLettered + handedBack).toBe(delivered);
      return { delivered, acked, handedBack, processed: results.processed, duplicate: results.duplicate };
    }

    it.each([
      ['finishes them when its deadline allows it', '12s', { acked: 50, handedBack: 0, processed: 50 }],
      ['hands them back when its deadline comes first', '1s', { acked: 0, handedBack: 50, processed: 0 }],
    ])('%s; nothing is lost or counted twice', async (_what, SHUTDOWN_TIMEOUT, expected) => {
      const variables = {
        ...namespace.variables,
        MESSAGE_CONCURRENCY_PER_WORKER: '50',
        RABBITMQ_CHANNELS: '5',
        SHUTDOWN_TIMEOUT,
      };
      const api = await ServiceProcess.start('api', variables);
      await api.ready();
      const posts = Array.from({ length: 80 }, (_, index) => conversation({ user_id: `child-${index % 6}` }));
      await Promise.all(posts.map((body) => api.post('/v1/conversations/end', body)));
      await until('eighty to be queued', async () => (await namespace.broker.figures())?.ready === 80);
      const worker = await ServiceProcess.start('worker', { ...variables, ...preload('slow'), SLOW_MS: '5000' });
      await until('fifty to be in flight', async () => (await namespace.broker.figures())?.ready === 30);

      // One that is not gone within its deadline ends itself with 1.
      expect(await worker.stop('SIGTERM')).toBe(0);
      expect(lastLineOf(worker)).toEqual({ delivered: 50, duplicate: 0, ...expected });
      expect(await totals()).toMatchObject({ processed: expected.processed });
      await until('the rest to be back', async () => (await namespace.broker.figures())?.ready === 80 - expected.acked);

      const successor = await ServiceProcess.start('worker', variables);
      await until('the rest to be processed', async () => (await totals()).processed === 80, 30);
      expect((await totals()).score).toBe(240);
      expect(await successor.stop()).toBe(0);
      const rest = 80 - expected.acked;
      expect(lastLineOf(successor)).toEqual({
        delivered: rest,
        acked: rest,
        handedBack: 0,
        processed: rest,
        duplicate: 0,
      });
      expect(await api.stop()).toBe(0);
    });
  });
});
