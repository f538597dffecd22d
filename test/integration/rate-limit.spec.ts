import { createNamespace, type Namespace } from '../support/namespace';
import { OPERATOR_KEY } from '../support/operator';
import { ServiceProcess, stopAll } from '../support/service-process';

const KEYS = ['first-key-of-a-caller', 'second-key-of-a-caller'];

describe('the limit on requests', () => {
  let namespace: Namespace;
  beforeAll(async () => {
    namespace = await createNamespace({ HTTP_RATE_LIMIT: '3', API_KEYS: KEYS.join(',') });
  });
  afterAll(async () => {
    await stopAll();
    await namespace.remove();
  });

  it.each([
    ['alone', {}],
    ['beside the page for operators', { OPERATOR_KEY }],
  ])('holds for each key apart, and neither for health nor for metrics: an api %s', async (_name, page) => {
    const api = await (await ServiceProcess.start('api', { ...namespace.variables, ...page })).ready();
    const ask = (key: string) => api.get('/v1/conversations', { 'x-api-key': key });
    for (let count = 0; count < 3; count++) expect((await ask(KEYS[0])).status).toBe(200);
    const refused = await ask(KEYS[0]);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('content-type')).toContain('application/problem+json');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.body).toMatchObject({ code: 'TOO_MANY_REQUESTS', status: 429 });
    expect((await ask(KEYS[1])).status).toBe(200);

    // Whoever guesses keys is one caller, whatever keys he brings.
    for (let count = 0; count < 3; count++) expect((await ask(`a-guessed-key-number-${count}`)).status).toBe(401);
    expect((await ask('a-guessed-key-number-4')).status).toBe(429);
    // Also where a key is asked for before the body is read.
    const guessed = { 'x-api-key': 'a-guessed-key-number-5' };
    expect((await api.post('/v1/conversations/end', {}, guessed)).status).toBe(429);

    for (let count = 0; count < 6; count++) {
      expect((await api.get('/health/ready')).status).toBe(200);
      expect((await api.get('/metrics')).status).toBe(200);
    }
  });
});
