// @ts-check
/** RabbitMQ as the demo uses it: as a foreign publisher that knows nothing but the queue's name. */
import { queuesOf } from './names.mjs';

/**
 * @typedef {object} Broker
 * @property {(body: string, messageId: string) => Promise<void>} publish straight to the queue, through the default exchange, confirmed
 * @property {() => Promise<number>} waiting messages in the queue that no worker has taken yet
 * @property {() => Promise<void>} close
 */

/**
 * @param {string} url
 * @param {string} queue
 * @returns {Promise<Broker>}
 */
export async function connectBroker(url, queue) {
  const { default: amqp } = await import('amqplib');
  const connection = await amqp.connect(url);
  connection.on('error', () => undefined); // the next call says it
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => undefined);
  /** @type {((error: Error) => void) | undefined} */
  let onReturned;
  channel.on('return', () =>
    onReturned?.(
      new Error(`Expected the queue ${queue} to take the message, but the broker returned it: no such queue.`),
    ),
  );
  return {
    publish: (body, messageId) =>
      new Promise((resolve, reject) => {
        // A message nobody can route is returned first and confirmed afterwards: the first to call settles it.
        onReturned = reject;
        const options = { persistent: true, mandatory: true, messageId, contentType: 'application/json' };
        channel.sendToQueue(queue, Buffer.from(body), options, (error) => (error ? reject(error) : resolve()));
      }),
    waiting: async () => (await channel.checkQueue(queue)).messageCount,
    close: () => connection.close(),
  };
}

/**
 * Deletes what a run declared; what is not there counts as deleted.
 * @param {string} url
 * @param {import('./names.mjs').RunNames} names
 */
export async function deleteTopology(url, names) {
  const { default: amqp } = await import('amqplib');
  const connection = await amqp.connect(url);
  try {
    const channel = await connection.createChannel();
    for (const queue of queuesOf(names)) await channel.deleteQueue(queue);
    await channel.deleteExchange(names.exchange);
  } finally {
    await connection.close();
  }
}
