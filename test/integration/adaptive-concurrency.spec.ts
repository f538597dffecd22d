import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';
import { until } from '../support/until';

const EVENTS = 4_000;
const HANDFUL = 50;

describe('a worker with adaptive concurrency', () => {
  let namespace: Namespace;

  beforeEach(async () => {
    namespace = await createNamespace({
      CONCURRENCY_MODE: 'adaptive',
      CONCURRENCY_MIN: '1',
      CONCURRENCY_MAX: '8',
      MESSAGE_CONCURRENCY_PER_WORKER: '1',
    });
  });
  afterEach(async () => {
    await stopAll();
    await namespace.remove();
  });

  it('holds one message at first, tells each change with its reason, and counts every conversation once', async () => {
    const worker = await (await ServiceProcess.start('worker', namespace.variables)).ready();
    expect(await namespace.broker.figures()).toMatchObject({ consumers: 1 });

    await namespace.database.query(
      `INSERT INTO conversation_events
              (conversation_id, user_id, bot_id, bot_name, bot_type, start_time, end_time, conversation_log, fingerprint)
       SELECT 'conv-' || n, 'child-' || n % 50, 'bot', 'Bot', 'TALK', now() - interval '1 minute', now(), '[]', sha256('x')
         FROM generate_series(1, $1) n`,
      [EVENTS],
    );
    // In handfuls: each waits for the confirms of all that are under way.
    for (let first = 1; first <= EVENTS; first += HANDFUL) {
      const numbers = Array.from({ length: HANDFUL }, (_, index) => first + index);
      await Promise.all(numbers.map((number) => namespace.broker.send({ conversation_id: `conv-${number}` })));
    }
    const change = await worker.logged('a change of concurrency', ({ msg }) => msg === 'concurrency changed', 30);
    expect(change).toMatchObject({ from: 1, to: 3, reason: 'PROBE' });
    await until('more consumers', async () => ((await namespace.broker.figures())?.consumers ?? 0) >= 3);

    await until('all to be counted', async () => (await processed()) === EVENTS, 35);
    const metrics = await (await fetch(`${worker.url}/metrics`)).text();
    expect(metrics).toMatch(/friendship_concurrency_decisions_total\{reason="PROBE"[^}]*\} \d+/);
    expect(await worker.stop()).toBe(0);
  });

  it('consumes again after its queue was deleted, with as many consumers as it had', async () => {
    const worker = await (await ServiceProcess.start('worker', namespace.variables)).ready();
    await namespace.broker.deleteQueue(namespace.queue);
    await until(
      'a consumer on the queue made anew',
      async () => (await namespace.broker.figures())?.consumers === 1,
      30,
    );
    expect(await worker.stop()).toBe(0);
  });

  async function processed(): Promise<number> {
    const { rows } = await namespace.database.query<{ n: string }>(
      `SELECT count(*) AS n FROM conversation_events WHERE status = 'PROCESSED'`,
    );
    return Number(rows[0].n);
  }
});
