// @ts-check
/**
 * `npm run bad-messages`: do bad messages hold up good ones, and does each end where it must? docs/reliability.md has the results.
 *
 *   npm run bad-messages -- [--each 1000] [--rate 200] [--bad-rate 100] [--killers 10] [--json]
 *
 * Good conversations are posted at a fixed rate, first alone, then beside ten kinds of bad messages, as many of each as --each says.
 * Then messages that kill their process, beside good ones that are slow. The last line on stdout is JSON. The exit code is 0 only
 * when every bad message is among the dead letters under its reason, every good one was counted once, and good ones completed at
 * 0.95 of their rate without bad ones or more.
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { BAD_KINDS, BODY_LIMIT, KNOWN_ID, POINTS, conversation } from '../test/chaos/bad-messages.mjs';
import { QUEUE, startSystem } from '../test/chaos/system.mjs';
import { runCommand } from './command.mjs';
import { poll } from './processes.mjs';

const WORKERS = 3;

/** How long everything may take to settle after the last message was sent, milliseconds. */
const SETTLE_LIMIT = 180_000;

/** What good conversations must keep of their rate beside bad ones. */
const LEAST_SHARE = 0.95;

/** Slow good conversations beside the killers, for each killer. */
const SLOW_PER_KILLER = 20;

/** @param {string[]} args */
function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      each: { type: 'string', default: '1000' },
      rate: { type: 'string', default: '200' },
      'bad-rate': { type: 'string', default: '100' },
      killers: { type: 'string', default: '10' },
      json: { type: 'boolean', default: false },
    },
  });
  const number = (/** @type {'each' | 'rate' | 'bad-rate' | 'killers'} */ name, /** @type {number} */ least) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < least)
      throw new Error(`--${name}: expected a whole number from ${least} on, got "${values[name]}".`);
    return value;
  };
  return {
    each: number('each', 1),
    rate: number('rate', 1),
    badRate: number('bad-rate', 1),
    killers: number('killers', 0),
  };
}

/** @type {import('./command.mjs').Command} */
async function main({ args, progress, signal, onExit }) {
  const { each, rate, badRate, killers } = readOptions(args);
  const startedAt = Date.now();
  /** @type {string | undefined} */
  let summary;
  onExit('the summary', async () => void (summary && process.stdout.write(`${summary}\n`)));
  const system = await startSystem({
    progress,
    signal,
    onExit,
    apis: 1,
    workers: WORKERS,
    preload: ['preload/behaviours'],
    settings: { HTTP_BODY_LIMIT: `${BODY_LIMIT / 1024}KiB`, LOG_LEVEL: 'info' },
  });
  const { database, queues, fleet, apiUrls } = system;

  const post = async (/** @type {string} */ id, /** @type {string} */ user) => {
    const { status } = await fetch(`${apiUrls[0]}/v1/conversations/end`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(conversation(id, user)),
      signal,
    });
    if (status !== 202) throw new Error(`${id}: expected 202, got ${status}.`);
  };
  const read = async (/** @type {string} */ sql, /** @type {unknown[]} */ values = []) =>
    (await database.query(sql, values)).rows;
  /** @param {string} what @param {() => Promise<boolean>} done */
  const settled = (what, done) =>
    progress.step(what, async () => {
      const check = async () => (await done()) || undefined;
      if (!(await poll(check, { timeoutMs: SETTLE_LIMIT, everyMs: 500, signal })))
        progress.note(`not settled ${SETTLE_LIMIT / 1000} s later`);
    });
  const processed = async (/** @type {string} */ run) =>
    (
      await read(
        `SELECT count(*)::int AS n FROM conversation_events WHERE conversation_id LIKE $1 AND status = 'PROCESSED'`,
        [`${run}-%`],
      )
    )[0].n;
  const letters = async () => (await read('SELECT count(*)::int AS n FROM dead_letters'))[0].n;

  const badTotal = each * Object.keys(BAD_KINDS).length;
  // As many as are offered while the bad ones are.
  const goodTotal = Math.max(5 * rate, Math.round((badTotal / badRate) * rate));

  /** Good ones at their rate. @param {string} run @param {number} total @param {() => Promise<unknown>} beside */
  const measure = async (run, total, beside) => {
    /** @type {Promise<void>[]} */
    const posts = [];
    const begin = performance.now();
    const besides = beside();
    for (let sent = 0; sent < total; sent++) {
      const wait = begin + (sent * 1000) / rate - performance.now();
      if (wait > 1) await delay(wait, undefined, { signal });
      posts.push(post(`${run}-${sent}`, `child-${sent % 200}`));
      posts.at(-1)?.catch(() => undefined);
    }
    const offeredSeconds = (performance.now() - begin) / 1000;
    await Promise.all(posts);
    await besides;
    await settled(`${run}: waiting for ${total} good conversations`, async () => (await processed(run)) === total);
    const [row] = await read(
      `SELECT count(*)::int AS counted, extract(epoch FROM max(processed_at) - min(accepted_at))::float8 AS seconds,
              percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY extract(epoch FROM processed_at - accepted_at) * 1000) AS critical
         FROM conversation_events WHERE conversation_id LIKE $1 AND status = 'PROCESSED'`,
      [`${run}-%`],
    );
    const [p50, p99] = row.critical ?? [];
    return {
      offered: total,
      offeredPerSecond: round(total / offeredSeconds),
      counted: row.counted,
      countedPerSecond: round(row.counted / row.seconds),
      criticalMs: { p50: round(p50), p99: round(p99) },
    };
  };

  await post(KNOWN_ID, 'child-known');
  await measure('warm', 5 * rate, async () => undefined);
  const alone = await measure('alone', goodTotal, async () => undefined);
  progress.note(`alone: ${JSON.stringify(alone)}`);

  /** @type {Map<string, string>} hash of the body to the reason that it must have */
  const expected = new Map();
  const sendBad = async () => {
    const begin = performance.now();
    /** @type {Promise<void>[]} */
    const sends = [];
    let sent = 0;
    for (let number = 0; number < each; number++) {
      for (const [name, { reason, body }] of Object.entries(BAD_KINDS)) {
        const content = Buffer.from(body(`bad-${name.replaceAll(' ', '')}-${number}`));
        expected.set(createHash('sha256').update(content).digest('hex'), reason);
        const wait = begin + (sent++ * 1000) / badRate - performance.now();
        if (wait > 1) await delay(wait, undefined, { signal });
        sends.push(queues.publish(QUEUE, content, undefined));
      }
    }
    await Promise.all(sends);
  };
  const beside = await measure('beside', goodTotal, sendBad);
  progress.note(`beside ${badTotal} bad ones: ${JSON.stringify(beside)}`);
  await settled(`waiting for ${badTotal} dead letters`, async () => (await letters()) >= badTotal);

  /** @type {Record<string, number>} */
  const byReason = {};
  let wrong = 0;
  for (const { hash, reason } of await read(`SELECT encode(sha256(body), 'hex') AS hash, reason FROM dead_letters`)) {
    if (expected.get(hash) === reason) byReason[reason] = (byReason[reason] ?? 0) + 1;
    else wrong++;
    expected.delete(hash);
  }

  const slow = killers * SLOW_PER_KILLER;
  if (killers > 0) {
    progress.note(`${killers} that kill their process, beside ${slow} that take half a second each`);
    for (let number = 0; number < slow; number++) {
      await post(`slow-${number}`, `slow-${number % 20}`);
      if (number % SLOW_PER_KILLER === SLOW_PER_KILLER / 2) await post(`killer-${number}`, `killer-${number}`);
    }
    await settled(
      'waiting for both',
      async () => (await processed('slow')) === slow && (await letters()) >= badTotal + killers,
    );
  }
  const [killed] = await read(
    `SELECT count(*)::int AS n FROM dead_letters WHERE reason = 'WORKER_CRASHED' AND settles_event AND conversation_id LIKE 'killer-%'`,
  );
  const [sums] = await read(
    `SELECT (SELECT coalesce(sum(friendship_score), 0) FROM friendship_status)::int AS score,
            (SELECT count(*) FROM conversation_events WHERE status = 'PENDING')::int AS pending,
            (SELECT count(*) FROM dead_letters)::int AS letters`,
  );
  const good = 1 + 5 * rate + 2 * goodTotal + slow;
  const share = round(beside.countedPerSecond / alone.countedPerSecond, 3);
  const result = {
    alone,
    beside,
    share,
    bad: badTotal,
    badPerSecond: badRate,
    byReason,
    wrongReason: wrong,
    missing: expected.size,
    killers,
    killersDeadLettered: killed.n,
    workerDeaths: fleet.crashes.filter(({ how }) => how === 'SIGKILL').length,
    otherCrashes: fleet.crashes.filter(({ how }) => how !== 'SIGKILL').length,
    slowCounted: await processed('slow'),
    // Every good conversation is worth the same, so the sum tells whether each was counted once.
    scoreOff: sums.score - POINTS * good,
    pending: sums.pending,
    strayLetters: sums.letters - badTotal - killers,
    seconds: Math.round((Date.now() - startedAt) / 1000),
  };
  const ok =
    share >= LEAST_SHARE &&
    [wrong, result.missing, result.scoreOff, result.pending, result.strayLetters, result.otherCrashes].every(
      (n) => n === 0,
    ) &&
    result.killersDeadLettered === killers &&
    result.slowCounted === slow;
  summary = JSON.stringify({ ok, ...result });
  if (ok) system.forgetLogs();
  return ok ? 0 : 1;
}

/** @param {number} value */
function round(value, digits = 1) {
  return Number(Number(value).toFixed(digits));
}

await runCommand(main);
