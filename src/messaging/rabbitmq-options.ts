/** What the library is told: channels, prefetch, and which handler consumes which queue over which channel. */
import type { RabbitMQConfig } from '@golevelup/nestjs-rabbitmq';
import { Logger } from '@nestjs/common';
import type { Environment } from '../config/environment';
import { concurrencyLadder, prefetches, rungFor } from './concurrency-ladder';
import { lanesOf, type LaneName, type QueueDeclaration, type Topology } from './topology';
import type { TopologyReport } from './topology-report';

/** Names under which handlers subscribe: `@RabbitSubscribe({ name: HANDLERS.… })`. */
export const HANDLERS = {
  conversationEnded: 'conversationEnded',
  conversationToAnalyse: 'conversationToAnalyse',
  deadLetterArrived: 'deadLetterArrived',
} as const;

const DEAD_LETTER_CHANNEL = 'dead-letters';

/** Recording is one short transaction; a few at once keep up with any flood that the work queue can cause. */
const DEAD_LETTER_PREFETCH = 10;

/** Seconds until the next attempt to connect, and between heartbeats (a silent connection is dropped after two). */
const RECONNECT_SECONDS = 1;
const HEARTBEAT_SECONDS = 5;

/** K channels with a prefetch of P each, so that C = K × P messages of a lane are in flight. */
export interface LaneConcurrency {
  readonly C: number;
  readonly K: number;
  readonly P: number;
}

export function laneConcurrency(environment: Environment, lane: LaneName): LaneConcurrency {
  const [C, K] =
    lane === 'analysis'
      ? [environment.ANALYSIS_CONCURRENCY_PER_WORKER, environment.ANALYSIS_CHANNELS]
      : [environment.MESSAGE_CONCURRENCY_PER_WORKER, environment.RABBITMQ_CHANNELS];
  return { C, K, P: C / K };
}

/**
 * The prefetch of each of a lane's channels. Pinned: K of them, P each. The first lane, adaptive: one for each rung of the ladder,
 * of which as many consume as the worker finds right.
 */
function lanePrefetches(environment: Environment, lane: LaneName): number[] {
  const { CONCURRENCY_MODE, CONCURRENCY_MIN, CONCURRENCY_MAX } = environment;
  if (CONCURRENCY_MODE === 'adaptive' && lane === 'processing') {
    return prefetches(concurrencyLadder(CONCURRENCY_MIN, CONCURRENCY_MAX));
  }
  const { K, P } = laneConcurrency(environment, lane);
  return Array.from({ length: K }, () => P);
}

/** The worker's channels of one lane. */
export function laneChannels(environment: Environment, lane: LaneName): string[] {
  const prefix = lane === 'analysis' ? 'analysis' : 'work';
  return lanePrefetches(environment, lane).map((_, index) => `${prefix}-${index + 1}`);
}

/** How many channels of the first lane consume from the start. */
export function firstChannels(environment: Environment): number {
  const { CONCURRENCY_MODE, CONCURRENCY_MIN, CONCURRENCY_MAX, MESSAGE_CONCURRENCY_PER_WORKER: start } = environment;
  if (CONCURRENCY_MODE === 'pinned') return environment.RABBITMQ_CHANNELS;
  return rungFor(concurrencyLadder(CONCURRENCY_MIN, CONCURRENCY_MAX), start) + 1;
}

/** The channels on which this process is to have a consumer, each with the lane that it serves. */
export function consumerChannels(
  environment: Environment,
  topology: Topology,
): ReadonlyMap<string, LaneName | 'dead letters'> {
  if (environment.APP_ROLE === 'api') return new Map();
  return new Map([
    ...lanesOf(topology).flatMap(({ name }) =>
      laneChannels(environment, name).map((channel) => [channel, name] as const),
    ),
    [DEAD_LETTER_CHANNEL, 'dead letters'] as const,
  ]);
}

/** For amqps; Node checks the certificate and its name. */
export function tlsOptions({ RABBITMQ_CA_FILE: ca }: Environment): { ca?: string } {
  return ca === undefined ? {} : { ca };
}

export function rabbitmqOptions(environment: Environment, topology: Topology, report: TopologyReport): RabbitMQConfig {
  const consumes = environment.APP_ROLE !== 'api';
  const lanes = lanesOf(topology).map(({ name, queue }) => ({
    handler: name === 'analysis' ? HANDLERS.conversationToAnalyse : HANDLERS.conversationEnded,
    queue,
    channels: laneChannels(environment, name),
    prefetch: lanePrefetches(environment, name),
  }));
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
        ...tlsOptions(environment),
      },
    },
    channels: consumes
      ? {
          ...Object.fromEntries(
            lanes.flatMap(({ channels, prefetch }) =>
              channels.map((name, index) => [name, { prefetchCount: prefetch[index] }]),
            ),
          ),
          [DEAD_LETTER_CHANNEL]: { prefetchCount: DEAD_LETTER_PREFETCH },
        }
      : {},
    handlers: consumes
      ? {
          ...Object.fromEntries(
            lanes.map(({ handler, queue, channels }) => [
              handler,
              channels.map((channel) => subscription(queue, channel, report)),
            ]),
          ),
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
      report.refused('queue', queue, error);
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
