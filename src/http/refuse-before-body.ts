import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { CodedError } from '../errors/coded-error';
import { unauthorized } from './api-key.guard';
import type { ApiKeys } from './api-keys';
import { toProblem } from './problem';
import { answer } from './problem.filter';

/** The largest body of the operators' page, bytes: a thousand numbers of dead letters. */
const OPERATORS_BODY = 64 * 1024;

/** Answers what the headers alone make a refusal, before any byte of a body is read. */
export function refuseBeforeBody(server: FastifyInstance, keys: ApiKeys): void {
  server.addHook('onRequest', (request, reply, done) => {
    // No route that takes a body is public; what has no route is answered as ever.
    const { method, headers, routeOptions } = request;
    const takesBody = method !== 'GET' && method !== 'HEAD' && !request.is404;
    const isOperators = routeOptions.url?.startsWith('/ops/') === true;
    const refusal = takesBody ? (isOperators ? refusalOfOperator(headers) : refusalOf(headers)) : undefined;
    if (refusal) void answer(reply, toProblem(refusal.code, refusal.message));
    else done();
  });

  function refusalOf(headers: IncomingHttpHeaders): CodedError | undefined {
    if (!keys.accept(headers)) return unauthorized();
    return refusalOfEncoding(headers);
  }
}

/** Operators have a session instead of a key, which their own routes ask for; and they send no conversations. */
function refusalOfOperator(headers: IncomingHttpHeaders): CodedError | undefined {
  const isSmall =
    headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) <= OPERATORS_BODY;
  if (isSmall) return refusalOfEncoding(headers);
  return new CodedError('BODY_TOO_LARGE', `Expected a body of at most ${OPERATORS_BODY} bytes, with Content-Length.`);
}

function refusalOfEncoding(headers: IncomingHttpHeaders): CodedError | undefined {
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() === 'identity') return undefined;
  return new CodedError('UNSUPPORTED_MEDIA_TYPE', 'Expected a body without Content-Encoding, got a compressed one.');
}
