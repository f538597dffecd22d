// @ts-check
/**
 * `npm run autoscale`: a burst of ten times the base rate, real worker processes, and the autoscaler of deploy/kubernetes as a loop that
 * starts and stops them. docs/scaling.md tells what was seen.
 *
 *   npm run autoscale -- --autoscaler hpa | keda [--base 5] [--burst-seconds 40] [--prefetch 2] [--out .local/autoscale]
 *
 * Takes about three minutes. Leaves a chart and the figures in the folder; the last line on stdout is JSON. The exit code is 0 only when
 * nothing was lost, duplicated or wrong, the burst was absorbed, and every worker that was stopped ended with 0.
 */
import { setMaxListeners } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { AUTOSCALERS } from '../bench/autoscale/autoscalers.mjs';
import { createLoad } from '../bench/autoscale/load.mjs';
import { FACTOR, metricsResolution, requestedCores } from '../bench/autoscale/manifests.mjs';
import { endpointSettings, queueLength, tickEvery } from '../bench/autoscale/queue-length.mjs';
import { absorption, criticalTime, eventTimes, howWorkersFared, picture } from '../bench/autoscale/recording.mjs';
import { createWorkers } from '../bench/autoscale/workers.mjs';
import { createConversations } from '../test/chaos/conversations.mjs';
import { freePort } from '../test/chaos/fleet.mjs';
import { createRandom } from '../test/chaos/random.mjs';
import { QUEUES, startSystem } from '../test/chaos/system.mjs';
import { compare, untilQuiet } from '../test/chaos/verdict.mjs';
import { runCommand } from './command.mjs';
import { checkoutDir } from './services/checkout.mjs';

const BURST = 10;
const BASE_SECONDS = 20;
const CHILDREN = 60;

/** What makes a worker slow: two calls of 300 ms at once, that is 6.7 messages a second. */
const CALLS = 2;
const CALL_MS = 300;

const RATE_OF_ONE = ((CALLS * 1_000) / CALL_MS).toFixed(1);

/** How often the loop looks; the autoscalers have periods of their own. Milliseconds. */
const LOOK_MS = 250;

/** The broker's own default, divided like every time. Milliseconds. */
const QUEUE_TICK_MS = 5_000 / FACTOR;

/** How long after the burst the queue must be back, and the workers be as few as before, seconds. */
const ABSORB_LIMIT = 60;
const CALM_LIMIT = 150;

/** What still drains needs a place, too. */
const SPARE_PLACES = 4;

const PROGRESS_MS = 5_000;

/** @param {string[]} args */
function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      autoscaler: { type: 'string' },
      base: { type: 'string', default: '5' },
      'burst-seconds': { type: 'string', default: '40' },
      prefetch: { type: 'string', default: String(CALLS) },
      out: { type: 'string', default: join(checkoutDir, '.local', 'autoscale') },
    },
  });
  const { autoscaler } = values;
  if (autoscaler !== 'hpa' && autoscaler !== 'keda')
    throw new Error(
      `--autoscaler: expected hpa or keda, got ${autoscaler === undefined ? 'none' : `"${autoscaler}"`}.`,
    );
  const number = (/** @type {'base' | 'burst-seconds' | 'prefetch'} */ name, /** @type {number} */ most) => {
    const value = Number(values[name]);
    if (!(value >= 1 && value <= most))
      throw new Error(`--${name}: expected a number 1..${most}, got "${values[name]}".`);
    return value;
  };
  const prefetch = number('prefetch', 1_000);
  if (!Number.isInteger(prefetch)) throw new Error(`--prefetch: expected an integer, got "${values.prefetch}".`);
  return /** @type {const} */ ({
    autoscaler,
    base: number('base', 100),
    burstSeconds: number('burst-seconds', 600),
    prefetch,
    out: resolve(values.out),
  });
}

/** @type {import('./command.mjs').Command} */
async function main({ args, progress, signal: interrupted, onExit }) {
  const options = readOptions(args);
  const { base, burstSeconds, prefetch } = options;
  const autoscaler = AUTOSCALERS[options.autoscaler]();
  const { minReplicas, maxReplicas } = autoscaler;
  /** @type {string | undefined} */
  let summary;
  // Registered first, so done last: nothing may follow this line.
  onExit('the summary', async () => void (summary && process.stdout.write(`${summary}\n`)));
  const running = new AbortController();
  const { signal } = running;
  setMaxListeners(0, signal);
  interrupted.addEventListener('abort', () => running.abort(interrupted.reason), { once: true });
  onExit('what goes on', async () => running.abort(new Error('the run is over')));
  const fail = (/** @type {Error} */ error) => running.abort(error);

  const metricsPort = await freePort();
  const system = await startSystem({
    progress,
    signal,
    onExit,
    apis: 1,
    workers: 0,
    places: maxReplicas + SPARE_PLACES,
    preload: ['preload/witness', '../../bench/autoscale/slow-call'],
    settings: {
      WORKER_REPLICAS: String(maxReplicas),
      DATABASE_POOL_SIZE: '4',
      RABBITMQ_CHANNELS: '1',
      MESSAGE_CONCURRENCY_PER_WORKER: String(prefetch),
      AUTOSCALE_CALLS: String(CALLS),
      AUTOSCALE_CALL_MS: String(CALL_MS),
    },
    broker: {
      plugins: ['rabbitmq_prometheus'],
      settings: endpointSettings(metricsPort),
      ctl: tickEvery(QUEUE_TICK_MS),
    },
  });
  const { fleet, database, queues, folder } = system;
  const [apiUrl = ''] = system.apiUrls;
  const workers = createWorkers({
    slots: fleet.workers,
    requestedCores: requestedCores(),
    resolution: metricsResolution,
    signal,
    onError: fail,
  });
  await progress.step(`starting ${minReplicas} workers`, async () => {
    workers.scale(minReplicas);
    while (workers.ready < minReplicas) await delay(LOOK_MS, undefined, { signal });
  });

  const { conversation } = createConversations({ run: 'burst', children: CHILDREN, random: createRandom('autoscale') });
  const begin = Date.now();
  const phases = {
    begin,
    burst: begin + BASE_SECONDS * 1_000,
    base: begin + (BASE_SECONDS + burstSeconds) * 1_000,
    end: Infinity,
  };
  const rate = () => {
    const now = Date.now();
    return now >= phases.end ? 0 : now >= phases.burst && now < phases.base ? base * BURST : base;
  };
  const load = createLoad({ url: apiUrl, next: () => conversation(), rate, signal });
  onExit('the load', load.close);
  const loaded = load.run();
  loaded.catch(fail);
  progress.note(
    `${options.autoscaler}: ${base} a second, then ${base * BURST} for ${burstSeconds} s; ${RATE_OF_ONE} a second for each worker, ` +
      `prefetch ${prefetch}, ${minReplicas} to ${maxReplicas} workers for ${autoscaler.messagesPerReplica} messages each; times a ${FACTOR}th`,
  );

  /** @type {import('../bench/autoscale/recording.mjs').Sample[]} */
  const samples = [];
  const inHand = minReplicas * CALLS;
  let told = 0;
  for (;;) {
    signal.throwIfAborted();
    const queue = await queueLength(metricsPort, autoscaler.queue);
    const now = Date.now();
    const pods = workers.pods();
    const current = workers.replicas;
    workers.scale(autoscaler.decide(now, { current, queue, pods }));
    const { replicas, ready: readyWorkers, draining } = workers;
    samples.push({ at: now, ready: queue?.ready, unacked: queue?.unacked, replicas, readyWorkers, draining });
    if (now - told >= PROGRESS_MS) {
      told = now;
      const used = pods.map(({ utilization }) =>
        utilization === undefined ? '–' : `${Math.round(utilization * 100)}`,
      );
      progress.note(
        `${Math.round((now - begin) / 1_000)} s, ${rate()} a second: ${load.ledger.accepted} accepted, ` +
          `${queue ? `${queue.ready} ready, ${queue.unacked} unacknowledged` : 'no answer of the broker'}, ` +
          `${readyWorkers} of ${replicas} workers ready, ${draining} draining, CPU ${used.join(' ')} %`,
      );
    }
    const isBack = absorption(samples, phases, inHand).seconds !== null;
    if (isBack && replicas === minReplicas && draining === 0) break;
    if (now > phases.base + CALM_LIMIT * 1_000) break;
    await delay(LOOK_MS - ((Date.now() - begin) % LOOK_MS), undefined, { signal });
  }
  phases.end = Date.now();
  const calm = workers.replicas === minReplicas;
  await loaded;

  const quiet = await progress.step('waiting until nothing moves', () =>
    untilQuiet({ ledger: load.ledger, database, waiting: () => queues.waiting(QUEUES), limitMs: 120_000, signal }),
  );
  await workers.stopAll();
  const { numbers, findings } = await compare({
    ledger: load.ledger,
    database,
    apiUrls: system.apiUrls,
    logs: folder,
    signal,
  });
  const left = (await queues.waiting(QUEUES)) ?? { unknown: 1 };
  const events = await eventTimes(database);
  const queueSeen = absorption(samples, phases, inHand);
  const { exitCodes, ...fared } = howWorkersFared(workers.all, minReplicas);

  const result = {
    autoscaler: options.autoscaler,
    prefetch,
    base,
    burst: base * BURST,
    burstSeconds,
    factor: FACTOR,
    accepted: numbers.accepted,
    lost: numbers.lost,
    duplicated: numbers.duplicated,
    recovered: numbers.recovered,
    statusMismatches: numbers.statusMismatches,
    eventMismatches: numbers.eventMismatches,
    deadLettered: numbers.deadLettered,
    unexpectedAnswers: load.ledger.unexpectedAnswers.length,
    leftInQueues: Object.values(left).reduce((sum, messages) => sum + messages, 0),
    quiet,
    crashes: fleet.crashes.length,
    lateStops: fleet.lateStops.length,
    exitCodes,
    replicas: [minReplicas, Math.max(...samples.map(({ replicas }) => replicas))],
    scaledDownAgain: calm,
    queue: queueSeen,
    workers: fared,
    criticalTime: criticalTime(events, begin, phases.end),
    seconds: Math.round((phases.end - begin) / 1_000),
  };
  summary = JSON.stringify(result);
  const name = `${options.autoscaler}-prefetch-${prefetch}`;
  mkdirSync(options.out, { recursive: true });
  const title = `${base}, then ${base * BURST} messages a second: ${options.autoscaler === 'hpa' ? 'HPA' : 'KEDA'}, prefetch ${prefetch}`;
  const foot = `${RATE_OF_ONE} messages a second for each worker. Times and queue are a ${FACTOR}th of the manifests' own; the burst is shaded.`;
  writeFileSync(join(options.out, `${name}.svg`), picture({ title, foot, samples, events, phases }));
  writeFileSync(join(options.out, `${name}.json`), `${JSON.stringify(result, null, 1)}\n`);
  progress.note(`chart and figures: ${relative(process.cwd(), join(options.out, name))}.{svg,json}`);

  const clean = isClean(result);
  if (clean) system.forgetLogs();
  else {
    const everything = { ...findings, crashes: fleet.crashes, lateStops: fleet.lateStops, left };
    writeFileSync(join(folder, 'findings.json'), JSON.stringify(everything, null, 1));
  }
  progress.note(clean ? 'absorbed, nothing lost, nothing duplicated' : 'NOT AS IT MUST BE');
  return clean ? 0 : 1;
}

/** @param {Record<string, any>} result */
function isClean(result) {
  const zero = [
    'lost',
    'duplicated',
    'statusMismatches',
    'eventMismatches',
    'deadLettered',
    'unexpectedAnswers',
    'leftInQueues',
    'crashes',
    'lateStops',
  ];
  const { seconds } = result.queue;
  return (
    zero.every((name) => result[name] === 0) &&
    result.quiet &&
    result.scaledDownAgain &&
    result.exitCodes.every((/** @type {unknown} */ code) => code === 0) &&
    result.workers.withoutWork === 0 &&
    seconds !== null &&
    seconds <= ABSORB_LIMIT
  );
}

await runCommand(main);
