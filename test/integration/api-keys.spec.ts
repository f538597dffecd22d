import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { expectProblem } from '../support/problem';
import { rawHttp } from '../support/raw-http';
import { ServiceProcess, stopAll } from '../support/service-process';
import { storedEvent } from '../support/stored';

const FIRST = 'first-key-0123456789';
const SECOND = 'Second+Key/9876543210=';

describe('with API keys', () => {
  let namespace: Namespace;
  let api: ServiceProcess;

  beforeAll(async () => {
    namespace = await createNamespace({ API_KEYS: `${FIRST}, ${SECOND}` });
    api = await ServiceProcess.start('api', namespace.variables);
    await api.ready();
  });
  afterAll(async () => {
    const code = await api.stop();
    await stopAll();
    await namespace.remove();
    expect(code).toBe(0);
  });

  it.each<[string, Record<string, string>]>([
    ['the first in X-API-Key', { 'x-api-key': FIRST }],
    ['the second in X-API-Key', { 'X-API-KEY': SECOND }],
    ['the first as a bearer token', { authorization: `Bearer ${FIRST}` }],
    ['the second as a bearer token', { authorization: `bearer ${SECOND}` }],
  ])('%s opens', async (_what, headers) => {
    expect((await api.post('/v1/conversations/end', conversation(), headers)).status).toBe(202);
    expect((await api.get('/v1/conversations', headers)).status).toBe(200);
  });

  it.each<[string, Record<string, string>]>([
    ['none', {}],
    ['an empty one', { 'x-api-key': '' }],
    ['a wrong one', { 'x-api-key': 'wrong-key-0123456789' }],
    ['one without its last character', { 'x-api-key': FIRST.slice(0, -1) }],
    ['one with a character more', { 'x-api-key': `${FIRST}0` }],
    ['one in other case', { 'x-api-key': FIRST.toUpperCase() }],
    ['both at once', { 'x-api-key': `${FIRST}, ${SECOND}` }],
    ['a wrong bearer token', { authorization: 'Bearer wrong-key-0123456789' }],
    ['a bearer token without its last character', { authorization: `Bearer ${SECOND.slice(0, -1)}` }],
    ['one without the word Bearer', { authorization: FIRST }],
    ['one as Basic', { authorization: `Basic ${Buffer.from(`:${FIRST}`).toString('base64')}` }],
    ['one in the wrong header', { 'api-key': FIRST }],
  ])('%s is a 401 on every route, with or without /v1, and stores nothing', async (_what, headers) => {
    const body = conversation();
    for (const prefix of ['/v1', '']) {
      const answers = await Promise.all([
        api.post(`${prefix}/conversations/end`, body, headers),
        api.get(`${prefix}/conversations`, headers),
        api.get(`${prefix}/conversations/conv-1?include=conversation_log`, headers),
        api.post(`${prefix}/conversations/conv-1/score`, {}, headers),
        api.get(`${prefix}/friendship/child-1`, headers),
        api.post(`${prefix}/friendship/status`, { user_id: 'child-1' }, headers),
      ]);
      for (const answer of answers) {
        expectProblem(answer, 'UNAUTHORIZED');
        expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
      }
    }
    expect(await storedEvent(namespace, body.conversation_id)).toBeUndefined();
  });

  it('a key in the query is not looked at', async () => {
    expectProblem(await api.get(`/v1/conversations?api_key=${FIRST}&x-api-key=${FIRST}`), 'UNAUTHORIZED');
  });

  it('is asked for before a byte of the body is read', async () => {
    const { host } = new URL(api.url);
    // The body never comes: whoever waited for it would not answer.
    const said = await rawHttp(
      api.url,
      `POST /v1/conversations/end HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
        'Content-Length: 5000000\r\n\r\n{"conversation_id":',
    );
    expect(said).toMatch(/^HTTP\/1\.1 401 /);
    expect(said).toContain('"code":"UNAUTHORIZED"');
  });

  it('health asks for none', async () => {
    for (const path of ['/health', '/health/live', '/health/ready']) {
      expect((await api.get(path)).status).toBe(200);
      expect((await api.get(path, { 'x-api-key': 'wrong-key-0123456789' })).status).toBe(200);
    }
  });

  it('none of them is ever logged', () => {
    expect(api.lines.filter((line) => line.includes(FIRST) || line.includes(SECOND))).toEqual([]);
  });
});

describe('in production', () => {
  let namespace: Namespace;
  let variables: Record<string, string>;

  beforeAll(async () => {
    namespace = await createNamespace();
    variables = { ...namespace.variables, NODE_ENV: 'production' };
  });
  afterAll(async () => {
    await stopAll();
    await namespace.remove();
  });

  it.each(['api', 'all'])('the role %s does not start without a key', async (role) => {
    const service = ServiceProcess.spawn(role, variables);
    expect(await service.ended()).toBe(1);
    expect(service.lines.join('\n')).toMatch(/API_KEYS: expected at least one key .*production.*, got none/);
    expect(service.log).toEqual([]);
  });

  it('a worker needs none', async () => {
    const worker = await ServiceProcess.start('worker', variables);
    await worker.ready();
    expect(await worker.stop()).toBe(0);
  });

  it('an api with a key asks for it', async () => {
    const api = await ServiceProcess.start('api', { ...variables, API_KEYS: FIRST });
    await api.ready();
    expectProblem(await api.get('/v1/conversations'), 'UNAUTHORIZED');
    expect((await api.get('/v1/conversations', { 'x-api-key': FIRST })).status).toBe(200);
    expect(await api.stop()).toBe(0);
  });
});
