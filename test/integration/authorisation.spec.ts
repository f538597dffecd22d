import 'reflect-metadata';
import { RequestMethod } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA, VERSION_METADATA } from '@nestjs/common/constants';
import { ModulesContainer } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { startApplication } from '../../src/application';
import { createLogger } from '../../src/observability/logger';
import { readEnvironment } from '../../src/config/environment';
import { OperatorSessions } from '../../src/operations/page/operator-session';
import { createNamespace, type Namespace } from '../support/namespace';

const KEY = 'a-key-that-is-known';
const OPERATOR_KEY = 'a-key-of-the-operators';

/** The only routes that answer without a key. */
const PUBLIC = ['GET /health', 'GET /health/live', 'GET /health/ready', 'GET /metrics'];

/** Those of the operators' page: it holds no data itself; its api asks for a session, the login for the key. */
const PAGE = ['GET /ops', 'GET /ops/*'];
const LOGIN = 'POST /ops/api/session';
const OPERATORS = [
  'DELETE /ops/api/session',
  'GET /ops/api/actions',
  'GET /ops/api/children/:user_id',
  'GET /ops/api/conversations/:conversation_id',
  'GET /ops/api/failures',
  'GET /ops/api/failures/letters',
  'GET /ops/api/state',
  'GET /ops/api/stream',
  'POST /ops/api/failures/discard',
  'POST /ops/api/failures/replay',
];

interface Route {
  readonly method: string;
  readonly path: string;
}

/** Every route that a controller has, with and without its version. */
function routesOf(app: NestFastifyApplication): Route[] {
  const routes: Route[] = [];
  for (const module of app.get(ModulesContainer).values()) {
    for (const { metatype } of module.controllers.values()) {
      const prototype = (metatype as { prototype: object }).prototype;
      const bases = [Reflect.getMetadata(PATH_METADATA, metatype as object) as string].flat();
      const neutral = Reflect.getMetadata(VERSION_METADATA, metatype as object) !== undefined;
      for (const name of Object.getOwnPropertyNames(prototype)) {
        const handler = (prototype as Record<string, unknown>)[name];
        const method = Reflect.getMetadata(METHOD_METADATA, handler as object) as RequestMethod | undefined;
        if (typeof handler !== 'function' || method === undefined) continue;
        for (const path of [Reflect.getMetadata(PATH_METADATA, handler) as string | string[]].flat())
          for (const base of bases)
            for (const version of neutral ? [''] : ['', '/v1'])
              routes.push({
                method: RequestMethod[method],
                path: `${version}/${base}/${path}`.replace(/\/+/g, '/').replace(/(.)\/$/, '$1'),
              });
      }
    }
  }
  return routes;
}

describe('every route', () => {
  let namespace: Namespace;
  let app: NestFastifyApplication;
  let routes: Route[];
  let operators: Route[];

  beforeAll(async () => {
    namespace = await createNamespace({
      API_KEYS: `${KEY},another-known-key`,
      OPERATOR_KEY,
      LOG_LEVEL: 'silent',
      APP_ROLE: 'all',
    });
    const environment = readEnvironment(namespace.variables);
    app = await startApplication(environment, createLogger(environment));
    const all = routesOf(app);
    routes = all.filter(({ path }) => !path.startsWith('/ops'));
    operators = all.filter(({ path }) => path.startsWith('/ops'));
  });
  afterAll(async () => {
    await app.close();
    await namespace.remove();
  });

  const ask = async ({ method, path }: Route, headers: Record<string, string> = {}) => {
    const url = path.replace(/:\w+/g, 'some-id');
    const { statusCode } = await app.inject({
      method: method as 'GET',
      url,
      headers,
      ...(method === 'POST' ? { payload: {} } : {}),
    });
    return statusCode;
  };
  const isPublic = ({ method, path }: Route) => PUBLIC.includes(`${method} ${path}`);

  it('is known to this test: those without a key are these and no others', () => {
    expect(routes.length).toBeGreaterThan(12);
    expect(
      routes
        .filter(isPublic)
        .map(({ method, path }) => `${method} ${path}`)
        .sort(),
    ).toEqual([...PUBLIC].sort());
  });

  it.each([
    ['no key', {}],
    ['a wrong key', { 'x-api-key': 'a-key-that-is-not-known' }],
    ['a part of a key', { 'x-api-key': KEY.slice(0, -1) }],
    ['both keys as one', { 'x-api-key': `${KEY},another-known-key` }],
    ['a key in another scheme', { authorization: `Basic ${KEY}` }],
  ])('refuses %s, unless it is public', async (_what, headers) => {
    for (const route of routes) {
      const status = await ask(route, headers);
      expect({ ...route, refused: status === 401 }).toEqual({ ...route, refused: !isPublic(route) });
    }
  });

  it.each([
    ['X-API-Key', { 'x-api-key': KEY }],
    ['a bearer', { authorization: `Bearer ${KEY}` }],
    ['another key of the list', { 'x-api-key': 'another-known-key' }],
  ])('lets a known key in, as %s', async (_what, headers) => {
    for (const route of routes)
      expect({ ...route, status: await ask(route, headers) }).not.toMatchObject({ status: 401 });
  });

  describe("of the operators' page", () => {
    const nameOf = ({ method, path }: Route) => `${method} ${path}`;
    const fromPage = { 'x-ops': '1', 'sec-fetch-site': 'same-origin' };
    const sessionOf = (key: string, operator = 'An') => new OperatorSessions(key).begin(operator, false).split(';')[0];
    const guarded = () => operators.filter((route) => OPERATORS.includes(nameOf(route)));

    it('is known to this test', () => {
      expect(operators.map(nameOf).sort()).toEqual([...PAGE, LOGIN, ...OPERATORS].sort());
    });

    it.each([
      ['nothing', {}],
      ['a key of callers', { 'x-api-key': KEY }],
      ['the key of operators as a key of callers', { 'x-api-key': OPERATOR_KEY }],
      ['the key of operators as a bearer', { authorization: `Bearer ${OPERATOR_KEY}` }],
      ['the key of operators as a cookie', { cookie: `friendship_ops=${OPERATOR_KEY}` }],
      ['a session under another key', { cookie: sessionOf('another-key-of-operators') }],
      ['a session that was changed', { cookie: `${sessionOf(OPERATOR_KEY).slice(0, -2)}xx` }],
      ['an empty session', { cookie: 'friendship_ops=' }],
    ])('is closed to %s, from the page or from elsewhere', async (_what, headers) => {
      for (const route of guarded()) {
        for (const more of [{}, fromPage]) {
          expect({ ...route, status: await ask(route, { ...headers, ...more }) }).toEqual({ ...route, status: 401 });
        }
      }
    });

    it.each([
      ['no header at all', {}],
      ['the header alone', { 'x-ops': '1' }],
      ['the site alone', { 'sec-fetch-site': 'same-origin' }],
      ['another site', { 'x-ops': '1', 'sec-fetch-site': 'cross-site' }],
      ['another origin', { 'x-ops': '1', origin: 'https://elsewhere.example' }],
    ])('lets an operator change nothing with %s', async (_what, headers) => {
      const cookie = sessionOf(OPERATOR_KEY);
      for (const route of operators.filter(({ method }) => method !== 'GET')) {
        expect({ ...route, status: await ask(route, { cookie, ...headers }) }).toEqual({ ...route, status: 403 });
      }
    });

    it('is open to an operator, and only that', async () => {
      const cookie = sessionOf(OPERATOR_KEY);
      // The stream does not end by itself; ops.spec.ts reads it.
      for (const route of guarded().filter(({ path }) => !path.endsWith('/stream'))) {
        const status = await ask(route, { cookie, ...fromPage });
        expect({ ...route, open: status !== 401 && status !== 403 }).toEqual({ ...route, open: true });
      }
      for (const route of routes.filter((each) => !isPublic(each))) {
        expect({ ...route, status: await ask(route, { cookie, ...fromPage }) }).toEqual({ ...route, status: 401 });
      }
    });
  });

  it('tells browsers to do nothing with its answers', async () => {
    const { headers } = await app.inject({ method: 'GET', url: '/health' });
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'SAMEORIGIN',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'strict-transport-security': expect.any(String),
    });
    expect(headers).not.toHaveProperty('x-powered-by');
  });
});
