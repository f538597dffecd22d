/** What the library is told: channels, prefetch, and which handler consumes which queue over which channel. */
import type { RabbitMQConfig } from '@golevelup/nestjs-rabbitmq';
import { Logger } from '@nestjs/common';
import type { Environment } from '../config/environment';
import type { QueueDeclaration, Topology } from './topology';
import type { TopologyReport } from './topology-report';

/** Names under which handlers subscribe: `@RabbitSubscribe({ name: HANDLERS.… })`. */
export const HANDLERS = { conversationEnded: 'conversationEnded', deadLetterArrived: 'deadLetterArrived' } as const;

const DEAD_LETTER_CHANNEL = 'dead-letters';

/** Recording is one short transaction; a few at once keep up with any flood that the work queue can cause. */
const DEAD_LETTER_PREFETCH = 10;

/** Seconds until the next attempt to connect, and between heartbeats (a silent connection is dropped after two). */
const RECONNECT_SECONDS = 1;
const HEARTBEAT_SECONDS = 5;

/** The worker's channels: K of them for the work queue, one for the dead letters. */
export function workChannels(environment: Environment): string[] {
  return Array.from({ length: environment.RABBITMQ_CHANNELS }, (_, index) => `work-${index + 1}`);
}

/** The channels on which this process is to have a consumer. */
export function consumerChannels(environment: Environment): string[] {
  return environment.APP_ROLE === 'api' ? [] : [...workChannels(environment), DEAD_LETTER_CHANNEL];
}

/** P, the prefetch of each channel of the work queue. */
export function prefetchPerChannel(environment: Environment): number {
  return environment.MESSAGE_CONCURRENCY_PER_WORKER / environment.RABBITMQ_CHANNELS;
}

export function rabbitmqOptions(environment: Environment, topology: Topology, report: TopologyReport): RabbitMQConfig {
  const work = workChannels(environment);
  const consumes = environment.APP_ROLE !== 'api';
  const prefetchCount = prefetchPerChannel(environment);
  return {
    uri: environment.RABBITMQ_URL,
    logger: libraryLogger(),
    enableDirectReplyTo: false,
    connectionInitOptions: { wait: false, skipConnectionFailedLogging: true, skipDisconnectFailedLogging: true },
    connectionManagerOptions: {
      heartbeatIntervalInSeconds: HEARTBEAT_SECONDS,
      reconnectTimeInSeconds: RECONNECT_SECONDS,
      connectionOptions: {
        timeout: 5_000,
        clientProperties: { connection_name: `friendship-service ${environment.APP_ROLE}` },
      },
    },
    channels: consumes
      ? {
          ...Object.fromEntries(work.map((name) => [name, { prefetchCount }])),
          [DEAD_LETTER_CHANNEL]: { prefetchCount: DEAD_LETTER_PREFETCH },
        }
      : {},
    handlers: consumes
      ? {
          [HANDLERS.conversationEnded]: work.map((channel) => subscription(topology.workQueue, channel, report)),
          [HANDLERS.deadLetterArrived]: subscription(topology.deadLetterQueue, DEAD_LETTER_CHANNEL, report),
        }
      : {},
  };
}

function subscription({ name, options }: QueueDeclaration, channel: string, report: TopologyReport) {
  return {
    queue: name,
    queueOptions: { ...options, channel },
    assertQueueErrorHandler: (_channel: unknown, queue: string, _options: unknown, error: unknown): never => {
      report.refused(`queue ${queue}`, error);
      throw error;
    },
    // Bodies are ours to parse: the library's parser would requeue bad JSON for ever.
    deserializer: (body: Buffer) => body,
    // Reached when a handler hands its message back, or when the ack finds its channel gone. In both cases the message
    // stays unacknowledged and the broker delivers it again; an ack or nack here would only throw.
    errorHandler: () => undefined,
  };
}

/** The library logs whole stacks, whose first line is a message that may quote a body: only the headline is kept. */
function libraryLogger(): Logger {
  const logger = new Logger('RabbitMQ');
  const debug = (message: unknown) => logger.debug(String(message));
  return Object.assign(new Logger(), { log: debug, verbose: debug, debug, warn: debug, error: debug });
}
