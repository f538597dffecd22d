import type { FastifyInstance } from 'fastify';
import { CodedError } from '../errors/coded-error';
import { unauthorized } from './api-key.guard';
import type { ApiKeys } from './api-keys';
import { toProblem } from './problem';
import { answer } from './problem.filter';

/** Answers what the headers alone make a refusal, before any byte of a body is read. */
export function refuseBeforeBody(server: FastifyInstance, keys: ApiKeys): void {
  server.addHook('onRequest', (request, reply, done) => {
    // No route that takes a body is public; what has no route is answered as ever.
    const refusal = request.method === 'POST' && !request.is404 ? refusalOf(request.headers) : undefined;
    if (refusal) void answer(reply, toProblem(refusal.code, refusal.message));
    else done();
  });

  function refusalOf(headers: Parameters<ApiKeys['accept']>[0]): CodedError | undefined {
    if (!keys.accept(headers)) return unauthorized();
    const encoding = headers['content-encoding'] ?? 'identity';
    if (encoding.toLowerCase() === 'identity') return undefined;
    return new CodedError('UNSUPPORTED_MEDIA_TYPE', 'Expected a body without Content-Encoding, got a compressed one.');
  }
}
