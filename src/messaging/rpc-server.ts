import { Logger } from '@nestjs/common';
import { ServerRMQ, type RmqContext } from '@nestjs/microservices';
import type { AmqpConnectionManager } from 'amqp-connection-manager';
import type { ConfirmChannel, Message } from 'amqplib';
import type { Environment } from '../config/environment';
import { describeError, errorCode } from '../errors/describe';
import { watchConnection } from './connection-watchdog';
import { tlsOptions } from './rabbitmq-options';
import { describeRefusal } from './topology-report';

/** RPC requests answered at once by one api process. */
const RPC_PREFETCH = 50;

/**
 * Nest's RabbitMQ transport, which survives a channel that cannot be set up (the node of a classic queue is down, for example):
 * Nest leaves the channel's error event, and the promises of consuming and answering, to nobody, and each of them would end the
 * process. The next connection tries again, and a caller without an answer asks again.
 */
export class RpcServer extends ServerRMQ {
  private readonly log = new Logger('Rpc');
  private readonly queueName: string;
  private refusal: string | undefined;
  private endWatch = () => {};

  constructor(environment: Environment) {
    super({
      urls: [environment.RABBITMQ_URL],
      queue: environment.RABBITMQ_RPC_QUEUE,
      queueOptions: { durable: true },
      noAck: false,
      prefetchCount: RPC_PREFETCH,
      socketOptions: {
        heartbeatIntervalInSeconds: 5,
        reconnectTimeInSeconds: 1,
        connectionOptions: tlsOptions(environment),
      },
    });
    this.queueName = environment.RABBITMQ_RPC_QUEUE;
    // Nest leaves the acknowledgement to somebody; without it, no request is delivered any more once the prefetch is used up.
    this.setOnProcessingStartHook((_transport, context, done) => {
      const answering = done().finally(() => acknowledge(context as RmqContext));
      answering.catch((error: unknown) => this.log.error({ msg: 'unexpected error', error: describeError(error) }));
    });
  }

  override setupChannel(channel: ConfirmChannel, callback: () => void): Promise<void> {
    const consume = channel.consume.bind(channel);
    channel.consume = (...args) => {
      const consuming = consume(...args);
      consuming.catch(() => undefined);
      return consuming;
    };
    return super.setupChannel(channel, callback);
  }

  /** The connection is made anew after each refusal, so one that lasts is said once. */
  private reportSetUp(error: unknown): void {
    const refusal = describeRefusal(`queue ${this.queueName}`, error, 'RABBITMQ_RPC_QUEUE');
    if (refusal === undefined) this.log.warn({ msg: 'channel not set up', code: errorCode(error) });
    else if (refusal !== this.refusal) this.log.error({ msg: refusal });
    this.refusal = refusal;
  }

  override close(): Promise<void> {
    this.endWatch();
    return super.close();
  }

  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- Nest's own signature
  override createClient<T>(): T {
    const connection = super.createClient<AmqpConnectionManager>();
    const createChannel = connection.createChannel.bind(connection);
    connection.createChannel = (options) => {
      const channel = createChannel(options);
      channel.on('error', (error) => this.reportSetUp(error));
      const sendToQueue = channel.sendToQueue.bind(channel);
      channel.sendToQueue = (...args) => {
        const sending = sendToQueue(...args);
        sending.catch((error: unknown) =>
          this.log.debug({ msg: 'an answer was not confirmed', code: errorCode(error) }),
        );
        return sending;
      };
      return channel;
    };
    this.endWatch = watchConnection(connection, 'rpc');
    return connection as T;
  }
}

function acknowledge(context: RmqContext): void {
  try {
    (context.getChannelRef() as ConfirmChannel).ack(context.getMessage() as Message);
  } catch {
    // The channel is gone, and the request with it: its caller asks again.
  }
}
