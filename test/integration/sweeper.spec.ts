import { insertEvent } from '../support/insert-event';
import { createNamespace, type Namespace } from '../support/namespace';
import { preload } from '../support/preload';
import { ServiceProcess, stopAll } from '../support/service-process';
import { settledEvent, storedEvent } from '../support/stored';
import { until } from '../support/until';

/** The sweeper's grace time is twice the first; short, so that a backlog a minute old is well beyond it. */
const QUICK = { DATABASE_STATEMENT_TIMEOUT: '1s' };

describe('the sweeper', () => {
  let namespace: Namespace;

  beforeEach(async () => {
    namespace = await createNamespace(QUICK);
    await namespace.broker.declareWorkQueue();
  });
  afterEach(async () => {
    await stopAll();
    await namespace.remove();
  });

  /** Events of this many children, accepted within one minute ten minutes ago, as the api stores them. */
  async function store(events: number): Promise<void> {
    await namespace.database.query(
      `INSERT INTO conversation_events (conversation_id, user_id, bot_id, bot_name, bot_type, start_time, end_time,
                                        conversation_log, fingerprint, accepted_at)
       SELECT 'backlog-' || n, 'child-' || n % 1000, 'bot', 'Bot', 'TALK', now() - interval '2 hours',
              now() - interval '1 hour', '[]', sha256(n::text::bytea), now() - interval '10 minutes' + n * interval '0.6 ms'
         FROM generate_series(1, $1::int) AS n`,
      [events],
    );
  }

  /** The messages of stored events, in the order of their acceptance. */
  async function enqueue(): Promise<void> {
    const { rows } = await namespace.database.query<{ conversation_id: string; user_id: string; accepted_at: Date }>(
      'SELECT conversation_id, user_id, accepted_at FROM conversation_events ORDER BY accepted_at',
    );
    await namespace.broker.sendAll(
      rows.map(({ conversation_id, user_id, accepted_at }) => ({
        body: { conversation_id, user_id, bot_id: 'bot', enqueued_at: accepted_at.toISOString() },
        options: { messageId: conversation_id },
      })),
    );
  }

  /** A round of the sweeper is over when an event that is known not to be queued has been published. */
  async function rounds(count: number): Promise<void> {
    for (let round = 0; round < count; round++) {
      const id = await insertEvent(namespace, 'child-marked', { publish_due_at: '-infinity' });
      await until('a round', async () => Number((await storedEvent(namespace, id))?.publish_count) > 0);
    }
  }

  const publishedAgain = async () => {
    const { rows } = await namespace.database.query<{ count: number }>(
      `SELECT count(*)::int FROM conversation_events WHERE publish_count > 0 AND user_id <> 'child-marked'`,
    );
    return rows[0].count;
  };

  it('publishes nothing of a backlog of 100,000 events that are queued, however old they are', async () => {
    await store(100_000);
    await enqueue();
    await until('all to be queued', async () => (await namespace.broker.figures())?.ready === 100_000);
    // It takes some of the backlog, so that the sweeper knows how far the queue has come.
    const worker = await ServiceProcess.start('worker', { ...namespace.variables, ...preload('slow'), SLOW_MS: '100' });
    await until('some to be processed', () => worker.log.filter(({ msg }) => msg === 'processed').length >= 20);
    await rounds(4);
    expect(await publishedAgain()).toBe(0);
    expect((await namespace.broker.figures())!.ready).toBeGreaterThan(99_000);
    expect(worker.log.filter(({ msg }) => msg === 'events were not queued')).toEqual([]);
    expect(await worker.stop()).toBe(0);
  }, 90_000);

  it('finds the event whose api died between insert and publish, once the queue has passed it, and no other', async () => {
    await store(300);
    await enqueue();
    // Accepted in the middle of the others, and not queued.
    const orphan = await insertEvent(namespace, 'child-orphan', {
      accepted_at: new Date(Date.now() - 10 * 60_000 + 90),
    });
    const worker = await ServiceProcess.start('worker', { ...namespace.variables, ...preload('slow'), SLOW_MS: '1' });
    expect(await settledEvent(namespace, orphan)).toMatchObject({ status: 'PROCESSED', publish_count: 1 });
    await until('the backlog to be processed', async () => {
      const { rows } = await namespace.database.query(`SELECT FROM conversation_events WHERE status = 'PENDING'`);
      return rows.length === 0;
    });
    expect(await publishedAgain()).toBe(1);
    expect(worker.log.filter(({ msg }) => msg === 'duplicate')).toEqual([]);
    expect(await worker.stop()).toBe(0);
  });

  it('finds every event of a queue that somebody deleted, and counts each once, with two workers at it', async () => {
    await store(800);
    await enqueue();
    await until('all to be queued', async () => (await namespace.broker.figures())?.ready === 800);
    await namespace.broker.deleteQueue(namespace.queue);
    const workers = await Promise.all([
      ServiceProcess.start('worker', { ...namespace.variables, MESSAGE_CONCURRENCY_PER_WORKER: '10' }),
      ServiceProcess.start('worker', { ...namespace.variables, MESSAGE_CONCURRENCY_PER_WORKER: '10' }),
    ]);
    await until(
      'all to be processed',
      async () => {
        const { rows } = await namespace.database.query(
          `SELECT count(*)::int AS processed, max(publish_count)::int AS most FROM conversation_events WHERE status = 'PROCESSED'`,
        );
        expect((rows[0] as { most: number | null }).most ?? 1).toBe(1);
        return (rows[0] as { processed: number }).processed === 800;
      },
      30,
    );
    expect(workers.flatMap(({ log }) => log).filter(({ msg }) => msg === 'duplicate')).toEqual([]);
    for (const worker of workers) expect(await worker.stop()).toBe(0);
  });

  it('finds the event that is FAILED and whose dead letter was lost before it was recorded', async () => {
    const failed = await insertEvent(namespace, 'child-failed', {
      status: 'FAILED',
      attempt_count: 3,
      last_error_code: '40P01',
      accepted_at: new Date(Date.now() - 10 * 60_000),
      publish_due_at: new Date(Date.now() - 60_000),
    });
    const worker = await ServiceProcess.start('worker', namespace.variables);
    const letter = await until('the dead letter', async () => {
      const { rows } = await namespace.database.query('SELECT * FROM dead_letters WHERE conversation_id = $1', [
        failed,
      ]);
      return rows[0] as Record<string, unknown> | undefined;
    });
    expect(letter).toMatchObject({
      reason: 'ATTEMPTS_EXHAUSTED',
      error_code: '40P01',
      settles_event: true,
      attempts: 3,
    });
    expect(await storedEvent(namespace, failed)).toMatchObject({ status: 'FAILED', publish_due_at: null });
    expect(await worker.stop()).toBe(0);
  });
});
