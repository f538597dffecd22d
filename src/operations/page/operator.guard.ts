import {
  Inject,
  Injectable,
  SetMetadata,
  createParamDecorator,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CodedError } from '../../errors/coded-error';
import { OperatorSessions, type Session } from './operator-session';

const NO_SESSION = 'route-without-session';

/** Marks the login: it cannot ask for what it gives. */
export const WithoutSession = () => SetMetadata(NO_SESSION, true);

/** Who is logged in, by request. */
const sessions = new WeakMap<object, Session>();

/** The session in which the request is made. */
export const CurrentSession = createParamDecorator((_: unknown, context: ExecutionContext): Session => {
  const session = sessions.get(context.switchToHttp().getRequest<FastifyRequest>());
  if (!session) throw new CodedError('UNAUTHORIZED', 'Expected a session: log in at /ops.');
  return session;
});

/** Asks every route of the page's api for a session, and lets nothing be changed by a request that the page did not make. */
@Injectable()
export class OperatorGuard implements CanActivate {
  constructor(
    @Inject(OperatorSessions) private readonly sessions: OperatorSessions,
    private readonly reflector: Reflector,
  ) {}

  /** @throws CodedError `UNAUTHORIZED`, `FORBIDDEN` */
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    void context.switchToHttp().getResponse<FastifyReply>().header('Cache-Control', 'no-store');
    if (!this.reflector.getAllAndOverride<boolean>(NO_SESSION, [context.getHandler(), context.getClass()])) {
      const session = this.sessions.find(request.headers.cookie);
      if (!session) throw new CodedError('UNAUTHORIZED', 'Expected a session: log in at /ops.');
      sessions.set(request, session);
    }
    if (request.method !== 'GET' && request.method !== 'HEAD' && !isFromPage(request.headers)) {
      throw new CodedError('FORBIDDEN', 'Expected X-Ops: 1, and an Origin or Sec-Fetch-Site of this site.');
    }
    return true;
  }
}

/**
 * A page of elsewhere can make a browser send a form, but neither this header without being asked first (CORS, which is not
 * answered) nor another Origin. Where the browser says itself what the request is to the page, its word counts.
 */
export function isFromPage(headers: FastifyRequest['headers']): boolean {
  if (headers['x-ops'] !== '1') return false;
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin, host } = headers;
  return origin !== undefined && host !== undefined && URL.canParse(origin) && new URL(origin).host === host;
}
