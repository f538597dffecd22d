// @ts-check
/**
 * The load, and the ledger of what came of it: what was answered 202, or confirmed by the broker, is accepted; nothing else is.
 * A post that got no answer, or a 5xx, is repeated with the same body until it gets one.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { POISON_KINDS, POISON_REASONS } from './conversations.mjs';

/** Longer than any answer should take; a process that stands still is given up. */
const ANSWER_TIMEOUT_MS = 6_000;

/** The wait before a post is repeated doubles from the first to the last, milliseconds: a storm of repetitions would keep down what is trying to get up. */
const REPEAT = { first: 200, last: 4_000 };

/** The shares of conversations that come another way, or once more. The rest is posted once. */
const SHARES = {
  queueOnly: 0.2,
  duplicatePost: 0.1,
  wholeCopy: 0.05,
  reference: 0.1,
  conflictingPost: 0.02,
  conflictingMessage: 0.01,
  poison: 0.03,
};

/** Second messages follow the first within this time, milliseconds. */
const LATEST_EXTRA_MS = 8_000;

/**
 * @typedef {object} Entry an accepted conversation, or one on its way to be
 * @property {import('./oracle.cjs').Conversation} conversation
 * @property {'http' | 'queue'} via
 * @property {boolean} accepted
 * @property {number} tries
 */

/**
 * @typedef {object} Ledger
 * @property {Map<string, Entry>} entries by conversation id
 * @property {Map<string, { reason: string, id: string }>} deadLetters what must be found among the dead letters, by its body
 * @property {{ id: string, expected: string, got: string }[]} unexpectedAnswers
 * @property {Record<string, number>} sent how many of each kind
 * @property {number} posted requests, repetitions included
 * @property {number} accepted
 */

/**
 * @param {object} options
 * @param {ReturnType<typeof import('./conversations.mjs').createConversations>} options.conversations
 * @param {import('./random.mjs').Random} options.random
 * @param {string[]} options.apiUrls
 * @param {import('./queues.mjs').Queues} options.queues
 * @param {string} options.queue
 * @param {number} options.events
 * @param {number} options.rate conversations a second
 * @param {AbortSignal} options.signal
 */
export function createGenerator({ conversations, random, apiUrls, queues, queue, events, rate, signal }) {
  /** @type {Ledger} */
  const ledger = {
    entries: new Map(),
    deadLetters: new Map(),
    unexpectedAnswers: [],
    sent: {},
    posted: 0,
    accepted: 0,
  };
  /** @type {Set<Promise<unknown>>} */
  const underWay = new Set();
  let poisons = 0;

  const count = (/** @type {string} */ kind) => void (ledger.sent[kind] = (ledger.sent[kind] ?? 0) + 1);

  const start = (/** @type {() => Promise<unknown>} */ work) => {
    const promise = work().finally(() => underWay.delete(promise));
    promise.catch(() => undefined); // awaited by run()
    underWay.add(promise);
  };

  /** @param {import('./oracle.cjs').Conversation} body @param {202 | 409} expected @param {Entry} [entry] */
  const post = async (body, expected, entry) => {
    let wait = REPEAT.first;
    for (let api = random.integer(0, apiUrls.length - 1); ; api++) {
      signal.throwIfAborted();
      ledger.posted++;
      if (entry) entry.tries++;
      const status = await fetch(`${apiUrls[api % apiUrls.length]}/v1/conversations/end`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      }).then(
        async (response) => (await response.text(), response.status),
        () => 0,
      );
      if (status === expected) return;
      if (status > 0 && status < 500) {
        ledger.unexpectedAnswers.push({ id: body.conversation_id, expected: String(expected), got: String(status) });
        return;
      }
      await delay(wait * (0.5 + random.next()), undefined, { signal });
      wait = Math.min(2 * wait, REPEAT.last);
    }
  };

  const messageId = (/** @type {string} */ id) => (random.chance(0.7) ? id : undefined);

  /** @param {Entry} entry */
  const accept = (entry) => {
    entry.accepted = true;
    ledger.accepted++;
  };

  const sendPoison = async () => {
    const kind = /** @type {import('./conversations.mjs').PoisonKind} */ (
      POISON_KINDS[poisons++ % POISON_KINDS.length]
    );
    const { id, body } = conversations.poison(kind);
    count(`poison ${kind}`);
    ledger.deadLetters.set(body, { reason: POISON_REASONS[kind], id });
    await queues.publish(queue, body, messageId(id));
  };

  const sendConversation = async () => {
    const conversation = conversations.conversation();
    const id = conversation.conversation_id;
    /** @type {Entry} */
    const entry = { conversation, via: random.chance(SHARES.queueOnly) ? 'queue' : 'http', accepted: false, tries: 0 };
    ledger.entries.set(id, entry);
    const later = () => delay(random.integer(0, LATEST_EXTRA_MS), undefined, { signal });

    if (entry.via === 'queue') {
      count('whole conversation queued');
      await queues.publish(queue, JSON.stringify(conversation), messageId(id));
      accept(entry);
    } else {
      // A producer may do both at once.
      if (random.chance(SHARES.wholeCopy)) {
        count('whole copy queued');
        start(async () => queues.publish(queue, JSON.stringify(conversation), messageId(id)));
      }
      await post(conversation, 202, entry);
      accept(entry);
      if (random.chance(SHARES.reference)) {
        count('redelivery');
        const { user_id, bot_id } = conversation;
        start(async () => {
          await later();
          await queues.publish(queue, JSON.stringify({ conversation_id: id, user_id, bot_id }), messageId(id));
        });
      }
      if (random.chance(SHARES.conflictingPost)) {
        count('conflicting post');
        start(async () => (await later(), post({ ...conversation, bot_id: 'another-bot' }, 409)));
      }
      if (random.chance(SHARES.conflictingMessage)) {
        count('conflicting message');
        const body = JSON.stringify({ ...conversation, bot_id: 'another-bot' });
        ledger.deadLetters.set(body, { reason: 'CONVERSATION_CONFLICT', id });
        start(async () => (await later(), queues.publish(queue, body, messageId(id))));
      }
    }
    if (random.chance(SHARES.duplicatePost)) {
      count('duplicate post');
      start(async () => (await later(), post(conversation, 202)));
    }
  };

  return {
    ledger,
    /** Resolves when everything was sent and answered. */
    run: async () => {
      const startedAt = performance.now();
      for (let sent = 0; sent < events; sent++) {
        const due = startedAt + (sent * 1000) / rate;
        const wait = due - performance.now();
        if (wait > 1) await delay(wait, undefined, { signal });
        start(sendConversation);
        if (random.chance(SHARES.poison)) start(sendPoison);
      }
      while (underWay.size > 0) await Promise.all(underWay);
      signal.throwIfAborted();
    },
  };
}
