import 'reflect-metadata';
import { RequestMethod } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA, VERSION_METADATA } from '@nestjs/common/constants';
import { ModulesContainer } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { startApplication } from '../../src/application';
import { readEnvironment } from '../../src/config/environment';
import { createNamespace, type Namespace } from '../support/namespace';

const KEY = 'a-key-that-is-known';

/** The only routes that answer without a key. */
const PUBLIC = ['GET /health', 'GET /health/live', 'GET /health/ready', 'GET /metrics'];

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

  beforeAll(async () => {
    namespace = await createNamespace({ API_KEYS: `${KEY},another-known-key`, LOG_LEVEL: 'silent', APP_ROLE: 'all' });
    app = await startApplication(readEnvironment(namespace.variables));
    routes = routesOf(app);
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
