import { Inject, Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { CodedError } from '../errors/coded-error';
import { ApiKeys } from './api-keys';

const PUBLIC = 'public-route';

/** Marks what answers without a key: health. */
export const Public = () => SetMetadata(PUBLIC, true);

/** Asks every HTTP request for one of `API_KEYS`, if there are any. */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  private readonly keys: ApiKeys;

  constructor(
    @Inject(ENVIRONMENT) environment: Environment,
    private readonly reflector: Reflector,
  ) {
    this.keys = new ApiKeys(environment.API_KEYS);
  }

  /** @throws CodedError `UNAUTHORIZED` */
  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    if (this.reflector.getAllAndOverride<boolean>(PUBLIC, [context.getHandler(), context.getClass()])) return true;
    if (this.keys.accept(context.switchToHttp().getRequest<FastifyRequest>().headers)) return true;
    throw unauthorized();
  }
}

export function unauthorized(): CodedError {
  return new CodedError('UNAUTHORIZED', 'Expected a valid key in X-API-Key or Authorization: Bearer.');
}
