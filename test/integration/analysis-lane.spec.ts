import { conversation, turns } from '../support/conversations';
import { HttpService, completion, facts, hang, json, type Reply } from '../support/http-service';
import { insertEvent } from '../support/insert-event';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';
import { settledEvent, storedEvent, type Row } from '../support/stored';
import { Tap } from '../support/tap';
import { until } from '../support/until';

const ALL_SAID = { user_initiated_questions: 0, session_emotion: 'neutral', new_memories_count: 0 };
const SAYS_TWO = json(completion({ user_initiated_questions: 2, session_emotion: 'interesting' }));

/** Two workers' worth of trouble: real servers for all three services, a real broker, a real database. */
describe('conversations that need an external service', () => {
  let namespace: Namespace;
  let llm: HttpService;
  let memory: HttpService;
  let conversations: HttpService;
  let api: ServiceProcess;
  let worker: ServiceProcess;

  beforeEach(async () => {
    [namespace, llm, memory, conversations] = await Promise.all([
      createNamespace({ MESSAGE_CONCURRENCY_PER_WORKER: '4' }),
      HttpService.start(SAYS_TWO),
      HttpService.start(json(facts(1))),
      HttpService.start(json({}, 404)),
    ]);
  });
  afterEach(async () => {
    await stopAll();
    await Promise.all([llm.stop(), memory.stop(), conversations.stop()]);
    await namespace.remove();
  });

  const external = (settings: Record<string, string> = {}): Record<string, string> => ({
    ...namespace.variables,
    ANALYSIS_CONCURRENCY_PER_WORKER: '20',
    ANALYSIS_LLM_URL: `${llm.url}/v1`,
    ANALYSIS_LLM_MODEL: 'small',
    MEMORY_API_URL: memory.url,
    CONVERSATION_API_URL: `${conversations.url}/conversations`,
    CIRCUIT_BREAKER_PAUSE: '300ms',
    ...settings,
  });
  async function start(settings: Record<string, string> = {}): Promise<void> {
    const variables = external(settings);
    [api, worker] = await Promise.all([
      ServiceProcess.start('api', variables),
      ServiceProcess.start('worker', variables),
    ]);
    await Promise.all([api.ready(), worker.ready()]);
  }
  async function post(fields: Record<string, unknown> = {}): Promise<string> {
    const body = conversation(fields);
    expect((await api.post('/v1/conversations/end', body)).status).toBe(202);
    return body.conversation_id;
  }
  const settled = (id: string) => settledEvent(namespace, id);
  const settledAll = (ids: readonly string[]): Promise<Row[]> => Promise.all(ids.map(settled));
  const deadLetter = (id: string) =>
    until(`a dead letter of ${id}`, async () => {
      const { rows } = await namespace.database.query('SELECT * FROM dead_letters WHERE conversation_id = $1', [id]);
      return rows[0] as Row | undefined;
    });

  it('are counted with what the services say', async () => {
    await start();
    const row = await settled(await post());
    expect(row).toMatchObject({ status: 'PROCESSED', attempt_count: 1, friendship_score_change: '29' });
    expect(row.score_breakdown).toMatchObject({
      total_turns: 3,
      sources: { user_initiated_questions: 'llm', session_emotion: 'llm', new_memories_count: 'memory_api' },
      analysis: {
        llm: { status: 'answered', ms: expect.any(Number) },
        memory_api: { status: 'answered', ms: expect.any(Number) },
      },
    });
  });

  it('are routed by need, and only they', async () => {
    const tap = await Tap.open(namespace);
    await start();
    const ids = [
      await post(),
      await post({ metadata: ALL_SAID }),
      await post({ bot_type: 'NEXT_LESSON' }),
      await post({ conversation_log: [{ character: 'BOT', content: 'Anybody there?' }] }),
    ];
    const rows = await settledAll(ids);
    expect(rows.map(({ status }) => status)).toEqual(['PROCESSED', 'PROCESSED', 'SKIPPED', 'PROCESSED']);
    const keys = ids.map((id) => tap.of(id).map(({ fields }) => fields.routingKey));
    expect(keys).toEqual([['conversation.analyse'], ['conversation.end'], ['conversation.end'], ['conversation.end']]);
    expect(rows[1].score_breakdown).toMatchObject({ analysis: { llm: { status: 'skipped' } } });
    expect(llm.requests).toHaveLength(1);
    await tap.close();
  });

  it('are forwarded when they are found in the first queue, with their attempts', async () => {
    await start();
    const id = await insertEvent(namespace, 'child-forwarded');
    await namespace.broker.send({ conversation_id: id }, { messageId: id, headers: { 'x-attempts': 1 } });
    expect(await settled(id)).toMatchObject({ status: 'PROCESSED', friendship_score_change: String(1 + 6 + 15 + 5) });
    const line = await worker.logged('the forwarding', ({ msg }) => msg === 'forwarded');
    expect(line.conversation_id).toBe(id);
    expect(await worker.stop()).toBe(0);
    expect(await worker.logged('the end', ({ msg }) => msg === 'stopped')).toMatchObject({ forwarded: 1, retried: 0 });
  });

  it('are published to their lane by the sweeper, too', async () => {
    const tap = await Tap.open(namespace);
    await start();
    const never = { publish_due_at: '-infinity' };
    const [asks, knows] = await Promise.all([
      insertEvent(namespace, 'child-swept', never),
      insertEvent(namespace, 'child-swept', { ...never, ...ALL_SAID }),
    ]);
    await settledAll([asks, knows]);
    expect(tap.of(asks).map(({ fields }) => fields.routingKey)).toEqual(['conversation.analyse']);
    expect(tap.of(knows).map(({ fields }) => fields.routingKey)).toEqual(['conversation.end']);
    await tap.close();
  });

  it('are fetched where nobody posted them, and stored before they are counted', async () => {
    const body = conversation({ user_id: 'child-fetched', metadata: ALL_SAID });
    conversations.answerWith(json(body));
    await start();
    await namespace.broker.send({ conversation_id: body.conversation_id });
    expect(await settled(body.conversation_id)).toMatchObject({
      status: 'PROCESSED',
      user_id: 'child-fetched',
      friendship_score_change: '3',
    });
    expect(conversations.requests).toMatchObject([{ method: 'GET', path: `/conversations/${body.conversation_id}` }]);
  });

  it.each([
    ['an invalid one', (id: string) => conversation({ conversation_id: id, end_time: 'the words of a child' })],
    ['another one', () => conversation()],
    ['no conversation', () => ['the words of a child']],
  ])('are not taken from an API that answers with %s', async (_what, answer) => {
    const { conversation_id } = conversation();
    conversations.answerWith(json(answer(conversation_id)));
    await start();
    await namespace.broker.send({ conversation_id });
    expect(await deadLetter(conversation_id)).toMatchObject({
      reason: 'ATTEMPTS_EXHAUSTED',
      error_code: 'CONVERSATION_API_UNEXPECTED_ANSWER',
      attempts: 3,
    });
    expect(await storedEvent(namespace, conversation_id)).toBeUndefined();
    expect(worker.lines.join()).not.toContain('words of a child');
  });

  it('that nobody knows, not even the API, end in the dead letters', async () => {
    await start();
    await namespace.broker.send({ conversation_id: 'conv-of-nobody' });
    expect(await deadLetter('conv-of-nobody')).toMatchObject({ reason: 'CONVERSATION_NOT_FOUND', attempts: 3 });
    expect(conversations.requests).toHaveLength(3);
  });

  it('are tried again over their own lane, and nobody is asked twice', async () => {
    memory.answerWith(json('no answer', 422));
    await start();
    const id = await post();
    await worker.logged('the first attempt', ({ msg }) => msg === 'retried');
    memory.answerWith(json(facts(3)));
    expect(await settled(id)).toMatchObject({ status: 'PROCESSED', friendship_score_change: String(3 + 6 + 15 + 15) });
    expect(llm.requests).toHaveLength(1);
    expect(worker.log.filter(({ msg }) => msg === 'forwarded')).toEqual([]);
  });

  it('whose commit fails are not asked about again', async () => {
    await namespace.database.query(`
      CREATE SEQUENCE refusals;
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN IF nextval('refusals') = 1 THEN RAISE EXCEPTION 'no' USING ERRCODE = '40P01'; END IF; RETURN NEW; END$$;
      CREATE TRIGGER refuse BEFORE UPDATE ON conversation_events FOR EACH ROW
        WHEN (NEW.status = 'PROCESSED') EXECUTE FUNCTION refuse();`);
    await start();
    expect(await settled(await post())).toMatchObject({ status: 'PROCESSED', attempt_count: 2 });
    expect([llm.requests.length, memory.requests.length]).toEqual([1, 1]);
  });

  it('end in the dead letters with the reason when a service never gives an answer of the right shape', async () => {
    llm.answerWith(json(completion('The child said: tiger')));
    await start();
    const id = await post();
    expect(await settled(id)).toMatchObject({ status: 'FAILED', last_error_code: 'ANALYSIS_LLM_UNEXPECTED_ANSWER' });
    expect(await deadLetter(id)).toMatchObject({ reason: 'ATTEMPTS_EXHAUSTED', attempts: 3 });
    expect(worker.lines.join()).not.toContain('tiger');
  });

  it('are counted without the service that fails where that is wanted', async () => {
    memory.answerWith(json('', 500));
    await start({ ANALYSIS_ON_FAILURE: 'neutral', MEMORY_API_TIMEOUT: '100ms', MEMORY_API_TRY_TIMEOUT: '100ms' });
    const row = await settled(await post());
    expect(row).toMatchObject({ status: 'PROCESSED', attempt_count: 1, friendship_score_change: '24' });
    expect(row.score_breakdown).toMatchObject({
      sources: { new_memories_count: 'default' },
      analysis: { memory_api: { status: 'failed', ms: expect.any(Number) } },
    });
  });

  it('wait, at the cost of no attempt, while a breaker is open, and go on when it closes', async () => {
    const down: Reply = json('', 501);
    memory.answerWith(down);
    await start({ MEMORY_API_TIMEOUT: '2s', MEMORY_API_TRY_TIMEOUT: '1s' });
    const first = await Promise.all(Array.from({ length: 30 }, () => post()));
    await worker.logged('the open breaker', ({ msg }) => msg === 'the circuit breaker is open');
    const paused = await until('the lane to pause', async () => {
      const { body } = await worker.get<{ details: Record<string, Row> }>('/health/ready');
      const { paused: reason } = body.details.consumers;
      return reason as string | undefined;
    });
    expect(paused).toBe('the circuit breaker of MEMORY_API is open');
    expect((await worker.get('/metrics')).text).toMatch(/^friendship_breaker_state\{service="MEMORY_API"\} [12]$/m);
    // The other lane goes on.
    expect(await settled(await post({ metadata: ALL_SAID }))).toMatchObject({ status: 'PROCESSED' });
    const later = await Promise.all(Array.from({ length: 30 }, () => post()));
    const tried = memory.requests.length;
    // Several pauses long, one call each.
    await until('some more tries', () => memory.requests.length > tried + 3, 20);
    memory.answerWith(json(facts(1)));
    const rows = await settledAll([...first, ...later]);
    expect(rows.filter(({ status }) => status !== 'PROCESSED')).toEqual([]);
    expect(rows.slice(30).map(({ attempt_count }) => attempt_count)).toEqual(Array(30).fill(1));
    expect(
      await worker.logged('the closed breaker', ({ msg }) => msg === 'the circuit breaker has closed'),
    ).toBeTruthy();
    expect((await worker.ready()).url).toBe(worker.url);
    const { text } = await worker.get('/metrics');
    expect(text).toContain('friendship_breaker_state{service="MEMORY_API"} 0\n');
    const tries = (service: string, outcome: string) =>
      Number(
        new RegExp(`duration_seconds_count\\{service="${service}",outcome="${outcome}"\\} (\\d+)`).exec(text)?.[1],
      );
    expect(tries('MEMORY_API', 'ok')).toBe(60);
    expect(tries('MEMORY_API', 'ok') + tries('MEMORY_API', 'SERVER_ERROR')).toBe(memory.requests.length);
    expect(tries('ANALYSIS_LLM', 'ok')).toBe(60);
    expect(llm.requests.length).toBe(60);
  });

  it('hold no connection while they wait', async () => {
    memory.answerWith(hang);
    await start({ DATABASE_POOL_SIZE: '1', MEMORY_API_CONCURRENCY: '20' });
    await Promise.all(Array.from({ length: 20 }, () => post({ metadata: { session_emotion: 'sad' } })));
    await until('all to be asked about', () => memory.requests.length === 20);
    const rows = await settledAll(await Promise.all(Array.from({ length: 5 }, () => post({ metadata: ALL_SAID }))));
    expect(rows.map(({ status }) => status)).toEqual(Array(5).fill('PROCESSED'));
  });

  it('go back to their lane when the worker is told to stop, and lose no attempt', async () => {
    memory.answerWith(hang);
    await start({ SHUTDOWN_TIMEOUT: '1s' });
    const id = await post();
    await until('the question', () => memory.requests.length === 1);
    expect(await worker.stop()).toBe(0);
    expect(worker.log.find(({ msg }) => msg === 'stopped')).toMatchObject({ retried: 1, handedBack: 0 });
    memory.answerWith(json(facts(1)));
    await ServiceProcess.start('worker', external());
    expect(await settled(id)).toMatchObject({ status: 'PROCESSED', attempt_count: 1, friendship_score_change: '29' });
    expect(llm.requests).toHaveLength(1);
  });

  it('of tens of thousands of lines are taken in and counted without anybody waiting for them', async () => {
    await start();
    const id = await post({ conversation_log: turns(20_000), metadata: ALL_SAID });
    expect(await settled(id)).toMatchObject({ status: 'PROCESSED', friendship_score_change: '20000' });
    const malformed = await api.post('/v1/conversations/end', `{"conversation_log": [${'"x",'.repeat(100_000)}`);
    expect([malformed.status, malformed.body.code]).toEqual([400, 'MALFORMED_JSON']);
    const invalid = await api.post('/v1/conversations/end', {
      ...conversation(),
      bot_id: 7,
      conversation_log: turns(20_000),
    });
    expect([invalid.status, invalid.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    expect(invalid.body.errors).toEqual([{ field: 'bot_id', expected: '1 to 255 characters', got: 'a number (7)' }]);
    const asked = await post({ conversation_log: turns(20_000) });
    expect(await settled(asked)).toMatchObject({ status: 'PROCESSED', friendship_score_change: '20026' });
    expect(memory.requests[0].body.length).toBeLessThan(100_000);
    const whole = conversation({ conversation_log: turns(20_000), metadata: ALL_SAID });
    await namespace.broker.send(whole);
    expect(await settled(whole.conversation_id)).toMatchObject({ friendship_score_change: '20000' });
  });
});
