import { conversation } from '../support/conversations';
import { freePort } from '../support/free-port';
import { HttpService, completion, json } from '../support/http-service';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';
import { settledEvent } from '../support/stored';
import { KIND, TraceCollector, type CollectedSpan } from '../support/trace-collector';
import { until } from '../support/until';

const CANARY = 'canary-Xylophon-7431 said the child';

describe('with tracing preloaded', () => {
  let namespace: Namespace;
  let collector: TraceCollector;
  let api: ServiceProcess;
  let worker: ServiceProcess;

  beforeEach(async () => {
    [namespace, collector] = await Promise.all([createNamespace(), TraceCollector.start()]);
  });
  afterEach(async () => {
    await stopAll();
    await collector.stop();
    await namespace.remove();
  });

  async function start(settings: Record<string, string> = {}): Promise<void> {
    const variables = { ...namespace.variables, ...collector.variables, ...settings };
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
  /** Ends the processes, which sends all that was not sent yet. */
  async function ended(): Promise<CollectedSpan[]> {
    expect(await Promise.all([api.stop(), worker.stop()])).toEqual([0, 0]);
    return collector.spans;
  }
  const idOf = (span: CollectedSpan) => span.attributes['messaging.message.id'];
  const childrenOf = (spans: CollectedSpan[], parent: CollectedSpan) =>
    spans.filter(({ parentSpanId }) => parentSpanId === parent.spanId);

  it('a conversation is one trace from its request over the queue to the commit', async () => {
    await start();
    const id = await post();
    await settledEvent(namespace, id);
    const spans = await ended();

    const request = spans.find(({ kind }) => kind === KIND.server)!;
    expect(request).toMatchObject({
      service: 'friendship-api',
      name: 'POST /v1/conversations/end',
      parentSpanId: undefined,
      attributes: { 'http.route': '/v1/conversations/end', 'http.response.status_code': 202 },
    });
    const ofTrace = spans.filter(({ traceId }) => traceId === request.traceId);
    const inRequest = childrenOf(ofTrace, request);
    expect(inRequest.filter(({ kind }) => kind === KIND.client).map(({ attributes }) => attributes)).toEqual([
      expect.objectContaining({ 'db.system.name': 'postgresql', 'db.query.summary': expect.any(String) }),
    ]);
    const published = inRequest.find(({ kind }) => kind === KIND.producer)!;
    expect(published).toMatchObject({
      name: `publish ${namespace.variables.RABBITMQ_EXCHANGE}`,
      attributes: {
        'messaging.system': 'rabbitmq',
        'messaging.operation.name': 'publish',
        'messaging.rabbitmq.destination.routing_key': 'conversation.end',
        'messaging.message.id': id,
      },
    });
    const [processed, ...others] = childrenOf(ofTrace, published);
    expect(others).toEqual([]);
    expect(processed).toMatchObject({
      service: 'friendship-worker',
      kind: KIND.consumer,
      name: `process ${namespace.queue}`,
      status: 0,
      attributes: { 'messaging.destination.name': namespace.queue, 'messaging.message.id': id },
    });
    const statements = childrenOf(ofTrace, processed).map(({ kind, attributes }) => [
      kind,
      attributes['db.query.summary'],
    ]);
    expect(statements).toEqual([
      [KIND.client, 'conversation_events_load_group'],
      [KIND.client, 'conversation_events_apply_score'],
    ]);
    expect(ofTrace).toHaveLength(6);
    // Nothing that the processes did for themselves is in the way.
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([request.traceId]));
  });

  it('a request goes on with the trace of its caller, and its log lines carry it', async () => {
    await start();
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const body = conversation();
    await api.post('/v1/conversations/end', body, { traceparent: `00-${traceId}-b7ad6b7169203331-01` });
    await settledEvent(namespace, body.conversation_id);
    const line = await worker.logged('processed', ({ msg }) => msg === 'processed');
    expect(line).toMatchObject({ trace_id: traceId, conversation_id: body.conversation_id });
    const processed = await collector.span('the processing', ({ kind }) => kind === KIND.consumer);
    expect(processed).toMatchObject({ traceId, spanId: line.span_id });
    expect(worker.log.find(({ msg }) => msg === 'listening')).not.toHaveProperty('trace_id');
  });

  it('a retry stays in the trace, and no word of a child, of an error or of a path leaves the process', async () => {
    // What the database says quotes the child, once when it is counted and always when it is asked.
    await namespace.database.query(`
      CREATE SEQUENCE tries;
      CREATE FUNCTION quote_the_child() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('tries') = 1 THEN RAISE EXCEPTION 'no room for ${CANARY}'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER quoting BEFORE INSERT ON friendship_status FOR EACH ROW EXECUTE FUNCTION quote_the_child();`);
    await start();
    const id = await post({
      user_id: 'child-Xylophon-7431',
      bot_name: CANARY,
      conversation_log: [
        { character: 'BOT', content: CANARY },
        { character: 'USER', content: CANARY },
      ],
    });
    expect(await settledEvent(namespace, id)).toMatchObject({ status: 'PROCESSED', attempt_count: 2 });
    expect((await api.get('/v1/friendship/child-Xylophon-7431?mood=Xylophon-7431')).status).toBe(200);
    expect((await api.get('/Xylophon-7431', { 'user-agent': 'Xylophon-7431', host: 'xylophon-7431' })).status).toBe(
      404,
    );
    expect((await api.post('/v1/conversations/end', { ...conversation(), user_id: CANARY })).status).toBe(422);
    await api.post('/v1/conversations/end', `{"conversation_log": ["${CANARY}"`);
    const spans = await ended();

    const attempts = spans.filter(({ kind, name }) => kind === KIND.consumer && name === `process ${namespace.queue}`);
    expect(attempts).toHaveLength(2);
    const [first, second] = attempts;
    expect(first).toMatchObject({ status: 2, attributes: { 'error.type': 'P0001', 'messaging.message.id': id } });
    expect(second).toMatchObject({ status: 0, traceId: first.traceId });
    const delayed = spans.find(({ spanId }) => spanId === second.parentSpanId)!;
    expect(delayed).toMatchObject({
      name: `publish ${namespace.queue}.retry.200ms`,
      kind: KIND.producer,
      parentSpanId: first.spanId,
      traceId: first.traceId,
    });
    expect(spans.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'GET /v1/friendship/:user_id',
        'GET',
        'POST /v1/conversations/end',
        'conversation_events_apply_score',
      ]),
    );
    expect(collector.text).not.toMatch(/xylophon/i);
    expect([...api.lines, ...worker.lines].join('\n')).not.toContain(CANARY);
  });

  it('a commit of several messages stands in the trace of one of them, and the others and it link to each other', async () => {
    await start({ COMMIT_GROUP_SIZE: '10', MESSAGE_CONCURRENCY_PER_WORKER: '10' });
    const lock = await namespace.database.connect();
    await lock.query('BEGIN');
    await lock.query('LOCK TABLE friendship_status IN ACCESS EXCLUSIVE MODE');
    const ids = await Promise.all(Array.from({ length: 10 }, (_, index) => post({ user_id: `child-${index}` })));
    await until('all ten to be in flight', async () => (await worker.get('/metrics')).text.match(/in_flight\S* 10\n/));
    await lock.query('ROLLBACK');
    lock.release();
    for (const id of ids) await settledEvent(namespace, id);
    const spans = await ended();

    const consumed = spans.filter(({ kind }) => kind === KIND.consumer);
    expect(new Set(consumed.map(idOf))).toEqual(new Set(ids));
    const commits = spans.filter(({ name }) => name === 'commit group');
    expect(commits.length).toBeGreaterThan(0);
    for (const commit of commits) {
      const owner = consumed.find(({ spanId }) => spanId === commit.parentSpanId)!;
      expect(owner.traceId).toBe(commit.traceId);
      expect(commit.links).toHaveLength(Number(commit.attributes['messaging.batch.message_count']) - 1);
      for (const link of commit.links) {
        const other = consumed.find(({ spanId }) => spanId === link.spanId)!;
        expect(other.links.map(({ spanId }) => spanId)).toContain(commit.spanId);
      }
      expect(childrenOf(spans, commit).map(({ attributes }) => attributes['db.query.summary'])).not.toEqual([]);
    }
    // Every statement is somebody's: none landed in the trace of a neighbour that was just there.
    const statements = spans.filter(
      ({ service, attributes }) => service === 'friendship-worker' && attributes['db.system.name'],
    );
    for (const statement of statements) {
      const parent = spans.find(({ spanId }) => spanId === statement.parentSpanId);
      expect(parent).toMatchObject({ traceId: statement.traceId });
    }
  });

  it('calls to external services are in the trace of the conversation that needs them, also of one that had to wait', async () => {
    const llm = await HttpService.start(json(completion({ user_initiated_questions: 2, session_emotion: 'happy' })));
    let ids: string[] = [];
    try {
      await start({
        ANALYSIS_LLM_URL: `${llm.url}/v1`,
        ANALYSIS_LLM_MODEL: 'small',
        ANALYSIS_LLM_CONCURRENCY: '1',
        ANALYSIS_CONCURRENCY_PER_WORKER: '10',
      });
      ids = await Promise.all(Array.from({ length: 5 }, () => post()));
      for (const id of ids) await settledEvent(namespace, id);
    } finally {
      await llm.stop();
    }
    const spans = await ended();
    const calls = spans.filter(({ kind, name }) => kind === KIND.client && name === 'POST ANALYSIS_LLM');
    const callers = calls.map(({ traceId, parentSpanId }) => {
      const caller = spans.find(({ spanId }) => spanId === parentSpanId)!;
      expect(caller).toMatchObject({ traceId, kind: KIND.consumer });
      return idOf(caller);
    });
    expect(callers.sort()).toEqual(ids.sort());
    expect(llm.requests.map(({ headers }) => String(headers.traceparent).slice(3, 35)).sort()).toEqual(
      calls.map(({ traceId }) => traceId).sort(),
    );
  });

  it('what the sampler leaves out is not exported, and its log lines can be found by the trace all the same', async () => {
    await start({ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' });
    const id = await post();
    await settledEvent(namespace, id);
    const line = await worker.logged('processed', ({ msg }) => msg === 'processed');
    expect(line.trace_id).toMatch(/^[0-9a-f]{32}$/);
    expect(await ended()).toEqual([]);
  });

  it.each([
    ['is away', async () => `http://127.0.0.1:${await freePort()}`],
    [
      'never answers',
      () => {
        collector.hang();
        return Promise.resolve(collector.url);
      },
    ],
  ])('a collector that %s costs spans and one line in the log, and nothing else', async (_what, url) => {
    await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: await url(),
      OTEL_EXPORTER_OTLP_TIMEOUT: '500',
      OTEL_BSP_MAX_QUEUE_SIZE: '50',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '10',
    });
    const ids: string[] = [];
    for (let index = 0; index < 40; index++) ids.push(await post());
    for (const id of ids) expect(await settledEvent(namespace, id)).toMatchObject({ status: 'PROCESSED' });
    await worker.logged('spans were not exported', ({ msg }) => msg === 'spans were not exported');
    const stopped = await Promise.all([api.stop(), worker.stop()]);
    expect(stopped).toEqual([0, 0]);
    for (const { log } of [api, worker]) {
      expect(log.filter(({ msg }) => msg === 'spans were not exported').length).toBeLessThanOrEqual(1);
      expect(log.at(-1)).toMatchObject({ msg: 'stopped' });
    }
  });

  it('a wrong setting is refused with what was expected', async () => {
    const wrong = {
      OTEL_TRACES_EXPORTER: 'zipkin',
      OTEL_TRACES_SAMPLER: 'sometimes',
      OTEL_TRACES_SAMPLER_ARG: '7',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318',
    };
    const service = ServiceProcess.spawn('worker', { ...namespace.variables, ...collector.variables, ...wrong });
    expect(await service.ended()).toBe(1);
    expect(service.lines.join('\n')).toMatch(
      /OTEL_TRACES_EXPORTER: expected one of otlp \| console \| none, got "zipkin"/,
    );
    for (const name of Object.keys(wrong)) expect(service.lines.join('\n')).toContain(`${name}: expected `);
  });
});

describe('without tracing', () => {
  it.each<[string, Record<string, string>, string]>([
    ['nothing is preloaded', {}, ''],
    ['it is switched off', { OTEL_SDK_DISABLED: 'true' }, '--require=./dist/observability/tracing.js'],
  ])('nothing of OpenTelemetry is loaded but what prom-client brings: %s', async (_what, settings, preload) => {
    const namespace = await createNamespace(settings);
    try {
      const NODE_OPTIONS = `${preload} --require=./test/support/preload/loaded.cjs`;
      const all = await ServiceProcess.start('all', { ...namespace.variables, NODE_OPTIONS });
      await all.ready();
      const body = conversation();
      await all.post('/v1/conversations/end', body);
      await settledEvent(namespace, body.conversation_id);
      const line = await all.logged('processed', ({ msg }) => msg === 'processed');
      expect(line).not.toHaveProperty('trace_id');
      expect(await all.stop()).toBe(0);
      const loaded = all.lines
        .find((line) => line.startsWith('loaded: '))!
        .slice(8)
        .split(' ');
      expect(loaded).toContain('pg');
      // prom-client's CPU counter looks for a trace to give as an example.
      expect(loaded.filter((name) => name.startsWith('@opentelemetry/'))).toEqual(['@opentelemetry/api']);
    } finally {
      await stopAll();
      await namespace.remove();
    }
  });
});
