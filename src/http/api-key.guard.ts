import { createHash, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { CodedError } from '../errors/coded-error';

const PUBLIC = 'public-route';

/** Marks what answers without a key: health. */
export const Public = () => SetMetadata(PUBLIC, true);

/** Asks every HTTP request for one of `API_KEYS`, if there are any. Compares digests, in constant time. */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  private readonly digests: readonly Buffer[];

  constructor(
    @Inject(ENVIRONMENT) environment: Environment,
    private readonly reflector: Reflector,
  ) {
    this.digests = environment.API_KEYS.map(digest);
  }

  /** @throws CodedError `UNAUTHORIZED` */
  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http' || this.digests.length === 0) return true;
    if (this.reflector.getAllAndOverride<boolean>(PUBLIC, [context.getHandler(), context.getClass()])) return true;
    const key = presentedKey(context.switchToHttp().getRequest<FastifyRequest>());
    if (key !== undefined && this.isKnown(digest(key))) return true;
    throw new CodedError('UNAUTHORIZED', 'Expected a valid key in X-API-Key or Authorization: Bearer.');
  }

  /** Looks at every key, whichever matches. */
  private isKnown(presented: Buffer): boolean {
    return this.digests.reduce((known, each) => timingSafeEqual(each, presented) || known, false);
  }
}

function presentedKey({ headers }: FastifyRequest): string | undefined {
  const key = headers['x-api-key'];
  if (typeof key === 'string') return key;
  return /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
