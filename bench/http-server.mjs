// @ts-check
/** A program that accepts conversations over HTTP: started, asked, stopped. */
import autocannon from 'autocannon';
import { stopProcess } from '../scripts/processes.mjs';
import { whenReady } from '../scripts/demo/service-process.mjs';
import { launch, logFile, perMessage, startMeter } from './contender.mjs';
import { request } from './workload.cjs';

/** Production asks for a key, so everybody sends one. */
export const API_KEY = 'bench-key-0123456789';

const STOP_GRACE_MS = 30_000;

/** Children among whom the conversations are spread. */
const CHILDREN = 1_000;

/**
 * @typedef {object} HttpServer
 * @property {import('./contender.mjs').Contender} contender
 * @property {import('./arena.mjs').Arena} arena
 * @property {import('../scripts/processes.mjs').KnownProcess} process
 * @property {string} url
 * @property {() => Promise<void>} stop
 */

/**
 * @param {import('./contender.mjs').Contender} contender writes a log line with `"msg":"listening"` and its url, and answers /health/ready
 * @param {import('./arena.mjs').Arena} arena
 * @param {{ signal: AbortSignal }} options
 * @returns {Promise<HttpServer>}
 */
export async function startServer(contender, arena, { signal }) {
  const log = logFile(contender, 0);
  const known = launch(contender, { ...arena.env, ...contender.env }, log);
  const stop = async () => void (await stopProcess(known, { graceMs: STOP_GRACE_MS }));
  try {
    const service = { role: contender.series, log, process: known, drain: stop };
    return { contender, arena, process: known, url: await whenReady(service, signal), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * @typedef {object} Load
 * @property {number} connections each sends its next request when the last one is answered
 * @property {number} [requests] in all; or
 * @property {number} [seconds]
 * @property {number} [from] the number of the first conversation, less one
 *
 * @param {HttpServer} server
 * @param {Load} load
 * @returns {Promise<{ figures: Record<string, number>, accepted: number, wrong: string[] }>}
 */
export async function post({ arena, process, url }, { connections, requests, seconds, from = 0 }) {
  let i = from;
  const meter = startMeter({ arena, processes: [process] });
  const startedAt = performance.now();
  const run = await autocannon({
    url,
    connections,
    ...(requests === undefined ? { duration: seconds } : { amount: requests }),
    requests: [
      {
        method: 'POST',
        path: '/v1/conversations/end',
        headers: { 'content-type': 'application/json', 'x-api-key': API_KEY },
        setupRequest: (draft) => ({ ...draft, body: JSON.stringify(request(++i, CHILDREN)) }),
      },
    ],
  });
  const took = (performance.now() - startedAt) / 1000;
  const used = meter();
  const accepted = run['2xx'];
  const failures = run.non2xx + run.errors + run.timeouts;
  const { worker_us = 0, ...others } = perMessage(used, accepted);
  return {
    figures: {
      requests: accepted / took,
      http_p50: run.latency.p50,
      http_p99: run.latency.p99,
      failures,
      api_us: worker_us,
      ...(others.postgres_us === undefined ? {} : { postgres_us: others.postgres_us }),
      ...(others.rabbitmq_us === undefined ? {} : { rabbitmq_us: others.rabbitmq_us }),
      ...(others.memory_mib === undefined ? {} : { memory_mib: others.memory_mib }),
    },
    accepted,
    wrong: failures > 0 ? [`expected every request to be answered 2xx, got ${failures} that were not`] : [],
  };
}
