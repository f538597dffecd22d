// @ts-check
/** Waits until nothing moves any more, and compares what is with what must be. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { TOPICS } from './conversations.mjs';
import oracle from './oracle.cjs';

/** Quiet is what has been quiet for this long: a message in a worker's hands is in no queue. Milliseconds. */
const QUIET_MS = 3_000;

/**
 * What has not come by then never comes. Longer than any delay: what a full work queue refuses when its retry is due, the broker offers
 * again after 10 to 20 s (here; see the private RabbitMQ's settings), and is in no queue's length meanwhile. Milliseconds.
 */
const NOTHING_MORE_MS = 75_000;

/** @typedef {import('./generator.mjs').Ledger} Ledger */

/**
 * @typedef {object} EventRow
 * @property {string} conversation_id
 * @property {string} user_id
 * @property {string} status
 * @property {number} attempt_count
 * @property {number | null} change
 * @property {string | null} topic_id
 * @property {string | null} business_day
 * @property {number} publish_count
 */

/** @typedef {{ dead_letter_id: string, conversation_id: string | null, reason: string, error_code: string | null, attempts: number, body: string }} LetterRow */

const EVENTS = `SELECT conversation_id, user_id, status, attempt_count, first_error_code, last_error_code, friendship_score_change::float8 AS change,
                       topic_id, business_day::text, publish_count, publish_due_at, accepted_at, processed_at
                  FROM conversation_events`;
const LETTERS = `SELECT dead_letter_id, conversation_id, reason, error_code, attempts, settles_event, recorded_at, convert_from(body, 'UTF8') AS body
                   FROM dead_letters ORDER BY dead_letter_id`;
const SUMS = `SELECT status.user_id, status.friendship_score::float8 AS score, coalesce(sum(event.friendship_score_change), 0)::float8 AS sum
                FROM friendship_status AS status
                LEFT JOIN conversation_events AS event ON event.user_id = status.user_id AND event.status = 'PROCESSED'
               GROUP BY status.user_id`;
const COUNTS = `SELECT count(*)::int AS stored, count(*) FILTER (WHERE status = 'PENDING')::int AS pending,
                       count(*) FILTER (WHERE status = 'PROCESSED')::int AS processed,
                       (SELECT count(DISTINCT body)::int FROM dead_letters) AS letters FROM conversation_events`;

/** @param {import('pg').Pool} database @returns {Promise<{ stored: number, pending: number, processed: number, letters: number }>} */
export async function countRows(database) {
  return (await database.query(COUNTS)).rows[0];
}

/**
 * @param {object} options
 * @param {Ledger} options.ledger
 * @param {import('pg').Pool} options.database
 * @param {() => Promise<Record<string, number> | undefined>} options.waiting messages in each queue
 * @param {number} options.limitMs
 * @param {AbortSignal} options.signal
 * @returns {Promise<boolean>} false when it did not become quiet in time
 */
export async function untilQuiet({ ledger, database, waiting, limitMs, signal }) {
  const deadline = Date.now() + limitMs;
  let quietSince = 0;
  let unchangedSince = Date.now();
  let before = '';
  while (Date.now() < deadline) {
    await delay(1_000, undefined, { signal });
    const counts = await countRows(database);
    const queues = await waiting();
    const empty = queues !== undefined && Object.values(queues).every((messages) => messages === 0);
    const now = JSON.stringify(counts);
    if (now !== before || !empty) unchangedSince = Date.now();
    before = now;
    const settled =
      counts.pending === 0 && counts.stored >= ledger.accepted && counts.letters >= ledger.deadLetters.size;
    if (!settled || !empty) quietSince = 0;
    else quietSince ||= Date.now();
    if (quietSince && Date.now() - quietSince >= QUIET_MS) return true;
    if (counts.pending === 0 && Date.now() - unchangedSince >= NOTHING_MORE_MS) return false;
  }
  return false;
}

/**
 * @param {object} options
 * @param {Ledger} options.ledger
 * @param {import('pg').Pool} options.database
 * @param {string[]} options.apiUrls
 * @param {string} options.logs
 * @param {AbortSignal} options.signal
 */
export async function compare({ ledger, database, apiUrls, logs, signal }) {
  /** @type {EventRow[]} */
  const rows = (await database.query(EVENTS)).rows;
  /** @type {LetterRow[]} */
  const letters = (await database.query(LETTERS)).rows;
  const stored = new Map(rows.map((row) => [row.conversation_id, row]));
  const accepted = [...ledger.entries.values()].filter((entry) => entry.accepted);
  const logged = readLogs(logs);

  const deadLetters = compareLetters(ledger, letters);
  const failedWithLetter = new Set(
    letters.filter(({ conversation_id }) => conversation_id).map((letter) => letter.conversation_id),
  );
  /** @param {import('./generator.mjs').Entry} entry */
  const isLost = ({ conversation: { conversation_id: id } }) => {
    const row = stored.get(id);
    return !row || row.status === 'PENDING' || (row.status === 'FAILED' && !failedWithLetter.has(id));
  };
  const lostEvents = accepted.filter(isLost).map(({ conversation, via, tries }) => ({
    id: conversation.conversation_id,
    via,
    tries,
    row: stored.get(conversation.conversation_id),
  }));

  const mismatchedEvents = accepted.flatMap(({ conversation }) => {
    const row = stored.get(conversation.conversation_id);
    if (!row || row.status === 'PENDING' || row.status === 'FAILED') return [];
    const expected = expectedRow(conversation);
    const { status, user_id, change, topic_id, business_day } = row;
    const got = { status, user_id, change, topic_id, business_day };
    return isDeepStrictEqual(got, expected) ? [] : [{ id: row.conversation_id, expected, got }];
  });

  // What no ledger knows must not be there; an event whose post never got an answer may be.
  const strangeRows = rows.filter(({ conversation_id }) => !ledger.entries.has(conversation_id));

  const sums = /** @type {{ user_id: string, score: number, sum: number }[]} */ ((await database.query(SUMS)).rows);
  const surplus = sums.filter(({ score, sum }) => score > sum);
  const deficit = sums.filter(({ score, sum }) => score < sum);
  const countedTwice = [...logged.processed].filter(([, times]) => times > 1).map(([id]) => id);

  const statuses = await compareStatuses(accepted, ledger, stored, apiUrls, signal);
  const recovered = new Set(
    [
      ...logged.again,
      ...rows.filter(({ publish_count }) => publish_count > 0).map(({ conversation_id }) => conversation_id),
    ].filter(
      (id) => ledger.entries.get(id)?.accepted && ['PROCESSED', 'SKIPPED'].includes(stored.get(id)?.status ?? ''),
    ),
  );
  const withStatus = (/** @type {string} */ status) =>
    accepted.filter(({ conversation }) => stored.get(conversation.conversation_id)?.status === status).length;
  return {
    numbers: {
      accepted: accepted.length,
      processed: withStatus('PROCESSED'),
      skipped: withStatus('SKIPPED'),
      lost: lostEvents.length + deficit.length,
      duplicated: Math.max(surplus.length, countedTwice.length),
      recovered: recovered.size,
      statusMismatches: statuses.length,
      eventMismatches: mismatchedEvents.length + strangeRows.length,
      deadLettered: deadLetters.found + deadLetters.unexpected.length,
      expectedDeadLettered: ledger.deadLetters.size,
      deadLetterCopies: deadLetters.copies,
    },
    findings: {
      lostEvents,
      usersWithLessThanTheSum: deficit,
      usersWithMoreThanTheSum: surplus,
      loggedAsProcessedTwice: countedTwice.map((id) => stored.get(id) ?? id),
      statuses,
      mismatchedEvents,
      strangeRows,
      unexpectedDeadLetters: deadLetters.unexpected.map((letter) => ({
        ...letter,
        row: stored.get(letter.conversation_id ?? ''),
      })),
      missingDeadLetters: deadLetters.missing,
      unexpectedAnswers: ledger.unexpectedAnswers.map((answer) => ({ ...answer, row: stored.get(answer.id) })),
    },
  };
}

/** @param {import('./oracle.cjs').Conversation} conversation */
function expectedRow(conversation) {
  const status = oracle.expectedStatus(conversation);
  const processed = status === 'PROCESSED';
  return {
    status,
    user_id: conversation.user_id,
    change: processed ? oracle.changeOf(conversation) : null,
    topic_id: processed ? (TOPICS.get(conversation.agent_tag) ?? null) : null,
    business_day: processed ? oracle.businessDay(oracle.instantOf(conversation.end_time)) : null,
  };
}

/**
 * The same message may be dead-lettered more than once (a worker that dies between dead-lettering and acknowledging): a copy, no other letter.
 * @param {Ledger} ledger @param {LetterRow[]} letters
 */
function compareLetters(ledger, letters) {
  const missing = new Map(ledger.deadLetters);
  /** @type {LetterRow[]} */
  const unexpected = [];
  let found = 0;
  let copies = 0;
  for (const letter of letters) {
    const expected = ledger.deadLetters.get(letter.body);
    if (expected?.reason !== letter.reason) unexpected.push(letter);
    else if (missing.delete(letter.body)) found++;
    else copies++;
  }
  return { found, copies, unexpected, missing: [...missing.values()] };
}

/**
 * Every child over HTTP, as its callers see it.
 * @param {import('./generator.mjs').Entry[]} accepted @param {Ledger} ledger @param {Map<string, EventRow>} stored
 * @param {string[]} apiUrls @param {AbortSignal} signal
 */
async function compareStatuses(accepted, ledger, stored, apiUrls, signal) {
  /** @type {Map<string, import('./oracle.cjs').Conversation[]>} */
  const byUser = new Map([...ledger.entries.values()].map(({ conversation }) => [conversation.user_id, []]));
  for (const { conversation } of accepted) byUser.get(conversation.user_id)?.push(conversation);
  /** @type {{ user: string, expected: unknown, got: unknown, events: unknown[] }[]} */
  const mismatches = [];
  const users = [...byUser];
  const lane = async () => {
    for (let next = users.pop(); next; next = users.pop()) {
      const [user, conversations] = next;
      const response = await fetch(`${apiUrls[users.length % apiUrls.length]}/v1/friendship/${user}`, { signal });
      const body = await response.json();
      const got =
        response.status === 200 ? body : response.status === 404 ? undefined : { status: response.status, body };
      const expected = oracle.friendshipOf(user, conversations, TOPICS);
      if (isDeepStrictEqual(got, expected)) continue;
      const events = conversations.map(({ conversation_id }) => stored.get(conversation_id) ?? conversation_id);
      mismatches.push({ user, expected, got, events });
    }
  };
  await Promise.all(Array.from({ length: 10 }, lane));
  return mismatches;
}

/** What the workers wrote: how often each event was logged as processed, and which came to them more than once. @param {string} folder */
function readLogs(folder) {
  /** @type {Map<string, number>} */
  const processed = new Map();
  /** @type {Set<string>} */
  const again = new Set();
  for (const name of readdirSync(folder)) {
    if (!name.startsWith('worker-')) continue;
    for (const line of readFileSync(join(folder, name), 'utf8').split('\n')) {
      if (name.endsWith('.witness')) {
        const id = /"id":"([^"]+)"/.exec(line)?.[1];
        if (id) again.add(id);
      } else if (line.includes('"msg":"processed"')) {
        const id = /"conversation_id":"([^"]+)"/.exec(line)?.[1];
        if (id) processed.set(id, (processed.get(id) ?? 0) + 1);
      }
    }
  }
  return { processed, again };
}
