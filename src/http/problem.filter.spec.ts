import { setImmediate } from 'node:timers/promises';
import { ForbiddenException, NotFoundException, type ArgumentsHost } from '@nestjs/common';
import { CodedError } from '../errors/coded-error';
import { ProblemFilter } from './problem.filter';

/** What a caller is answered when a handler throws this. */
async function answerTo(error: unknown) {
  const sent = { status: 0, type: '', headers: {} as Record<string, string>, body: '' };
  const reply = {
    status: (status: number) => ((sent.status = status), reply),
    type: (type: string) => ((sent.type = type), reply),
    header: (name: string, value: string) => ((sent.headers[name] = value), reply),
    send: (body: string) => ((sent.body = body), reply),
  };
  const filter = new ProblemFilter();
  Object.assign(filter, { logger: { error: () => undefined } });
  filter.catch(error, {
    getType: () => 'http',
    switchToHttp: () => ({ getRequest: () => ({ raw: { readableEnded: true } }), getResponse: () => reply }),
  } as unknown as ArgumentsHost);
  // An answer to a large body waits for the rest of it, which is there in this case.
  await setImmediate();
  return { ...sent, problem: JSON.parse(sent.body) as Record<string, unknown> };
}

const withStatus = (statusCode: number, message = 'I like whales') => Object.assign(new Error(message), { statusCode });

describe('the answer to an error', () => {
  it('is a problem as of RFC 9457, with the fields that are not as expected', async () => {
    const fields = [{ field: 'user_id', expected: '3 to 255 visible ASCII characters', got: 'nothing' }];
    const { status, type, problem } = await answerTo(
      new CodedError('VALIDATION_FAILED', '1 field(s) are not as expected.', fields),
    );
    expect({ status, type }).toEqual({ status: 422, type: 'application/problem+json' });
    expect(problem).toEqual({
      type: 'urn:friendship-service:problem:validation-failed',
      title: 'The request is not valid',
      status: 422,
      detail: '1 field(s) are not as expected.',
      code: 'VALIDATION_FAILED',
      errors: fields,
    });
  });

  it.each([
    ['a body that is not JSON', withStatus(400), 400, 'MALFORMED_JSON'],
    ['a bad Content-Length', withStatus(400, 'Request body size did not match Content-Length'), 400, 'BAD_REQUEST'],
    ['an unknown route', new NotFoundException('Cannot GET /whales'), 404, 'ROUTE_NOT_FOUND'],
    ['a large body', withStatus(413), 413, 'BODY_TOO_LARGE'],
    ['another media type', withStatus(415), 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['any other refusal', new ForbiddenException('whales'), 400, 'BAD_REQUEST'],
    ['a database that is away', Object.assign(new Error('whales'), { code: '57P01' }), 503, 'DATABASE_UNAVAILABLE'],
    ['a driver error', Object.assign(new Error('whales'), { code: '22P02' }), 500, 'INTERNAL_ERROR'],
    ['a bug', new TypeError('whales'), 500, 'INTERNAL_ERROR'],
    ['a thrown text', 'whales', 500, 'INTERNAL_ERROR'],
    ['nothing at all', undefined, 500, 'INTERNAL_ERROR'],
  ])('to %s quotes nothing that a parser or a driver said', async (_about, error, status, code) => {
    const answer = await answerTo(error);
    expect({ status: answer.status, code: answer.problem.code }).toEqual({ status, code });
    expect(answer.body).not.toContain('whales');
  });

  it('tells when to try again while the database is away', async () => {
    const { headers } = await answerTo(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }));
    expect(Number(headers['Retry-After'])).toBeGreaterThan(0);
  });

  it('names the scheme to a caller without a key', async () => {
    expect((await answerTo(new CodedError('UNAUTHORIZED', 'Send a key.'))).headers).toEqual({
      'WWW-Authenticate': 'Bearer',
    });
  });
});
