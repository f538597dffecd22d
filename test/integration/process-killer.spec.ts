import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { preload } from '../support/preload';
import { ServiceProcess, stopAll } from '../support/service-process';
import { until } from '../support/until';

describe('a message that kills its process', () => {
  let namespace: Namespace;

  beforeEach(async () => {
    namespace = await createNamespace({ MESSAGE_CONCURRENCY_PER_WORKER: '10', DATABASE_STATEMENT_TIMEOUT: '1s' });
  });
  afterEach(async () => {
    await stopAll();
    await namespace.remove();
  });

  it('is dead-lettered unparsed after it killed some workers, and its neighbours are counted once', async () => {
    const api = await ServiceProcess.start('api', namespace.variables);
    await api.ready();
    for (let index = 0; index < 9; index++) {
      await api.post('/v1/conversations/end', conversation({ user_id: `child-${index}` }));
      if (index === 4) await api.post('/v1/conversations/end', conversation({ user_id: 'child-killer' }));
    }
    // What an orchestrator does: a worker that dies is started again.
    const variables = { ...namespace.variables, ...preload('killer') };
    let deaths = 0;
    let worker = ServiceProcess.spawn('worker', variables);
    let watching = true;
    const orchestrator = (async () => {
      while (watching) {
        const ended = await worker.ended();
        if (!watching) break;
        expect(ended).toBe('SIGKILL');
        deaths++;
        worker = ServiceProcess.spawn('worker', variables);
      }
    })();
    const letter = await until(
      'the dead letter',
      async () => {
        const { rows } = await namespace.database.query('SELECT * FROM dead_letters');
        return rows[0] as Record<string, unknown> | undefined;
      },
      35,
    );
    await until('the neighbours to be counted', async () => {
      const { rowCount } = await namespace.database.query(
        `SELECT FROM conversation_events WHERE status = 'PROCESSED' AND attempt_count = 1`,
      );
      return rowCount === 9;
    });
    watching = false;
    expect(letter).toMatchObject({ reason: 'WORKER_CRASHED', settles_event: true, attempts: 4 });
    expect(deaths).toBeGreaterThanOrEqual(4);
    expect(deaths).toBeLessThanOrEqual(6);
    const { rows } = await namespace.database.query(
      `SELECT status, (SELECT count(*)::int FROM suspect_messages) AS suspects,
              (SELECT sum(friendship_score)::int FROM friendship_status) AS score
         FROM conversation_events WHERE user_id = 'child-killer'`,
    );
    // One suspect stays: the killer's own, which never came to an end.
    expect(rows).toEqual([{ status: 'FAILED', suspects: 1, score: 27 }]);
    expect(await worker.stop()).toBe(0);
    await orchestrator;
    expect(await api.stop()).toBe(0);
  });
});
