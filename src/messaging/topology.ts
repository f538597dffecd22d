/** The broker's side of the service as data: every exchange, queue and binding, in one place. */
import type { Options } from 'amqplib';
import type { Environment } from '../config/environment';

/** Key under which the api publishes an event. */
export const CONVERSATION_END_KEY = 'conversation.end';

/**
 * The broker's own limit on redeliveries, only a backstop: whoever passes it is dead-lettered by the broker.
 * Attempts are counted by us, since what counts towards this limit depends on the broker's version:
 * every return on 3.10, no nack from 4.3 on. Broker and network trouble return messages too, hence far above any attempt limit.
 */
export const DELIVERY_LIMIT = 200;

export interface QueueDeclaration {
  readonly name: string;
  readonly options: Options.AssertQueue;
}

export interface Topology {
  readonly exchange: string;
  readonly workQueue: QueueDeclaration;
  /** One queue per delay, shortest attempt first, so that a long wait never holds up a short one. */
  readonly retryQueues: readonly (QueueDeclaration & { readonly delayMs: number })[];
  readonly deadLetterQueue: QueueDeclaration;
  readonly bindings: readonly { readonly queue: string; readonly routingKey: string }[];
}

/** Queues survive the loss of a minority of nodes, and a message is confirmed once a majority has it on disk. */
function quorum(name: string, args: Record<string, unknown>): QueueDeclaration {
  return { name, options: { durable: true, arguments: { 'x-queue-type': 'quorum', ...args } } };
}

/** Where the broker puts what leaves a queue by time or by limit; at-least-once needs reject-publish. */
function deadLetterTo(queue: string): Record<string, unknown> {
  return {
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': queue,
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
  };
}

/** A retry queue is named by its delay: a changed RETRY_DELAYS makes new queues, and the old ones empty themselves. */
export function retryQueueName(workQueue: string, delayMs: number): string {
  return `${workQueue}.retry.${delayMs}ms`;
}

export function buildTopology(environment: Environment): Topology {
  const { RABBITMQ_EXCHANGE: exchange, RABBITMQ_QUEUE: work, RETRY_DELAYS: delays } = environment;
  const deadLetters = `${work}.dead-letters`;
  return {
    exchange,
    workQueue: quorum(work, { ...deadLetterTo(deadLetters), 'x-delivery-limit': DELIVERY_LIMIT }),
    retryQueues: [...new Set(delays)].map((delayMs) => ({
      ...quorum(retryQueueName(work, delayMs), { ...deadLetterTo(work), 'x-message-ttl': delayMs }),
      delayMs,
    })),
    // Its consumer only records; a message it cannot record stays until it can.
    deadLetterQueue: quorum(deadLetters, {}),
    bindings: [{ queue: work, routingKey: CONVERSATION_END_KEY }],
  };
}

export function allQueues(topology: Topology): readonly QueueDeclaration[] {
  return [topology.deadLetterQueue, topology.workQueue, ...topology.retryQueues];
}
