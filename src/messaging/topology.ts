/** The broker's side of the service as data: every exchange, queue and binding, in one place. */
import type { Options } from 'amqplib';
import type { Environment } from '../config/environment';

/** Keys under which events are published: those that need nobody else, and those that need an external service. */
export const CONVERSATION_END_KEY = 'conversation.end';
export const CONVERSATION_ANALYSE_KEY = 'conversation.analyse';

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

/** `analysis` is for events that need an external service, so that slow calls never hold up the rest. */
export type LaneName = 'processing' | 'analysis';

/** A queue of work, and where its messages wait for another try. */
export interface Lane {
  readonly name: LaneName;
  readonly queue: QueueDeclaration;
  /** Key under which the exchange routes events to it. */
  readonly routingKey: string;
  /** One queue per delay, shortest attempt first, so that a long wait never holds up a short one. */
  readonly retryQueues: readonly (QueueDeclaration & { readonly delayMs: number })[];
}

export interface Topology {
  readonly exchange: string;
  readonly processing: Lane;
  /** Undefined where no external service is configured: there is one lane then. */
  readonly analysis: Lane | undefined;
  /** Of both lanes. */
  readonly deadLetterQueue: QueueDeclaration;
  /** Fans out what processes say of themselves. It outlives nothing, and whoever listens brings a queue of its own. */
  readonly telemetryExchange: string;
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
  const { RABBITMQ_EXCHANGE: exchange, RABBITMQ_QUEUE: work, RABBITMQ_ANALYSIS_QUEUE: analysis } = environment;
  const deadLetters = `${work}.dead-letters`;
  const lane = (name: LaneName, queue: string, routingKey: string): Lane => ({
    name,
    queue: quorum(queue, { ...deadLetterTo(deadLetters), 'x-delivery-limit': DELIVERY_LIMIT }),
    routingKey,
    retryQueues: [...new Set(environment.RETRY_DELAYS)].map((delayMs) => ({
      ...quorum(retryQueueName(queue, delayMs), { ...deadLetterTo(queue), 'x-message-ttl': delayMs }),
      delayMs,
    })),
  });
  return {
    exchange,
    processing: lane('processing', work, CONVERSATION_END_KEY),
    analysis: hasExternalService(environment) ? lane('analysis', analysis, CONVERSATION_ANALYSE_KEY) : undefined,
    // Its consumer only records; a message it cannot record stays until it can.
    deadLetterQueue: quorum(deadLetters, {}),
    telemetryExchange: `${work}.telemetry`,
  };
}

function hasExternalService(environment: Environment): boolean {
  const { ANALYSIS_LLM_URL, MEMORY_API_URL, CONVERSATION_API_URL } = environment;
  return [ANALYSIS_LLM_URL, MEMORY_API_URL, CONVERSATION_API_URL].some((url) => url !== undefined);
}

export function lanesOf({ processing, analysis }: Topology): readonly Lane[] {
  return analysis ? [processing, analysis] : [processing];
}

/** The lane itself, or the first one where there is no second. */
export function laneOf(topology: Topology, name: LaneName): Lane {
  return (name === 'analysis' ? topology.analysis : undefined) ?? topology.processing;
}

/** The lane of a queue; of the dead letters' queue, and of any other, the first. */
export function laneServing({ analysis }: Topology, queue: string): LaneName {
  return analysis?.queue.name === queue ? 'analysis' : 'processing';
}

export function allQueues(topology: Topology): readonly QueueDeclaration[] {
  return [topology.deadLetterQueue, ...lanesOf(topology).flatMap(({ queue, retryQueues }) => [queue, ...retryQueues])];
}
