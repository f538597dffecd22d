import type { IncomingMessage } from 'node:http';
import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { HttpArgumentsHost } from '@nestjs/common/interfaces';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { throwError, type Observable } from 'rxjs';
import { isDatabaseAway } from '../database/database-errors';
import { CodedError, type ErrorCode } from '../errors/coded-error';
import { describeError } from '../errors/describe';
import { toProblem, type Problem } from './problem';

/** When to try again while the database is away, seconds. Outages that heal by themselves mostly take a few. */
const RETRY_AFTER_SECONDS = 5;

/** Codes of what the HTTP layer itself refuses, by status. */
const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: 'UNAUTHORIZED',
  404: 'ROUTE_NOT_FOUND',
  413: 'BODY_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
};

const DETAILS: Partial<Record<ErrorCode, string>> = {
  MALFORMED_JSON: 'Expected a JSON object; the body could not be parsed.',
  BAD_REQUEST: 'Expected a well-formed HTTP request.',
  ROUTE_NOT_FOUND: 'See /docs for the routes.',
  BODY_TOO_LARGE: 'Expected a body within HTTP_BODY_LIMIT.',
  UNSUPPORTED_MEDIA_TYPE: 'Expected Content-Type: application/json.',
};

/** Turns every error into a problem. Nothing that a parser or a driver said is passed on: it may quote the body. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Http');

  catch(error: unknown, host: ArgumentsHost): Observable<never> | void {
    switch (host.getType<'http' | 'rpc' | 'rmq'>()) {
      case 'http':
        return void this.answer(host.switchToHttp(), this.problemOf(error));
      case 'rpc':
        return throwError(() => this.problemOf(error));
      default:
        // A message's handler throws to keep its message unacknowledged; an answer from here would acknowledge, and lose it.
        throw error;
    }
  }

  private async answer(http: HttpArgumentsHost, problem: Problem): Promise<void> {
    if (problem.code === 'BODY_TOO_LARGE') await readOn(http.getRequest<FastifyRequest>().raw);
    answer(http.getResponse<FastifyReply>(), problem);
  }

  private problemOf(error: unknown): Problem {
    if (error instanceof CodedError) return toProblem(error.code, error.message, error.fields);
    if (isDatabaseAway(error)) {
      return toProblem('DATABASE_UNAVAILABLE', 'Nothing was changed. Send the same request again.');
    }
    const code = refusalOf(error);
    if (code) return toProblem(code, DETAILS[code] ?? '');
    this.logger.error({ msg: 'unexpected error', error: describeError(error) });
    return toProblem('INTERNAL_ERROR', 'The error was logged. The same request may be sent again: it counts once.');
  }
}

export function answer(reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.status === 503) void reply.header('Retry-After', String(RETRY_AFTER_SECONDS));
  if (problem.status === 401) void reply.header('WWW-Authenticate', 'Bearer');
  return reply.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}

/** How much longer a caller may go on sending, milliseconds and bytes. */
const READ_ON = { time: 5_000, bytes: 64 * 1024 * 1024 };

/**
 * Takes in and forgets what a caller is still sending. An answer before that would close the connection on it, and many clients
 * would report a broken connection, and try again, instead of reading the answer.
 */
function readOn(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    if (request.readableEnded || request.destroyed) return resolve();
    const timer = setTimeout(resolve, READ_ON.time);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > READ_ON.bytes) done();
    });
    request.once('end', done).once('close', done).once('error', done);
    request.resume();
  });
}

/** Errors of Nest and Fastify before a handler was reached: they keep a status and a fixed message, but no code. */
function refusalOf(error: unknown): ErrorCode | undefined {
  const statusCode = (error as { statusCode?: number } | undefined)?.statusCode;
  const status = error instanceof HttpException ? error.getStatus() : statusCode;
  if (status === 400) return /content-length|url/i.test((error as Error).message) ? 'BAD_REQUEST' : 'MALFORMED_JSON';
  return status === undefined ? undefined : (BY_STATUS[status] ?? (status < 500 ? 'BAD_REQUEST' : undefined));
}
