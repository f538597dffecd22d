import { conversation, turns } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';
import { until } from '../support/until';

/** Events, statuses and dead letters as they stand in PostgreSQL. */
describe.each([
  ['a transaction for each message', 1],
  ['grouped commits', 50],
])('a worker with %s', (_how, groupSize) => {
  let namespace: Namespace;
  let api: ServiceProcess;
  let worker: ServiceProcess;

  beforeAll(async () => {
    namespace = await createNamespace({
      MESSAGE_CONCURRENCY_PER_WORKER: '20',
      RABBITMQ_CHANNELS: '2',
      COMMIT_GROUP_SIZE: String(groupSize),
      DATABASE_TIMEOUT: '20s', // 500 posts at once share ten connections, on a machine that may be busy
    });
    [api, worker] = await Promise.all([
      ServiceProcess.start('api', namespace.variables),
      ServiceProcess.start('worker', namespace.variables),
    ]);
    await Promise.all([api.ready(), worker.ready()]);
  });
  afterAll(async () => {
    await Promise.all([api.stop(), worker.stop()]);
    await stopAll();
    await namespace.remove();
  });

  async function event(conversationId: string) {
    const { rows } = await namespace.database.query('SELECT * FROM conversation_events WHERE conversation_id = $1', [
      conversationId,
    ]);
    return rows[0] as Record<string, unknown> | undefined;
  }
  const settled = (conversationId: string) =>
    until(`${conversationId} to be settled`, async () => {
      const row = await event(conversationId);
      return row && row.status !== 'PENDING' ? row : undefined;
    });
  const deadLetter = (conversationId: string | null) =>
    until(`a dead letter of ${conversationId}`, async () => {
      const { rows } = await namespace.database.query(
        'SELECT * FROM dead_letters WHERE conversation_id IS NOT DISTINCT FROM $1',
        [conversationId],
      );
      return rows[0] as Record<string, unknown> | undefined;
    });
  /** Stores an event of one turn without queueing it. */
  async function insertEvent(userId: string): Promise<string> {
    const { conversation_id } = conversation();
    await namespace.database.query(
      `INSERT INTO conversation_events (conversation_id, user_id, bot_id, bot_name, bot_type, start_time, end_time, conversation_log, fingerprint)
       VALUES ($1, $2, 'b', 'B', 'TALK', '2026-11-20T10:00Z', '2026-11-20T10:10Z',
               '[{"speaker":"pika","turn_id":1,"text":"a","timestamp":"x"},{"speaker":"user","turn_id":2,"text":"b","timestamp":"x"}]', $3)`,
      [conversation_id, userId, Buffer.alloc(32)],
    );
    return conversation_id;
  }
  async function scoreOf(userId: string): Promise<number> {
    const { body } = await api.get<{ friendship_score: number }>(`/v1/friendship/${userId}`);
    return body.friendship_score;
  }

  it('counts a posted conversation and keeps its breakdown', async () => {
    const body = conversation({
      user_id: 'child-counted',
      metadata: { user_initiated_questions: 2, session_emotion: 'interesting', new_memories_count: 1 },
    });
    await api.post('/v1/conversations/end', body);
    const row = await settled(body.conversation_id);
    expect(row).toMatchObject({
      status: 'PROCESSED',
      attempt_count: 1,
      friendship_score_change: '29',
      last_error_code: null,
    });
    expect(row.score_breakdown).toMatchObject({
      total_turns: 3,
      questions_score: 6,
      emotion_score: 15,
      memories_score: 5,
    });
    expect(await scoreOf('child-counted')).toBe(29);
  });

  it('loses no update of 500 concurrent conversations of one child', async () => {
    const bodies = Array.from({ length: 500 }, () =>
      conversation({ user_id: 'child-busy', conversation_log: turns(2) }),
    );
    const answers = await Promise.all(bodies.map((body) => api.post('/v1/conversations/end', body)));
    expect(answers.filter(({ status }) => status !== 202)).toEqual([]);
    await until(
      'all 500 to be processed',
      async () => {
        const { rows } = await namespace.database.query(
          `SELECT count(*)::int AS done FROM conversation_events WHERE user_id = 'child-busy' AND status = 'PROCESSED'`,
        );
        return (rows[0] as { done: number }).done === 500;
      },
      30,
    );
    expect(await scoreOf('child-busy')).toBe(1000);
  });

  it('counts nothing for a message that is delivered again after its commit', async () => {
    const body = conversation({ user_id: 'child-again' });
    await api.post('/v1/conversations/end', body);
    await settled(body.conversation_id);
    // What a lost ack leads to: the very same message once more.
    await namespace.broker.send({ conversation_id: body.conversation_id }, { messageId: body.conversation_id });
    await worker.logged(
      'a duplicate',
      (line) => line.msg === 'duplicate' && line.conversation_id === body.conversation_id,
    );
    expect(await scoreOf('child-again')).toBe(3);
    expect(await event(body.conversation_id)).toMatchObject({ attempt_count: 1 });
  });

  it('counts once when two deliveries of one event are worked on at the same time', async () => {
    const id = await insertEvent('child-twice');
    const lock = await namespace.database.connect();
    await lock.query('BEGIN');
    await lock.query('SELECT FROM conversation_events WHERE conversation_id = $1 FOR UPDATE', [id]);
    await namespace.broker.send({ conversation_id: id });
    await namespace.broker.send({ conversation_id: id });
    // In one group, they wait as one.
    await until('both to wait for the row', async () => {
      const { rowCount } = await namespace.database.query(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
      );
      return groupSize > 1 ? rowCount !== 0 : rowCount === 2;
    });
    await lock.query('ROLLBACK');
    lock.release();
    const results = await until('both to end', () => {
      const lines = worker.log.filter((line) => line.conversation_id === id);
      return lines.length === 2 && lines.map(({ msg }) => msg).sort();
    });
    expect(results).toEqual(['duplicate', 'processed']);
    expect(await scoreOf('child-twice')).toBe(1);
  });

  it('accepts a foreign publisher that sends nothing but the id through the default exchange', async () => {
    const id = await insertEvent('child-foreign');
    await namespace.broker.send({ conversation_id: id });
    expect(await settled(id)).toMatchObject({ status: 'PROCESSED', friendship_score_change: '1' });
  });

  it('stores and counts a whole conversation that nobody posted', async () => {
    const body = conversation({ user_id: 'child-whole' });
    await namespace.broker.send(body);
    expect(await settled(body.conversation_id)).toMatchObject({ status: 'PROCESSED', user_id: 'child-whole' });
    expect((await api.post('/v1/conversations/end', body)).body).toMatchObject({ data: { duplicate: true } });
  });

  it('dead-letters a whole conversation under a known id with other content, and leaves the stored one alone', async () => {
    const body = conversation({ user_id: 'child-conflict' });
    await api.post('/v1/conversations/end', body);
    await settled(body.conversation_id);
    await namespace.broker.send({ ...body, bot_name: 'Another' });
    expect(await deadLetter(body.conversation_id)).toMatchObject({
      reason: 'CONVERSATION_CONFLICT',
      settles_event: false,
    });
    expect(await event(body.conversation_id)).toMatchObject({ status: 'PROCESSED', bot_name: 'Dino' });
    expect(await scoreOf('child-conflict')).toBe(3);
  });

  it('stores a skipped bot type without scoring it', async () => {
    const body = conversation({ user_id: 'child-skipped', bot_type: 'next_lesson' });
    await api.post('/v1/conversations/end', body);
    expect(await settled(body.conversation_id)).toMatchObject({ status: 'SKIPPED', friendship_score_change: null });
    expect((await api.get('/v1/friendship/child-skipped')).status).toBe(404);
  });

  it.each([
    ['not JSON', 'this is not json'],
    ['an array', '[]'],
    ['no id', '{}'],
    ['an id that is no id', '{"conversation_id":"ü"}'],
    ['nothing', ''],
    [
      'a whole conversation that is not valid',
      JSON.stringify(conversation({ conversation_id: 'conv-invalid-whole', end_time: '2019' })),
    ],
  ])('dead-letters a body that is %s at once, byte for byte', async (_what, body) => {
    await namespace.broker.send(body);
    const letter = await until('the dead letter', async () => {
      const { rows } = await namespace.database.query('SELECT * FROM dead_letters WHERE body = $1', [
        Buffer.from(body),
      ]);
      return rows[0] as Record<string, unknown> | undefined;
    });
    expect(letter).toMatchObject({
      reason: 'INVALID_MESSAGE',
      attempts: 1,
      state: 'OPEN',
      routing_key: namespace.queue,
    });
  });

  it('retries an unknown conversation and dead-letters it after the last attempt', async () => {
    await namespace.broker.send({ conversation_id: 'conv-nobody-knows' });
    expect(await deadLetter('conv-nobody-knows')).toMatchObject({
      reason: 'CONVERSATION_NOT_FOUND',
      attempts: 3,
      error_code: 'CONVERSATION_NOT_FOUND',
    });
  });

  it('counts a conversation that arrives while its message is being retried', async () => {
    const body = conversation({ user_id: 'child-late' });
    await namespace.broker.send({ conversation_id: body.conversation_id });
    await worker.logged(
      'the first attempt',
      (line) => line.msg === 'retried' && line.conversation_id === body.conversation_id,
    );
    await api.post('/v1/conversations/end', body);
    expect(await settled(body.conversation_id)).toMatchObject({ status: 'PROCESSED' });
    expect(await scoreOf('child-late')).toBe(3);
  });

  describe('when the database refuses an event', () => {
    beforeAll(() =>
      namespace.database.query(`
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
          $$BEGIN RAISE EXCEPTION 'secret words of a child' USING ERRCODE = '40P01'; END$$;
        CREATE TRIGGER refuse BEFORE UPDATE ON conversation_events FOR EACH ROW
          WHEN (OLD.user_id = 'child-refused' AND NEW.status = 'PROCESSED') EXECUTE FUNCTION refuse();`),
    );

    it('retries it with attempts and error codes on the row, then marks it FAILED with a dead letter', async () => {
      const body = conversation({ user_id: 'child-refused' });
      await api.post('/v1/conversations/end', body);
      expect(await settled(body.conversation_id)).toMatchObject({
        status: 'FAILED',
        attempt_count: 3,
        first_error_code: '40P01',
        last_error_code: '40P01',
      });
      expect(await deadLetter(body.conversation_id)).toMatchObject({
        reason: 'ATTEMPTS_EXHAUSTED',
        error_code: '40P01',
        attempts: 3,
        settles_event: true,
      });
      expect((await api.get('/v1/friendship/child-refused')).status).toBe(404);
    });

    it('dead-letters a whole conversation that cannot be stored, after its attempts, and loses nothing of it', async () => {
      await namespace.database.query(`
        CREATE FUNCTION refuse_insert() RETURNS trigger LANGUAGE plpgsql AS
          $$BEGIN RAISE EXCEPTION 'secret words of a child' USING ERRCODE = '40P01'; END$$;
        CREATE TRIGGER refuse_insert BEFORE INSERT ON conversation_events FOR EACH ROW
          WHEN (NEW.user_id = 'child-not-stored') EXECUTE FUNCTION refuse_insert();`);
      const body = conversation({ user_id: 'child-not-stored' });
      await namespace.broker.send(body);
      expect(await deadLetter(body.conversation_id)).toMatchObject({
        reason: 'ATTEMPTS_EXHAUSTED',
        error_code: '40P01',
        attempts: 3,
        settles_event: false,
        body: Buffer.from(JSON.stringify(body)),
      });
    });

    it('counts the others that came with it, each once', async () => {
      const bodies = Array.from({ length: 30 }, (_, index) =>
        conversation({ user_id: index % 10 === 3 ? 'child-refused' : 'child-beside' }),
      );
      const answers = await Promise.all(bodies.map((body) => api.post('/v1/conversations/end', body)));
      expect(answers.filter(({ status }) => status !== 202)).toEqual([]);
      const rows = await Promise.all(bodies.map(({ conversation_id }) => settled(conversation_id)));
      const statuses = rows.map(({ status, attempt_count }) => `${String(status)} ${String(attempt_count)}`);
      expect(statuses).toEqual(bodies.map(({ user_id }) => (user_id === 'child-refused' ? 'FAILED 3' : 'PROCESSED 1')));
      expect(await scoreOf('child-beside')).toBe(27 * 3);
    });

    it('makes no second dead letter when a copy of its message arrives later', async () => {
      const body = conversation({ user_id: 'child-refused' });
      await api.post('/v1/conversations/end', body);
      await settled(body.conversation_id);
      await deadLetter(body.conversation_id);
      await namespace.broker.send({ conversation_id: body.conversation_id });
      await worker.logged(
        'the copy',
        (line) => line.msg === 'duplicate' && line.conversation_id === body.conversation_id,
      );
      const { rowCount } = await namespace.database.query('SELECT FROM dead_letters WHERE conversation_id = $1', [
        body.conversation_id,
      ]);
      expect(rowCount).toBe(1);
    });
  });
});
