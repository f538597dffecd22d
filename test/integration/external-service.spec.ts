import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { HttpService, breakOff, drip, hang, json, type Reply } from '../support/http-service';
import { until } from '../support/until';
import { expectShape, parseJson } from '../../src/external-services/expected-answer';
import { ExternalService, type ExternalServiceOptions } from '../../src/external-services/external-service';
import type { ExternalServiceError } from '../../src/external-services/external-service-error';

const WORDS = 'the words of a child';
const SHAPE = z.object({ count: z.number().int().min(0).max(1000), mood: z.enum(['happy', 'sad']).optional() });

describe('an external service', () => {
  let server: HttpService;
  const services: ExternalService[] = [];

  beforeEach(async () => {
    server = await HttpService.start(json({ count: 1 }));
  });
  afterEach(async () => {
    await Promise.all(services.splice(0).map((service) => service.close()));
    await server.stop();
  });

  function connect(options: Partial<ExternalServiceOptions> = {}): ExternalService {
    const service = new ExternalService({
      name: 'MEMORY_API',
      url: `${server.url}/base/`,
      tryTimeout: 2_000,
      timeout: 10_000,
      concurrency: 10,
      breakerPause: 60_000,
      answerLimit: 64 * 1024,
      ...options,
    });
    services.push(service);
    return service;
  }
  const ask = (service: ExternalService) =>
    service.call({
      method: 'POST',
      path: '/ask',
      body: { text: WORDS },
      read: (body) => expectShape(SHAPE, parseJson(body.toString())),
    });
  async function failure(service: ExternalService): Promise<ExternalServiceError> {
    const error = await ask(service).then(
      () => undefined,
      (reason: unknown) => reason as ExternalServiceError,
    );
    expect(error?.name).toBe('ExternalServiceError');
    // Neither what was sent nor what was answered.
    expect(error?.message).not.toMatch(/child|secret/);
    return error as ExternalServiceError;
  }
  /** The first replies in turn, then the last one for ever. */
  const inTurn =
    (...replies: Reply[]): Reply =>
    (response, request, index) =>
      replies[Math.min(index, replies.length - 1)](response, request, index);
  const status = (code: number, headers: Record<string, string> = {}) => json({ secret: WORDS }, code, headers);

  it('sends JSON below the base path and reads the answer', async () => {
    expect(await ask(connect({ headers: { authorization: 'Bearer key' } }))).toEqual({ count: 1 });
    expect(server.requests).toMatchObject([
      {
        method: 'POST',
        path: '/base/ask',
        headers: { 'content-type': 'application/json', authorization: 'Bearer key' },
        body: JSON.stringify({ text: WORDS }),
      },
    ]);
  });

  it.each([
    ['hangs', hang],
    ['sends a byte now and then', drip],
  ])('gives a try up when the service %s, and tries again', async (_what, reply) => {
    server.answerWith(inTurn(reply, json({ count: 2 })));
    expect(await ask(connect({ tryTimeout: 100 }))).toEqual({ count: 2 });
    expect(server.requests).toHaveLength(2);
  });

  it('gives up when all tries together take too long', async () => {
    server.answerWith(hang);
    const error = await failure(connect({ tryTimeout: 150, timeout: 200 }));
    expect(error.code).toBe('MEMORY_API_TIMEOUT');
    expect(error.message).toBe('MEMORY_API: expected an answer within 150 ms a try and 200 ms in all, got none');
  });

  it.each([
    ['429', status(429)],
    ['500', status(500)],
    ['503', status(503)],
    ['a connection that breaks', breakOff],
  ])('tries again after %s', async (_what, reply) => {
    server.answerWith(inTurn(reply, json({ count: 3 })));
    expect(await ask(connect())).toEqual({ count: 3 });
  });

  it('tries three times, no more', async () => {
    server.answerWith(status(503));
    expect((await failure(connect())).code).toBe('MEMORY_API_SERVER_ERROR');
    expect(server.requests).toHaveLength(3);
  });

  it('waits as long as the service asks for', async () => {
    const times: number[] = [];
    server.answerWith((response, request, index) => {
      times.push(performance.now());
      return inTurn(status(429, { 'retry-after': '1' }), json({ count: 4 }))(response, request, index);
    });
    expect(await ask(connect())).toEqual({ count: 4 });
    expect(times[1] - times[0]).toBeGreaterThanOrEqual(990);
  });

  it('does not wait for a service that asks for more time than the call has', async () => {
    server.answerWith(status(429, { 'retry-after': '3600' }));
    const error = await failure(connect());
    expect(error.code).toBe('MEMORY_API_RATE_LIMITED');
    expect(error.options.retryAfter).toBe(3_600_000);
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    ['400', status(400), 'REFUSED', 'expected status 200, got 400'],
    ['401', status(401), 'DENIED', 'expected status 200, got 401'],
    ['404', status(404), 'DENIED', 'expected status 200, got 404'],
    ['no JSON', json(`<html>${WORDS}`), 'UNEXPECTED_ANSWER', 'the answer: expected JSON, got a text of 26 characters'],
    [
      'another shape',
      json({ count: WORDS }),
      'UNEXPECTED_ANSWER',
      'the answer.count: Invalid input: expected number, received string, got a string of 20 characters',
    ],
    [
      'an unknown word',
      json({ count: 1, mood: WORDS }),
      'UNEXPECTED_ANSWER',
      'the answer.mood: Invalid option: expected one of "happy"|"sad", got a string of 20 characters',
    ],
    [
      'too large an answer',
      json({ secret: 'x'.repeat(70_000) }),
      'TOO_LARGE',
      'expected at most 65536 bytes, got more',
    ],
  ])('is asked once when it answers with %s', async (_what, reply, kind, message) => {
    server.answerWith(reply);
    const error = await failure(connect());
    expect(error.code).toBe(`MEMORY_API_${kind}`);
    expect(error.message).toBe(`MEMORY_API: ${message}`);
    expect(server.requests).toHaveLength(1);
  });

  it('follows no redirect: what is sent stays with the configured host', async () => {
    const other = await HttpService.start(json({ count: 5 }));
    for (const code of [301, 302, 307, 308]) {
      server.answerWith(status(code, { location: `${other.url}/base/ask` }));
      expect((await failure(connect())).code).toBe('MEMORY_API_REDIRECTED');
    }
    expect(other.requests).toEqual([]);
    await other.stop();
  });

  it('says so when there is nobody', async () => {
    const service = connect({ url: 'http://127.0.0.1:1' });
    const error = await failure(service);
    expect(error.code).toBe('MEMORY_API_UNREACHABLE');
    expect((error.cause as { code: string }).code).toBe('ECONNREFUSED');
  });

  it('takes a 404 for an answer where the caller says what it means', async () => {
    server.answerWith(status(404));
    const call = { method: 'GET', path: '/x', read: () => 'there', absent: () => 'absent' } as const;
    expect(await connect().call(call)).toBe('absent');
  });

  it('has no more calls under way than it may, and serves the others in turn', async () => {
    server.answerWith(async (response, request, index) => {
      await delay(20);
      await json({ count: index })(response, request, index);
    });
    const service = connect({ concurrency: 4 });
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(service)));
    expect(answers).toHaveLength(20);
    expect(server.mostOpen).toBe(4);
  });

  it('does not count the wait for a free place', async () => {
    server.answerWith(async (response, request, index) => {
      await delay(100);
      await json({ count: index })(response, request, index);
    });
    const service = connect({ concurrency: 1, tryTimeout: 1_000, timeout: 1_000 });
    expect(await Promise.all(Array.from({ length: 12 }, () => ask(service)))).toHaveLength(12);
  });

  it('ends what is under way when it is told to, and takes no more', async () => {
    server.answerWith(hang);
    const service = connect();
    const waiting = failure(service);
    await until('the request', () => server.requests.length === 1);
    service.abort();
    expect((await waiting).code).toBe('MEMORY_API_ABORTED');
    expect((await failure(service)).code).toBe('MEMORY_API_ABORTED');
  });

  describe('that keeps failing', () => {
    const failTwelveTimes = async (service: ExternalService) => {
      server.answerWith(status(501));
      const errors = await Promise.all(Array.from({ length: 12 }, () => failure(service)));
      return errors.map(({ failure: kind }) => kind);
    };

    it('is left alone', async () => {
      const service = connect();
      const changes: string[] = [];
      service.recovery.onChange((state) => changes.push(state));
      await failTwelveTimes(service);
      const asked = server.requests.length;
      const error = await failure(service);
      expect(error.code).toBe('MEMORY_API_CIRCUIT_OPEN');
      expect(server.requests).toHaveLength(asked);
      expect([service.recovery.open, changes]).toEqual([true, ['open']]);
    });

    it('is tried by one of those who wait, and opens to all when it answers', async () => {
      const service = connect({ breakerPause: 200 });
      await failTwelveTimes(service);
      const asked = server.requests.length;
      server.answerWith(json({ count: 6 }));
      const waiting = Array.from({ length: 5 }, async () => {
        await service.recovery.wait(AbortSignal.timeout(10_000));
        return ask(service);
      });
      expect(await Promise.all(waiting)).toEqual(Array(5).fill({ count: 6 }));
      expect(service.recovery.open).toBe(false);
      expect(server.requests.length - asked).toBe(5);
    });

    it('is left alone again when the one that tried it failed', async () => {
      const service = connect({ breakerPause: 1_000 });
      await failTwelveTimes(service);
      const asked = server.requests.length;
      await service.recovery.wait(AbortSignal.timeout(10_000));
      expect((await failure(service)).code).toBe('MEMORY_API_CIRCUIT_OPEN');
      expect(server.requests.length - asked).toBe(1);
      expect(service.recovery.open).toBe(true);
    });

    it('is to be tried when the pause is over and nobody waits', async () => {
      const service = connect({ breakerPause: 50 });
      const changes: string[] = [];
      service.recovery.onChange((state) => changes.push(state));
      await failTwelveTimes(service);
      await until('the wish for a try', () => changes.includes('to be tried'));
    });

    it('lets nobody wait longer than they want to', async () => {
      const service = connect();
      await failTwelveTimes(service);
      const controller = new AbortController();
      const waiting = service.recovery.wait(controller.signal);
      controller.abort(new Error('enough'));
      await expect(waiting).rejects.toThrow('enough');
    });
  });

  it('is not given up for what is wrong with single requests', async () => {
    const service = connect();
    server.answerWith(status(422));
    await Promise.all(Array.from({ length: 15 }, () => failure(service)));
    expect(service.recovery.open).toBe(false);
  });
});
