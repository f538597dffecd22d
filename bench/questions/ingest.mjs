// @ts-check
/** How many conversations can be posted, next to the least that could store and queue them. */
import { start } from '../contender.mjs';
import { API_KEY, post, startServer } from '../http-server.mjs';
import { api, bareFastify, service } from '../peers/contenders.mjs';
import { takeTurns } from '../rounds.mjs';

/** The classic test of this service. */
const CLASSIC = { connections: 100, requests: 500 };
const SUSTAINED_SECONDS = 15;
const ROUNDS = 7;

/** Long enough for a worker to do some thousands. */
const PROCESSING_TIMEOUT_MS = 120_000;

/** When the time is up, some requests are still on their way and are stored later: nobody else may use their numbers. */
const ROUND_STEP = 1_000_000;
const WARM_UP_FROM = 50_000_000;

const API = api({ API_KEYS: API_KEY });
const BARE = bareFastify();
const classic = (/** @type {{ series: string }} */ { series }) => `${series}, 100 users × 500`;
const sustained = (/** @type {{ series: string }} */ { series }) => `${series}, sustained`;

/** @type {import('../question.mjs').Question} */
export default {
  name: 'ingest',
  asks: 'How many conversations can be posted?',
  minutes: 8,
  targets: [
    {
      name: '4. requests a second, sustained ÷ bare Fastify + insert + confirm',
      of: sustained(API),
      against: sustained(BARE),
      figure: 'requests',
      atLeast: 0.85,
    },
    {
      name: '4. p99 of 100 users × 500 requests ÷ bare Fastify + insert + confirm',
      of: classic(API),
      against: classic(BARE),
      figure: 'http_p99',
      atMost: 2,
    },
  ],
  charts: [
    { title: 'Requests a second', figures: ['requests'] },
    { title: 'CPU of a request', figures: ['api_us', 'postgres_us', 'rabbitmq_us'], stacked: true },
  ],
  async run({ quick, arenas, progress, signal, onExit }) {
    const seconds = quick ? 3 : SUSTAINED_SECONDS;
    const entrants = [];
    for (const contender of [API, BARE]) {
      // In the classic test a worker takes what comes, as in life; sustained, the api is alone.
      const withWorker = await arenas.open(`${contender.series} classic`);
      const alone = await arenas.open(`${contender.series} sustained`);
      const worker = await start(
        { ...service({ concurrency: 10 }), series: `worker behind ${contender.series}` },
        withWorker,
        { signal },
      );
      onExit('the worker', worker.stop);
      const [busy, single] = [
        await startServer(contender, withWorker, { signal }),
        await startServer(contender, alone, { signal }),
      ];
      onExit(contender.series, async () => void (await Promise.all([busy.stop(), single.stop()])));
      await progress.step(`warming up ${contender.series}`, async () => {
        for (const server of [busy, single]) {
          await (await server.arena.fill({ events: 0, children: 1 })).begin();
          await post(server, { connections: 100, seconds: quick ? 2 : 5, from: WARM_UP_FROM });
        }
        await settled(withWorker, signal);
      });
      entrants.push({
        series: classic(contender),
        measure: async () => {
          await (await withWorker.fill({ events: 0, children: 1 })).begin();
          const startedAt = performance.now();
          const { figures, wrong } = await post(busy, CLASSIC);
          await withWorker.whenSettled({ from: 1, to: CLASSIC.requests }, { signal, timeoutMs: PROCESSING_TIMEOUT_MS });
          const all = { ...figures, settled_seconds: (performance.now() - startedAt) / 1000 };
          return { figures: all, wrong: [...wrong, ...(await withWorker.check(CLASSIC.requests))] };
        },
      });
      entrants.push({
        series: sustained(contender),
        measure: async (/** @type {number} */ round) => {
          await (await alone.fill({ events: 0, children: 1 })).begin();
          const { figures, accepted, wrong } = await post(single, {
            connections: 100,
            seconds,
            from: round * ROUND_STEP,
          });
          const { rows } = await alone.database.query('SELECT count(*)::int AS stored FROM conversation_events');
          const { messageCount } = await alone.channel.checkQueue(alone.queue);
          // A request that was on its way when the time was up may have been stored; one that was answered must have been.
          if (rows[0].stored < accepted)
            wrong.push(`expected at least ${accepted} conversations stored, got ${rows[0].stored}`);
          if (messageCount < accepted) wrong.push(`expected at least ${accepted} messages queued, got ${messageCount}`);
          return { figures, wrong };
        },
      });
    }
    return {
      settings: { rounds: ROUNDS, connections: CLASSIC.connections, 'seconds sustained': seconds },
      measurements: await takeTurns(entrants, { rounds: ROUNDS, progress, signal }),
      series: { [API.series]: API.what, [BARE.series]: BARE.what },
    };
  },
};

/** What the warm-up has queued may still be under way. @param {import('../arena.mjs').Arena} arena @param {AbortSignal} signal */
async function settled(arena, signal) {
  await arena.whenSettled({ from: 1, to: 99_999_999 }, { signal, timeoutMs: PROCESSING_TIMEOUT_MS });
}
