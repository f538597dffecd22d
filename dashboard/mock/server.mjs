// @ts-check
/**
 * The live page without a service: the built page, and an api that tells of a scene (see scenes.mjs).
 *
 *   npm run dashboard:dev                  builds, watches the sources, and serves at http://127.0.0.1:4173/ops
 *   npm run dashboard:dev -- burst         begins with another scene
 *   http://127.0.0.1:4173/mock/burst       changes the scene while it runs
 *
 * Any key of 16 characters signs in. What is served is what the api will serve, under the same policy for its content.
 */
import { once } from 'node:events';
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { child, story } from './lookups.mjs';
import { SCENES, stateOf } from './scenes.mjs';

const PORT = 4173;
const INTERVAL_MS = 2_000;
const built = join(import.meta.dirname, '..', '..', 'dist', 'ops');

/** The same as the api's own (src/operations/page/page.controller.ts); the browser's test compares the two. */
export const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
  "manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** @type {Readonly<Record<string, string>>} */
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

/**
 * @param {{ scene?: string, port?: number }} [options] port 0: any that is free
 * @returns {Promise<{ url: string, show: (scene: string) => void, close: () => Promise<void> }>}
 */
export async function startMock({ scene = 'calm', port = 0 } = {}) {
  stateOf(scene, 0, []);
  const startedAt = Date.now();
  let shown = scene;
  let failures = SCENES[scene]?.failures ?? [];
  /** @type {import('../src/contract.js').Action[]} */
  const actions = [];
  /** @type {Set<import('node:http').ServerResponse>} */
  const streams = new Set();

  const state = () => {
    const now = stateOf(shown, (Date.now() - startedAt) / 1000, actions);
    if (now.totals.open_dead_letters === null) return now;
    return {
      ...now,
      totals: { ...now.totals, open_dead_letters: failures.reduce((sum, { count }) => sum + count, 0) },
    };
  };
  const show = (/** @type {string} */ name) => {
    stateOf(name, 0, []);
    shown = name;
    failures = SCENES[name]?.failures ?? [];
    tell();
  };
  const tell = () => {
    const message = `id: ${Date.now()}\nevent: state\ndata: ${JSON.stringify(state())}\n\n`;
    for (const stream of streams) stream.write(message);
  };
  const timer = setInterval(() => {
    for (const action of actions) advance(action);
    tell();
  }, INTERVAL_MS);

  /** @type {(action: { -readonly [K in keyof import('../src/contract.js').Action]: import('../src/contract.js').Action[K] }) => void} */
  const advance = (action) => {
    if (action.state !== 'running') return;
    action.done = Math.min(action.total, action.done + Math.ceil(action.total / 4));
    if (action.done < action.total) return;
    action.state = 'done';
    failures = failures.filter((group) => `${group.reason} ${group.error_code ?? ''}`.trim() !== action.what);
  };

  const act = (/** @type {string} */ action, /** @type {any} */ body) => {
    const group = failures.find(({ reason, error_code: code }) => reason === body.reason && code === body.error_code);
    actions.unshift({
      action_id: String(actions.length + 1),
      operator: 'Mai',
      action,
      what: group
        ? `${group.reason} ${group.error_code ?? ''}`.trim()
        : `${body.dead_letter_ids?.length ?? 0} dead letters`,
      state: 'running',
      done: 0,
      total: group?.count ?? body.dead_letter_ids?.length ?? 0,
      at: new Date().toISOString(),
      ended_at: null,
      error_code: null,
    });
    tell();
    return { action_id: String(actions.length) };
  };

  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://mock');
    const answer = (/** @type {number} */ status, /** @type {unknown} */ body) => {
      response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' });
      response.end(body === undefined ? undefined : JSON.stringify(body));
    };
    response.setHeader('content-security-policy', CONTENT_SECURITY_POLICY);
    const [, api] = /^\/ops\/api(\/.*)$/.exec(pathname) ?? [];
    if (pathname.startsWith('/mock/')) {
      show(pathname.slice('/mock/'.length));
      return answer(200, { scene: shown });
    }
    if (api === undefined) return page(pathname, response);
    if (request.method !== 'GET' && request.headers['x-ops'] !== '1')
      return answer(403, { detail: 'Expected X-Ops: 1.' });
    const signedIn = request.headers.cookie?.includes('friendship_ops=');
    if (api === '/session') return session(request, response, answer);
    if (!signedIn) return answer(401, { detail: 'Please sign in.' });
    const [, what = '', id = ''] = api.split('/').map(decodeURIComponent);
    if (api === '/state') return answer(200, state());
    if (api === '/stream') {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.write(`retry: ${INTERVAL_MS}\n\n`);
      streams.add(response);
      request.on('close', () => streams.delete(response));
      return tell();
    }
    if (api === '/actions') return answer(200, { actions });
    const away = state().unavailable.some(({ part }) => part === 'database');
    if (away) return answer(503, { detail: 'The database does not answer; try again in a moment.' });
    if (api === '/failures') return answer(200, { groups: failures });
    if (api === '/failures/letters') return answer(200, letters(searchParams));
    if (api === '/failures/replay' || api === '/failures/discard')
      return answer(202, act(id, JSON.parse(await bodyOf(request))));
    if (id.startsWith('none')) return answer(404, { detail: 'No such id is stored here.' });
    if (what === 'conversations') return answer(200, story(id));
    if (what === 'children') return answer(200, child(id));
    return answer(404, { detail: 'No such route.' });
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${address.port}`,
    show,
    async close() {
      clearInterval(timer);
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}

/** @param {string} pathname @param {import('node:http').ServerResponse} response */
function page(pathname, response) {
  const name = /^\/ops\/?$/.test(pathname) ? '/index.html' : pathname.replace(/^\/ops/, '');
  const file = join(built, name);
  if (!file.startsWith(built) || !existsSync(file)) return response.writeHead(404).end();
  response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
  return createReadStream(file).pipe(response);
}

/** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response @param {(status: number, body?: unknown) => void} answer */
async function session(request, response, answer) {
  const ends = request.method === 'DELETE';
  if (!ends && String(JSON.parse(await bodyOf(request)).key).length < 16)
    return answer(401, { detail: 'The key is not the operators’ key.' });
  response.setHeader(
    'set-cookie',
    `friendship_ops=${ends ? '; Max-Age=0' : 'mock'}; HttpOnly; SameSite=Strict; Path=/ops`,
  );
  return answer(204);
}

/** @param {URLSearchParams} query */
function letters(query) {
  const from = Number(query.get('cursor') ?? 0);
  const rows = Array.from({ length: 20 }, (_, index) => ({
    dead_letter_id: String(from + index + 1),
    conversation_id: `b1f7c2a4-90d4-4be2-8a53-2f3c9de1b${String(from + index).padStart(3, '0')}`,
    reason: query.get('reason'),
    error_code: query.get('error_code'),
    attempts: 5,
    last_failed_at: new Date(Date.now() - (from + index) * 61_000).toISOString(),
  }));
  return { letters: rows, next_cursor: from < 40 ? String(from + 20) : null };
}

/** @param {import('node:http').IncomingMessage} request */
async function bodyOf(request) {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { build } = await import('vite');
  await build({
    configFile: join(import.meta.dirname, '..', 'vite.config.mjs'),
    build: { watch: {} },
    logLevel: 'warn',
  });
  const { url } = await startMock({ scene: process.argv[2], port: PORT });
  process.stdout.write(
    `${url}/ops\nscenes: ${Object.keys(SCENES)
      .map((name) => `${url}/mock/${name}`)
      .join('  ')}\n`,
  );
}
