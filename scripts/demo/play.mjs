// @ts-check
/** Sends the samples in their order, and finds out what became of each: from answers, statuses and dead letters, nothing else. */
import { setTimeout as delay } from 'node:timers/promises';

/** Far above what these few messages need; in time it says which of them hang. */
const SETTLE_TIMEOUT_MS = 90_000;

const POLL_MS = 150;

/**
 * @typedef {object} Sent
 * @property {import('./samples.mjs').Step} step
 * @property {string | undefined} conversationId undefined: a message that names none
 * @property {boolean} knownBefore the conversation had been sent already when this was
 * @property {string} [outcome] "processed", "skipped", "duplicate", "rejected 409", "dead-lettered REASON"
 */

/**
 * @typedef {object} Stage
 * @property {import('./service-client.mjs').ServiceClient} client
 * @property {import('./broker.mjs').Broker} broker
 * @property {AbortSignal} signal
 * @property {(text: string) => void} show one line of live progress
 */

/**
 * @param {import('./samples.mjs').Step[]} steps
 * @param {Stage} stage
 * @returns {Promise<Sent[]>}
 */
export async function play(steps, stage) {
  /** @type {Sent[]} */
  const sent = [];
  for (const step of steps) {
    if (step.after === 'settled') await untilSettled(sent, steps.length, stage);
    sent.push(await send(step, sent, stage));
    stage.show(`sent ${sent.length} of ${steps.length}`);
  }
  await untilSettled(sent, steps.length, stage);
  await checkDuplicates(sent, stage);
  return sent;
}

/** @param {import('./samples.mjs').Step} step @param {Sent[]} before @param {Stage} stage @returns {Promise<Sent>} */
async function send(step, before, { client, broker }) {
  const conversationId = conversationIdOf(step);
  const knownBefore = conversationId !== undefined && before.some((other) => other.conversationId === conversationId);
  if (step.via === 'queue') {
    await broker.publish(step.text ?? JSON.stringify(step.body), `demo-${step.name}`);
    return { step, conversationId, knownBefore };
  }
  const { status, body } = await client.postConversation(step.body ?? {});
  if (status === 202)
    return { step, conversationId, knownBefore, outcome: body?.data?.duplicate === true ? 'duplicate' : undefined };
  if (status >= 400 && status < 500) return { step, conversationId, knownBefore, outcome: `rejected ${status}` };
  throw new Error(
    `${step.name}: expected 202 or a refusal (4xx) from POST /v1/conversations/end, got ${status} ${body?.code ?? ''}`,
  );
}

/** @param {import('./samples.mjs').Step} step @returns {string | undefined} */
function conversationIdOf({ body, text }) {
  try {
    const id = (body ?? JSON.parse(text ?? ''))?.conversation_id;
    return typeof id === 'string' ? id : undefined;
  } catch {
    return undefined;
  }
}

/** @param {Sent[]} sent @param {number} total @param {Stage} stage */
async function untilSettled(sent, total, stage) {
  const deadline = Date.now() + SETTLE_TIMEOUT_MS;
  let quietPolls = 0;
  for (;;) {
    stage.signal.throwIfAborted();
    // Taken twice in a row with nothing waiting: a message taken in between has been seen too.
    quietPolls = (await stage.broker.waiting()) === 0 ? quietPolls + 1 : 0;
    await observe(sent, quietPolls >= 2, stage);
    const open = sent.filter(({ outcome }) => outcome === undefined);
    stage.show(`sent ${sent.length} of ${total}, settled ${sent.length - open.length}`);
    if (open.length === 0) return;
    if (Date.now() > deadline) {
      throw new Error(
        `Expected everything to settle within ${SETTLE_TIMEOUT_MS / 1000} s; ${open.length} did not: ${open.map(({ step }) => step.name).join(', ')}`,
      );
    }
    await delay(POLL_MS);
  }
}

/** @param {Sent[]} sent @param {boolean} queueIsEmpty @param {Stage} stage */
async function observe(sent, queueIsEmpty, { client }) {
  /** @type {Sent[]} */
  const unclear = [];
  for (const one of sent) {
    if (one.outcome !== undefined) continue;
    const stored = one.conversationId === undefined ? undefined : await client.conversation(one.conversationId);
    if (one.step.via === 'queue' && one.knownBefore) {
      // The first message decides the conversation; of this one only a dead letter could be seen.
      if (queueIsEmpty && isSettled(stored)) one.outcome = 'duplicate';
    } else if (stored?.status === 'PROCESSED') one.outcome = 'processed';
    else if (stored?.status === 'SKIPPED') one.outcome = 'skipped';
    else if (stored?.status === 'FAILED' || (stored === undefined && queueIsEmpty)) unclear.push(one);
  }
  if (unclear.length > 0) assignDeadLetters(unclear, await client.deadLetters());
}

/** @param {{ status: string } | undefined} stored */
function isSettled(stored) {
  return stored !== undefined && stored.status !== 'PENDING';
}

/**
 * A dead letter belongs to the message with its conversation; one without, to a message that named none. Each to one message only.
 * @param {Sent[]} candidates
 * @param {import('./service-client.mjs').DeadLetter[]} deadLetters
 */
function assignDeadLetters(candidates, deadLetters) {
  const free = [...deadLetters];
  for (const one of candidates) {
    const own = free.findIndex(({ conversation_id }) => conversation_id === (one.conversationId ?? null));
    const [letter] = own === -1 ? [] : free.splice(own, 1);
    if (letter) one.outcome = `dead-lettered ${letter.reason}`;
  }
}

/**
 * The last look: a message taken for a duplicate may have been set aside after all (the same id with another conversation).
 * @param {Sent[]} sent
 * @param {Stage} stage
 */
async function checkDuplicates(sent, { client }) {
  const deadLetters = await client.deadLetters();
  const counted = sent.filter(({ outcome }) => outcome?.startsWith('dead-lettered'));
  const rest = [...deadLetters];
  for (const { conversationId } of counted) {
    const index = rest.findIndex(({ conversation_id }) => conversation_id === (conversationId ?? null));
    if (index !== -1) rest.splice(index, 1);
  }
  assignDeadLetters(
    sent.filter(({ step, outcome }) => step.via === 'queue' && outcome === 'duplicate'),
    rest,
  );
}

/** @param {Sent[]} sent @returns {import('./samples.mjs').Totals} */
export function totalsOf(sent) {
  const count = (/** @type {(one: Sent) => boolean | undefined} */ test) => sent.filter(test).length;
  return {
    posted: count(({ step }) => step.via === 'http'),
    direct: count(({ step }) => step.via === 'queue'),
    processed: count(({ outcome }) => outcome === 'processed'),
    skipped: count(({ outcome }) => outcome === 'skipped'),
    deadLettered: count(({ outcome }) => outcome?.startsWith('dead-lettered')),
    duplicates: count(({ outcome }) => outcome === 'duplicate'),
    rejected: count(({ outcome }) => outcome?.startsWith('rejected')),
  };
}
