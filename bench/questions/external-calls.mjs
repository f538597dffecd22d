// @ts-check
/**
 * Messages that wait five seconds for others, hundreds at once in one process; and messages that wait for nobody, beside them.
 *
 * Every message asks the memory service, which answers after exactly five seconds, from a process of its own. In the series with two
 * services, four of five messages ask the language model as well, side by side: the fifth has its mood from its producer.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { poll } from '../../scripts/processes.mjs';
import { checkoutDir } from '../../scripts/services/checkout.mjs';
import { drain, perMessage, start, startMeter } from '../contender.mjs';
import { service } from '../peers/contenders.mjs';
import { takeTurns } from '../rounds.mjs';
import { EVENT_COLUMNS, conversationId, messageBody } from '../workload.cjs';

const ANSWER_MS = 5_000;

/** How long a run may take before it counts as stuck. */
const TIMEOUT_MS = 60_000;

/** The old design's headline was 480 in 5 s and 1,000 in 11 s, by 48 processes of 10 threads. */
const SLOW = [
  { messages: 480, atMost: 5.6 },
  { messages: 1_000, atMost: 6.5 },
];

/** 200 MB. */
const MOST_MIB = 190;

/** Calls in flight outlive every young generation; a small one keeps what they leave behind small (docs/external-services.md). */
const NODE_OPTIONS = '--max-semi-space-size=4';

const WITHOUT = 'nobody waits';
const BESIDE = 'beside 480 that hang';
const BOTH = '1000 x 5 s, two services';

/** @type {import('../question.mjs').Question} */
export default {
  name: 'external-calls',
  asks: 'How many slow calls can one process have in flight, and who notices?',
  minutes: 4,
  targets: [
    ...SLOW.flatMap(({ messages, atMost }) => [
      { name: `${messages} messages of 5 s, C = ${messages}`, of: seriesOf(messages), figure: 'seconds', atMost },
      {
        name: `${messages} messages of 5 s, peak memory`,
        of: seriesOf(messages),
        figure: 'peak_mib',
        atMost: MOST_MIB,
      },
    ]),
    {
      name: 'rate of messages that need no call, beside 480 that hang ÷ without',
      of: BESIDE,
      against: WITHOUT,
      figure: 'rate',
      atLeast: 0.9,
    },
  ],
  charts: [
    { title: 'Time until all are settled', figures: ['seconds'] },
    { title: 'Peak memory of the worker', figures: ['peak_mib'] },
  ],
  async run(context) {
    const { quick } = context;
    const settings = quick ? { rounds: 1, drains: 7, events: 5_000 } : { rounds: 3, drains: 9, events: 5_000 };
    const measurements = [...(await slowCalls(settings.rounds, context)), ...(await neighbours(settings, context))];
    return {
      settings: { ...settings, answer_ms: ANSWER_MS, pool: 10, workers: 1, NODE_OPTIONS },
      measurements,
      series: {
        [WITHOUT]: 'this service, C = 10, the memory service configured and not needed',
        [BESIDE]: 'the same, while 480 messages of the second lane wait for a memory service that hangs',
      },
    };
  },
};

function seriesOf(/** @type {number} */ messages) {
  return `${messages} x 5 s`;
}

/** @param {number} rounds @param {import('../question.mjs').Context} context */
async function slowCalls(rounds, context) {
  const { arenas, progress, signal } = context;
  const url = await startSlowService(String(ANSWER_MS), context);
  const cases = [
    ...SLOW.map(({ messages }) => ({ series: seriesOf(messages), messages, services: ['MEMORY_API'] })),
    { series: BOTH, messages: 1_000, services: ['MEMORY_API', 'ANALYSIS_LLM'] },
  ];
  const entrants = cases.map(({ series, messages, services }) => ({
    series,
    // A process for each run, so that its peak of memory is that of the run; warmed up like everybody.
    measure: async () => {
      const arena = await openArena(series, context);
      const running = await start(worker(series, url, messages, services), arena, { signal });
      try {
        await analysisConsumer(arena, signal);
        await slowRun(running, messages / 10, signal);
        return await slowRun(running, messages, signal);
      } finally {
        await running.stop();
        await arenas.close(arena);
      }
    },
  }));
  return takeTurns(entrants, {
    rounds,
    progress,
    signal,
  });
}

/**
 * @param {import('../contender.mjs').Running} running
 * @param {number} messages
 * @param {AbortSignal} signal
 */
async function slowRun(running, messages, signal) {
  const { arena } = running;
  const begin = await fillAnalysisLane(arena, 1, messages);
  const meter = startMeter(running);
  const begun = await begin();
  const ended = await arena.whenSettled({ from: 1, to: messages }, { signal, timeoutMs: TIMEOUT_MS });
  const { memory: _, ...used } = meter();
  const figures = {
    seconds: (ended - begun) / 1000,
    events: messages,
    peak_mib: peakMemory(running.processes[0]?.pid ?? 0),
    ...perMessage(used, messages),
  };
  return { figures, wrong: await arena.check(messages) };
}

/** @param {{ drains: number, events: number }} settings @param {import('../question.mjs').Context} context */
async function neighbours({ drains, events }, context) {
  const { progress, signal } = context;
  const hanging = await startSlowService('never', context);
  const entrants = [];
  for (const series of [WITHOUT, BESIDE]) {
    const arena = await openArena(series, context);
    // The workload's events have their memories from their producer; the hanging ones have not.
    const running = await start(worker(series, hanging, 480, ['MEMORY_API']), arena, { signal });
    context.onExit(series, running.stop);
    await analysisConsumer(arena, signal);
    const run = () => drain(running, { events, children: events / 2, signal });
    await progress.step(`warming up ${series}`, run);
    if (series === BESIDE) {
      await (
        await fillAnalysisLane(arena, 1, 480)
      )();
      await poll(async () => ((await openRequests(hanging)) >= 480 ? true : undefined), {
        timeoutMs: TIMEOUT_MS,
        everyMs: 100,
        signal,
      });
    }
    entrants.push({ series, measure: run });
  }
  return takeTurns(entrants, {
    rounds: drains,
    progress,
    signal,
  });
}

/**
 * @param {string} series
 * @param {string} url of all its services
 * @param {number} concurrency of the second lane
 * @param {readonly string[]} services
 * @returns {import('../contender.mjs').Contender}
 */
function worker(series, url, concurrency, services) {
  const contender = service({
    concurrency: 10,
    group: 100,
    env: {
      NODE_OPTIONS,
      ...Object.fromEntries(services.map((name) => [`${name}_URL`, url])),
      ANALYSIS_LLM_MODEL: 'bench',
      ANALYSIS_CONCURRENCY_PER_WORKER: String(concurrency),
      ANALYSIS_LLM_CONCURRENCY: String(concurrency),
      MEMORY_API_CONCURRENCY: String(concurrency),
      // Whoever hangs goes on hanging until the end of the run.
      ANALYSIS_LLM_TRY_TIMEOUT: '10m',
      ANALYSIS_LLM_TIMEOUT: '10m',
      MEMORY_API_TRY_TIMEOUT: '10m',
      MEMORY_API_TIMEOUT: '10m',
      SHUTDOWN_TIMEOUT: '2s',
      DATABASE_POOL_SIZE: '10',
    },
  });
  return { ...contender, series };
}

/** With a second lane of its own. @param {string} name @param {import('../question.mjs').Context} context */
async function openArena(name, { arenas, onExit }) {
  const arena = await arenas.open(name);
  const queue = analysisQueue(arena);
  arena.env.RABBITMQ_ANALYSIS_QUEUE = queue;
  onExit(queue, async () => {
    for (const delayMs of [5_000, 30_000, 120_000, 600_000])
      await arena.channel.deleteQueue(`${queue}.retry.${delayMs}ms`);
    await arena.channel.deleteQueue(queue);
  });
  return arena;
}

function analysisQueue(/** @type {import('../arena.mjs').Arena} */ arena) {
  return `${arena.queue}_analysis`;
}

/** @param {import('../arena.mjs').Arena} arena @param {AbortSignal} signal */
async function analysisConsumer(arena, signal) {
  const look = async () =>
    (await arena.channel.checkQueue(analysisQueue(arena))).consumerCount > 0 ? true : undefined;
  await poll(look, { timeoutMs: TIMEOUT_MS, everyMs: 50, signal });
}

/**
 * Stores and queues events that lack what the services are asked for, and holds them back until it begins.
 * @param {import('../arena.mjs').Arena} arena
 * @param {number} from
 * @param {number} to
 * @returns {Promise<() => Promise<number>>} begins; the time of it, milliseconds since 1970 by the database's clock
 */
async function fillAnalysisLane({ database, channel, ...arena }, from, to) {
  const queue = analysisQueue({ database, channel, ...arena });
  const children = to;
  const columns = {
    ...EVENT_COLUMNS,
    new_memories_count: 'NULL::int',
    user_initiated_questions: 'i % 3',
    session_emotion: `CASE WHEN i % 5 = 0 THEN 'interesting' END`,
  };
  await database.query('BEGIN');
  await database.query('TRUNCATE conversation_events, friendship_status, dead_letters, suspect_messages');
  await database.query(
    `INSERT INTO conversation_events (${Object.keys(columns).join(', ')})
     SELECT ${Object.values(columns).join(', ')}
       FROM generate_series($1::bigint, $3::bigint) AS i JOIN bench.logs ON logs.variant = i % 4
      WHERE $2::bigint > 0 ORDER BY i`,
    [from, children, to],
  );
  for (let i = from; i <= to; i++) {
    const options = { persistent: true, messageId: conversationId(i), contentType: 'application/json' };
    channel.sendToQueue(queue, messageBody(i, children), options);
  }
  await channel.waitForConfirms();
  // All that may be delivered has been: they wait for the table's lock.
  await delay(300);
  return async () => {
    const { rows } = await database.query('SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now');
    await database.query('COMMIT');
    return rows[0].now;
  };
}

/** @param {string} wait @param {import('../question.mjs').Context} context @returns {Promise<string>} its URL */
async function startSlowService(wait, { onExit }) {
  const child = spawn(process.execPath, [join(checkoutDir, 'bench', 'peers', 'slow-service.mjs'), wait], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  onExit('the slow service', async () => {
    child.kill();
    await ended;
  });
  for await (const line of createInterface(child.stdout)) {
    const url = /^listening (.*)$/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error('Expected the slow service to listen, but it ended.');
}

async function openRequests(/** @type {string} */ url) {
  const answer = /** @type {{ open: number }} */ (await (await fetch(`${url}/open`)).json());
  return answer.open;
}

/** The most that the process ever had resident, MiB. */
function peakMemory(/** @type {number} */ pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? NaN) / 1024;
}
