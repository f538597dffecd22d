// @ts-check
/** Posts at a rate that changes: base, burst, base. The ledger is that of test/chaos, so that its verdict can judge. */
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'undici';

/** Patient: on a busy machine a repetition of what is only late is more load. */
const ANSWER_TIMEOUT_MS = 60_000;

/** Posts beyond as many wait for one to be answered. */
const CONNECTIONS = 32;

/** Milliseconds between two tries of a post that got no answer. */
const REPEAT_MS = 500;

/**
 * @param {object} options
 * @param {string} options.url of the api
 * @param {() => import('../../test/chaos/oracle.cjs').Conversation} options.next
 * @param {() => number} options.rate conversations a second now; 0 ends it
 * @param {AbortSignal} options.signal
 */
export function createLoad({ url, next, rate, signal }) {
  const pool = new Pool(url, { connections: CONNECTIONS, headersTimeout: ANSWER_TIMEOUT_MS });
  /** @type {import('../../test/chaos/generator.mjs').Ledger} */
  const ledger = {
    entries: new Map(),
    deadLetters: new Map(),
    unexpectedAnswers: [],
    sent: {},
    posted: 0,
    accepted: 0,
  };
  /** @type {Set<Promise<void>>} */
  const underWay = new Set();

  const post = async () => {
    const conversation = next();
    const id = conversation.conversation_id;
    /** @type {import('../../test/chaos/generator.mjs').Entry} */
    const entry = { conversation, via: 'http', accepted: false, tries: 0 };
    ledger.entries.set(id, entry);
    for (;;) {
      signal.throwIfAborted();
      ledger.posted++;
      entry.tries++;
      const status = await pool
        .request({
          method: 'POST',
          path: '/v1/conversations/end',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(conversation),
        })
        .then(
          async ({ statusCode, body }) => (await body.dump(), statusCode),
          () => 0,
        );
      if (status === 202) {
        entry.accepted = true;
        ledger.accepted++;
        return;
      }
      if (status > 0 && status < 500) {
        ledger.unexpectedAnswers.push({ id, expected: '202', got: String(status) });
        return;
      }
      await delay(REPEAT_MS, undefined, { signal });
    }
  };

  return {
    ledger,
    /** An open loop: a post is due whatever became of the ones before. Resolves when the last is answered. */
    run: async () => {
      let due = performance.now();
      for (let now = rate(); now > 0; now = rate()) {
        due += 1_000 / now;
        const wait = due - performance.now();
        if (wait > 1) await delay(wait, undefined, { signal });
        const promise = post().finally(() => underWay.delete(promise));
        promise.catch(() => undefined); // awaited below
        underWay.add(promise);
      }
      while (underWay.size > 0) await Promise.all(underWay);
    },
    close: () => pool.destroy(),
  };
}
