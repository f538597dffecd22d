// @ts-check
/** Whoever looks at a service while it works: Prometheus, which scrapes its worker, and an operator with the page open. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import { whenReady } from '../scripts/demo/service-process.mjs';
import { startMeter } from './contender.mjs';
import { API_KEY, startServer } from './http-server.mjs';
import { api } from './peers/contenders.mjs';

/** How often Prometheus asks, milliseconds: three times as often as deploy/prometheus does. */
const SCRAPE_MS = 5_000;

const OPERATOR_KEY = 'bench-operator-key-0123456789';

/**
 * From now on the worker is scraped, at once and then every 5 s, and the page of an api of its own is open.
 * @param {import('./contender.mjs').Running} running
 * @param {AbortSignal} signal
 * @returns {Promise<{ stop: () => Promise<{ apiShare: number, states: number, scrapes: number }> }>} apiShare: of a core, that the page's api used
 */
export async function watch(running, signal) {
  const { arena } = running;
  const [process] = running.processes;
  const [log] = running.logs;
  if (process === undefined || log === undefined) throw new Error('Expected a worker to watch, got none.');
  const workerUrl = await whenReady({ role: 'worker', log, process, drain: running.stop }, signal);
  const server = await startServer(api({ API_KEYS: API_KEY, OPERATOR_KEY }), arena, { signal });
  const page = await openPage(server.url, signal).catch(async (error) => {
    await server.stop();
    throw error;
  });
  let scrapes = 0;
  const scrape = async () => {
    const answer = await fetch(`${workerUrl}/metrics`, { signal });
    const text = await answer.text();
    if (text.includes('messaging_process_duration_seconds_bucket')) scrapes++;
  };
  const first = scrape();
  const timer = setInterval(() => void scrape().catch(() => undefined), SCRAPE_MS);
  await first;
  const meter = startMeter({ arena, processes: [server.process] });
  const since = performance.now();
  return {
    async stop() {
      clearInterval(timer);
      const { worker: microseconds = 0 } = meter();
      const apiShare = microseconds / 1000 / (performance.now() - since);
      const states = page.close();
      await server.stop();
      return { apiShare, states, scrapes };
    },
  };
}

/** @param {string} url @param {AbortSignal} signal */
async function openPage(url, signal) {
  const login = await fetch(`${url}/ops/api/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-ops': '1', origin: url },
    body: JSON.stringify({ key: OPERATOR_KEY, operator: 'bench' }),
    signal,
  });
  const [cookie] = login.headers.getSetCookie();
  if (login.status !== 204 || cookie === undefined)
    throw new Error(`Expected to log in with 204 and a cookie, got ${login.status}.`);
  const closing = new AbortController();
  const stream = await fetch(`${url}/ops/api/stream`, {
    headers: { cookie: cookie.split(';', 1)[0] ?? '' },
    signal: AbortSignal.any([signal, closing.signal]),
  });
  if (!stream.body) throw new Error(`Expected a stream, got ${stream.status} without a body.`);
  let states = 0;
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of /** @type {AsyncIterable<Uint8Array>} */ (stream.body))
      states += decoder.decode(chunk, { stream: true }).split('event: state').length - 1;
  })();
  reading.catch(() => undefined); // closed
  return {
    close() {
      closing.abort();
      return states;
    },
  };
}

/** A collector of traces that takes everything and looks at nothing. @returns {Promise<{ url: string, requests: () => number, stop: () => Promise<void> }>} */
export async function startCollector() {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    request.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => requests,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
