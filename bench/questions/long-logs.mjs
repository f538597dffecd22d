// @ts-check
/**
 * Logs of tens of thousands of lines, posted two at a time and scored by one worker, beside which the event loops must stay free for others.
 *
 * The delay is what the processes say of themselves: `nodejs_eventloop_lag_p99_seconds` of /metrics, taken every 10 ms, which begins anew with
 * each scrape. It includes these 10 ms, so an event loop with nothing to do shows about 10; "nothing to do" is measured as well,
 * since on a busy machine it is more: the system gives the processor to others.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { API_KEY, startServer } from '../http-server.mjs';
import { api, service } from '../peers/contenders.mjs';
import { takeTurns } from '../rounds.mjs';
import { conversationId, request } from '../workload.cjs';

/** Lines of the logs, in turn: 2 to 4 MiB. */
const LINES = [20_000, 30_000, 40_000];

/** Posted at one time; each sender sends its next one when the last one is answered. */
const SENDERS = 2;
const LOGS_OF_A_RUN = 12;
const IDLE_MS = 5_000;

/** The most that the event loop may be late, ms. */
const MOST_DELAY = 50;

/** How long a run may take before it counts as stuck. */
const TIMEOUT_MS = 60_000;

const IDLE = 'nothing to do';
const SERIES = { api: 'api, long logs posted', worker: 'worker, long logs scored' };
const IDLE_SERIES = { api: `api, ${IDLE}`, worker: `worker, ${IDLE}` };

/** @type {import('../question.mjs').Question} */
export default {
  name: 'long-logs',
  asks: 'Who waits while logs of tens of thousands of lines are worked on?',
  minutes: 2,
  targets: Object.values(SERIES).map((series) => ({
    name: `p99 of the event loop's delay, ms: ${series}`,
    of: series,
    figure: 'loop_p99',
    atMost: MOST_DELAY,
  })),
  charts: [{ title: "The event loop's delay, p99", figures: ['loop_p99'] }],
  async run({ quick, arenas, progress, signal, onExit }) {
    const rounds = quick ? 2 : 5;
    const arena = await arenas.open('long-logs');
    const servers = {
      api: await startServer(api({ API_KEYS: API_KEY }), arena, { signal }),
      worker: await startServer({ ...service({ concurrency: 10 }), series: 'worker of long logs' }, arena, { signal }),
    };
    for (const [role, { stop }] of Object.entries(servers)) onExit(`the ${role}`, stop);
    const bodies = Array.from({ length: LOGS_OF_A_RUN }, (_, index) => longRequest(index + 1));

    /** @type {import('../targets.cjs').Measurement[]} */
    const ofWorkers = [];
    /**
     * Both processes are measured at the same time: the entrant's own figures are the api's, the worker's are put beside them.
     * @param {{ api: string, worker: string }} series
     * @param {() => Promise<{ wrong: string[], figures?: Record<string, number> }>} act
     */
    const entrant = (series, act) => ({
      series: series.api,
      measure: async (/** @type {number} */ round) => {
        await (await arena.fill({ events: 0, children: 1 })).begin();
        await Promise.all(Object.values(servers).map(({ url }) => loopDelay(url))); // what came before is forgotten
        const { wrong, figures = {} } = await act();
        const [ofApi = NaN, ofWorker = NaN] = await Promise.all(
          [servers.api, servers.worker].map(({ url }) => loopDelay(url)),
        );
        ofWorkers.push({ series: series.worker, round, figures: { ...figures, loop_p99: ofWorker }, wrong });
        return { figures: { ...figures, loop_p99: ofApi }, wrong };
      },
    });
    const postAll = async () => {
      const startedAt = performance.now();
      const wrong = await post(servers.api.url, bodies, signal);
      await arena.whenSettled({ from: 1, to: bodies.length }, { signal, timeoutMs: TIMEOUT_MS });
      const figures = { events: bodies.length, settled_seconds: (performance.now() - startedAt) / 1000 };
      return { figures, wrong: [...wrong, ...(await wrongScores(arena))] };
    };
    await progress.step('warming up', postAll);
    const entrants = [
      entrant(SERIES, postAll),
      entrant(IDLE_SERIES, async () => (await delay(IDLE_MS, undefined, { signal }), { wrong: [] })),
    ];
    return {
      settings: { rounds, lines: LINES.join(', '), 'at a time': SENDERS, 'logs a run': LOGS_OF_A_RUN },
      measurements: [...(await takeTurns(entrants, { rounds, progress, signal })), ...ofWorkers],
    };
  },
};

/** Number i with a long log of alternating lines. @param {number} i @returns {{ body: string, id: string }} */
function longRequest(i) {
  const lines = linesOf(i);
  const conversation_log = Array.from({ length: lines }, (_, index) => ({
    speaker: index % 2 === 0 ? 'pika' : 'user',
    text: `line ${index} of a very long talk about dinosaurs with long necks, and what they eat`,
  }));
  return { id: conversationId(i), body: JSON.stringify({ ...request(i, 1), conversation_log }) };
}

function linesOf(/** @type {number} */ i) {
  return LINES[i % LINES.length] ?? 0;
}

/** @param {string} url @param {readonly { body: string, id: string }[]} bodies @param {AbortSignal} signal @returns {Promise<string[]>} what is wrong */
async function post(url, bodies, signal) {
  const waiting = [...bodies];
  /** @type {string[]} */
  const wrong = [];
  const sender = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { status } = await fetch(`${url}/v1/conversations/end`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': API_KEY },
        body: next.body,
        signal,
      });
      if (status !== 202) wrong.push(`expected 202 for ${next.id}, got ${status}`);
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
  return wrong;
}

/** Alternating lines are half as many turns. @param {import('../arena.mjs').Arena} arena @returns {Promise<string[]>} */
async function wrongScores({ database }) {
  const { rows } = await database.query(
    `SELECT conversation_id, status, (score_breakdown->>'total_turns')::int AS turns FROM conversation_events ORDER BY 1`,
  );
  const wrong = rows.length === LOGS_OF_A_RUN ? [] : [`expected ${LOGS_OF_A_RUN} events, got ${rows.length}`];
  for (const [index, { conversation_id, status, turns }] of rows.entries()) {
    const expected = linesOf(index + 1) / 2;
    if (status !== 'PROCESSED' || turns !== expected)
      wrong.push(`${conversation_id}: expected PROCESSED with ${expected} turns, got ${status} with ${turns}`);
  }
  return wrong;
}

/** Since the last scrape. @param {string} url of a process @returns {Promise<number>} milliseconds */
async function loopDelay(url) {
  const text = await (await fetch(`${url}/metrics`)).text();
  const seconds = /^nodejs_eventloop_lag_p99_seconds (\S+)$/m.exec(text)?.[1];
  if (seconds === undefined) throw new Error('Expected nodejs_eventloop_lag_p99_seconds in /metrics, got none.');
  return Number(seconds) * 1000;
}
