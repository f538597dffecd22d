import { ERROR_CATALOGUE } from '../../src/errors/coded-error';
import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';

interface Schema {
  type?: string;
  example?: unknown;
  required?: string[];
  properties?: Record<string, Schema>;
}
interface Content {
  schema?: Schema;
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
}
interface Operation {
  summary?: string;
  requestBody?: { content: Record<string, Content> };
  responses: Record<string, { description?: string; content?: Record<string, Content> }>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
}

describe('the API docs', () => {
  let namespace: Namespace;
  let api: ServiceProcess;
  let document: Document;

  beforeAll(async () => {
    namespace = await createNamespace();
    api = await ServiceProcess.start('api', namespace.variables);
    await api.ready();
    document = (await api.get<Document>('/docs-json')).body;
  });
  afterAll(async () => {
    const code = await api.stop();
    await stopAll();
    await namespace.remove();
    expect(code).toBe(0);
  });

  const operations = () =>
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
    );

  /** What a reader of the docs would send: the examples, and what is made of the fields' own. */
  function examplesOf({ example, examples, schema }: Content): unknown[] {
    const given = [
      ...(example === undefined ? [] : [example]),
      ...Object.values(examples ?? {}).map(({ value }) => value),
    ];
    return schema ? [...given, exampleOf(schema)] : given;
  }
  function exampleOf({ example, properties }: Schema): unknown {
    if (example !== undefined) return example;
    if (!properties) return undefined;
    return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, exampleOf(schema)]));
  }

  it('are a page with everything it needs', async () => {
    const page = await api.get('/docs');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toMatch(/^text\/html/);
    const assets = [...page.text.matchAll(/(?:src|href)="(?:\.\/)?(?:docs\/)?([\w./-]+\.(?:js|css))"/g)].map(
      ([, name]) => name,
    );
    expect(assets.length).toBeGreaterThan(2);
    for (const asset of assets) expect((await api.get(`/docs/${asset}`)).status).toBe(200);
  });

  it('list every route once, under /v1', () => {
    expect(document.openapi).toMatch(/^3\./);
    const names = operations().map(({ name }) => name);
    expect(names.filter((name) => !name.includes(' /health')).sort()).toEqual([
      'GET /v1/conversations',
      'GET /v1/conversations/{conversation_id}',
      'GET /v1/friendship/{user_id}',
      'POST /v1/conversations/end',
      'POST /v1/conversations/{conversation_id}/score',
      'POST /v1/friendship/status',
    ]);
    expect(names).toEqual(expect.arrayContaining(['GET /health', 'GET /health/live', 'GET /health/ready']));
  });

  it('show for each route a summary, an answer with an example, and its errors with their codes', () => {
    const documented = new Set<string>();
    for (const { name, operation } of operations()) {
      expect({ name, summary: operation.summary }).toEqual({ name, summary: expect.stringMatching(/./) });
      if (name.includes(' /health')) continue;
      const responses = Object.entries(operation.responses);
      const good = responses.filter(([status]) => status.startsWith('2'));
      expect({ name, good: good.map(([, { content }]) => content?.['application/json'].example) }).toEqual({
        name,
        good: [expect.any(Object)],
      });
      for (const [status, { content }] of responses.filter(([each]) => !each.startsWith('2'))) {
        const problem = content?.['application/problem+json'].example as { code: string; status: number };
        expect(ERROR_CATALOGUE).toHaveProperty(problem.code);
        expect(problem.status).toBe(Number(status));
        documented.add(problem.code);
      }
    }
    // These can meet any request.
    const anywhere = ['BAD_REQUEST', 'ROUTE_NOT_FOUND', 'INTERNAL_ERROR'];
    // The operators' page is no part of the API; only its routes answer this.
    const elsewhere = [...anywhere, 'FORBIDDEN'];
    const missing = Object.keys(ERROR_CATALOGUE).filter((code) => !documented.has(code) && !elsewhere.includes(code));
    expect(missing).toEqual([]);
  });

  it('list the errors of conversations/end that the contract names', () => {
    const { responses } = document.paths['/v1/conversations/end'].post;
    expect(Object.keys(responses)).toEqual(
      expect.arrayContaining(['202', '400', '401', '409', '413', '415', '422', '503']),
    );
  });

  it('name every field of conversations/end', () => {
    const { schema } = document.paths['/v1/conversations/end'].post.requestBody!.content['application/json'];
    const { conversation_log: _log, ...rest } = conversation();
    expect([...schema!.required!].sort()).toEqual(Object.keys(rest).sort());
    expect(Object.keys(schema!.properties!)).toEqual(
      expect.arrayContaining(['agent_tag', 'conversation_log', 'metadata']),
    );
    expect(Object.keys(schema!.properties!.metadata.properties!).sort()).toEqual([
      'new_memories_count',
      'session_emotion',
      'user_initiated_questions',
    ]);
  });

  it('give examples of requests that the service takes', async () => {
    const body = document.paths['/v1/conversations/end'].post.requestBody!.content['application/json'];
    const examples = examplesOf(body);
    expect(examples.length).toBeGreaterThan(0);
    for (const [index, example] of examples.entries()) {
      const answer = await api.post('/v1/conversations/end', {
        ...(example as object),
        conversation_id: `conv-docs-${index}`,
      });
      expect({ example, status: answer.status, text: answer.text }).toMatchObject({ status: 202 });
      expect(answer.body.data).toMatchObject({ agent_tag: expect.any(String) });
    }
    const friendship = document.paths['/v1/friendship/status'].post.requestBody!.content['application/json'];
    for (const example of examplesOf(friendship)) {
      // Nothing is known of that child; a body that is not as expected would be a 422.
      expect((await api.post('/v1/friendship/status', example)).status).toBe(404);
    }
  });

  it('are not served by a worker', async () => {
    const worker = await ServiceProcess.start('worker', namespace.variables);
    expect((await worker.get('/docs')).status).toBe(404);
    expect((await worker.get('/docs-json')).status).toBe(404);
    expect(await worker.stop()).toBe(0);
  });
});
