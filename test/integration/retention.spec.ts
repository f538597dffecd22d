import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';
import { until } from '../support/until';

describe('with CONVERSATION_RETENTION_DAYS = 30', () => {
  let namespace: Namespace;

  beforeAll(async () => {
    namespace = await createNamespace();
  });
  afterAll(async () => {
    await stopAll();
    await namespace.remove();
  });

  it('texts of old settled conversations and dead letters are purged, and a repeated post is still recognised', async () => {
    const [api, first] = await Promise.all([
      ServiceProcess.start('api', namespace.variables),
      ServiceProcess.start('worker', namespace.variables),
    ]);
    await Promise.all([api.ready(), first.ready()]);
    const [old, recent] = [conversation({ user_id: 'child-old' }), conversation({ user_id: 'child-recent' })];
    for (const body of [old, recent]) await api.post('/v1/conversations/end', body);
    await namespace.broker.send('not json');
    await until('all to be settled', async () => {
      const { rows } = await namespace.database.query(
        `SELECT (SELECT count(*)::int FROM conversation_events WHERE status = 'PROCESSED') AS events,
                (SELECT count(*)::int FROM dead_letters) AS letters`,
      );
      return JSON.stringify(rows[0]) === '{"events":2,"letters":1}';
    });
    expect(await first.stop()).toBe(0);
    await namespace.database.query(
      `UPDATE conversation_events SET accepted_at = now() - interval '31 days' WHERE user_id = 'child-old'`,
    );
    await namespace.database.query(
      `INSERT INTO conversation_events (conversation_id, user_id, bot_id, bot_name, bot_type, start_time, end_time,
                                        conversation_log, fingerprint, accepted_at, publish_due_at)
       SELECT 'conv-pending', user_id, bot_id, bot_name, bot_type, start_time, end_time, '[]', fingerprint, accepted_at, 'infinity'
         FROM conversation_events WHERE user_id = 'child-old'`,
    );
    await namespace.database.query(`UPDATE dead_letters SET recorded_at = now() - interval '31 days'`);

    const second = await ServiceProcess.start('worker', { ...namespace.variables, CONVERSATION_RETENTION_DAYS: '30' });
    const line = await second.logged('the purge', ({ msg }) => msg === 'texts purged');
    expect(line).toMatchObject({ events: 1, dead_letters: 1 });
    const { rows } = await namespace.database.query(
      `SELECT user_id, status, conversation_log IS NULL AS purged, friendship_score_change::int AS change
         FROM conversation_events ORDER BY conversation_id = 'conv-pending', user_id`,
    );
    expect(rows).toEqual([
      { user_id: 'child-old', status: 'PROCESSED', purged: true, change: 3 },
      { user_id: 'child-recent', status: 'PROCESSED', purged: false, change: 3 },
      { user_id: 'child-old', status: 'PENDING', purged: false, change: null },
    ]);
    expect((await api.post('/v1/conversations/end', old)).body).toMatchObject({ data: { duplicate: true } });
    expect((await api.post(`/v1/conversations/${old.conversation_id}/score`)).body).toMatchObject({
      friendship_score_change: 3,
    });

    // Nothing is left for a second worker on the same day.
    const third = await ServiceProcess.start('worker', { ...namespace.variables, CONVERSATION_RETENTION_DAYS: '30' });
    await third.ready();
    expect(third.log.some(({ msg }) => msg === 'texts purged')).toBe(false);
    expect(await Promise.all([second.stop(), third.stop(), api.stop()])).toEqual([0, 0, 0]);
  });
});
