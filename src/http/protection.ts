import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Environment } from '../config/environment';
import { CodedError } from '../errors/coded-error';
import type { ApiKeys } from './api-keys';

/** What orchestrators and Prometheus ask for must not depend on how much callers ask. */
const UNLIMITED = /^\/(health|metrics)(\/|\?|$)/;

/** Answers carry the headers that keep browsers from doing harm with them, and nobody may ask without end. */
export async function protect(server: FastifyInstance, environment: Environment, keys: ApiKeys): Promise<void> {
  await server.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        // For the page at /docs, which has its styles in its own lines.
        scriptSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        connectSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
  });
  if (environment.HTTP_RATE_LIMIT !== undefined) await limitRate(server, keys, environment.HTTP_RATE_LIMIT);
}

/** Counted in each process apart: exact enough against a caller that runs wild, and it needs no store that could be away. */
async function limitRate(server: FastifyInstance, keys: ApiKeys, max: number): Promise<void> {
  await server.register(rateLimit, {
    // Not by route: whoever is refused before a route is reached counts as well.
    global: false,
    max,
    timeWindow: 60_000,
    // A key that nobody knows is no key: otherwise every request could bring another.
    keyGenerator: (request: FastifyRequest) => {
      const key = keys.numberOf(request.headers);
      return key === undefined ? `address ${request.ip}` : `key ${key}`;
    },
    allowList: (request: FastifyRequest) => UNLIMITED.test(request.url),
    errorResponseBuilder: (_request, { ttl }) =>
      new CodedError(
        'TOO_MANY_REQUESTS',
        `Expected at most ${max} requests a minute; try again in ${Math.ceil(ttl / 1000)} s.`,
      ),
  });
  server.addHook('onRequest', server.rateLimit());
}
