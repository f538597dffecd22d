// @ts-check
/** The broker as a publisher outside of the service sees it: straight to a queue, confirmed, over and over until it is. */
import { setTimeout as delay } from 'node:timers/promises';

const CONFIRM_TIMEOUT_MS = 5_000;

/** A broker that dies in the middle of a handshake may leave it without an end. */
const OPEN_TIMEOUT_MS = 10_000;

/**
 * @param {object} options
 * @param {() => string} options.url of a living node
 * @param {AbortSignal} options.signal
 */
export async function createQueues({ url, signal }) {
  const { default: amqp } = await import('amqplib');
  /** @typedef {{ channel: import('amqplib').ConfirmChannel, connection: import('amqplib').ChannelModel, lost: Promise<never> }} Live */
  /** @type {Promise<Live> | undefined} */
  let live;

  const open = async () => {
    const connection = await amqp.connect(`${url()}?heartbeat=5`, { timeout: 3_000 });
    /** @type {(error: Error) => void} */
    let lose = () => undefined;
    const lost = /** @type {Promise<never>} */ (new Promise((_, reject) => void (lose = reject)));
    lost.catch(() => undefined);
    const forget = () => {
      live = undefined;
      lose(new Error('the connection was lost'));
    };
    connection.on('error', forget);
    connection.on('close', forget);
    const channel = await connection.createConfirmChannel();
    channel.on('error', forget);
    channel.on('close', forget);
    return { channel, connection, lost };
  };
  const openInTime = async () => {
    const opening = open();
    const late = delay(OPEN_TIMEOUT_MS, 'late', { ref: false });
    const opened = await Promise.race([opening, late]);
    if (opened !== 'late') return /** @type {Live} */ (opened);
    opening.then(({ connection }) => connection.close()).catch(() => undefined);
    throw new Error(`Expected a connection within ${OPEN_TIMEOUT_MS} ms.`);
  };
  const current = () => {
    live ??= openInTime().catch((error) => {
      live = undefined;
      throw error;
    });
    return live;
  };

  return {
    /**
     * Resolves when the broker has confirmed it. Each try that failed may have arrived all the same.
     * @param {string} queue @param {string | Buffer} body @param {string | undefined} messageId
     */
    publish: async (queue, body, messageId) => {
      for (;;) {
        signal.throwIfAborted();
        try {
          const { channel, lost } = await current();
          const confirmed = new Promise((resolve, reject) => {
            const options = { persistent: true, mandatory: true, messageId, contentType: 'application/json' };
            channel.sendToQueue(queue, Buffer.from(body), options, (error) => (error ? reject(error) : resolve(true)));
          });
          confirmed.catch(() => undefined);
          const late = delay(CONFIRM_TIMEOUT_MS, 'late', { ref: false });
          if ((await Promise.race([confirmed, lost, late])) !== 'late') return;
        } catch {
          // once more
        }
        await delay(300, undefined, { signal });
      }
    },
    /** Messages in these queues that no worker has; undefined when the broker cannot say. @param {string[]} names */
    waiting: async (names) => {
      try {
        const { connection } = await current();
        const channel = await connection.createChannel();
        channel.on('error', () => undefined);
        /** @type {Record<string, number>} */
        const counts = {};
        for (const name of names) counts[name] = (await channel.checkQueue(name)).messageCount;
        await channel.close();
        return counts;
      } catch {
        return undefined;
      }
    },
    close: async () => {
      const { connection } = (await live?.catch(() => undefined)) ?? {};
      await connection?.close().catch(() => undefined);
    },
  };
}

/** @typedef {Awaited<ReturnType<typeof createQueues>>} Queues */
