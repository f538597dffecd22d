import { AmqpConnection } from '@golevelup/nestjs-rabbitmq';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Channel } from 'amqplib';
import { errorCode } from '../errors/describe';
import { BrokerMonitor } from './broker-monitor';
import { TOPOLOGY } from './tokens';
import type { Topology } from './topology';

/** What the broker says of a queue: messages that wait (not those in flight), and consumers. */
export interface QueueFigures {
  readonly ready: number;
  readonly consumers: number;
}

/** Words that nobody has taken are worth nothing after this time, milliseconds, nor beyond this number. */
const STALE_AFTER = 10_000;
const MOST_WAITING = 1_000;

/**
 * How processes tell each other how they are: words without confirm that nobody keeps. It has channels of its own, opened when they
 * are needed and the connection is there, so that whatever happens here never reaches a message.
 */
@Injectable()
export class TelemetryChannel {
  private readonly logger = new Logger('Telemetry');
  private channel: Channel | undefined;
  private questions: Channel | undefined;
  private opening = false;
  /** The connection takes no more for now: words that would wait in memory are left out. */
  private full = false;
  private listener: ((body: Buffer) => void) | undefined;

  constructor(
    private readonly amqp: AmqpConnection,
    private readonly broker: BrokerMonitor,
    @Inject(TOPOLOGY) private readonly topology: Topology,
  ) {}

  /** From the next {@link publish} on, which makes the connection if it has to, every word of every process goes to `listener`. */
  listen(listener: (body: Buffer) => void): void {
    this.listener = listener;
  }

  /** Returns at once. Where the broker is away or busy, the word is dropped; the next one says more. */
  publish(body: Buffer): void {
    if (!this.broker.state.up || this.broker.blocked || this.full) return;
    if (!this.channel) return void this.open();
    try {
      this.full = !this.channel.publish(this.topology.telemetryExchange, '', body, { persistent: false });
    } catch {
      this.channel = undefined; // it closed a moment ago
    }
  }

  /** Asks the broker about queues, and changes nothing. @returns those that there are; nothing while the broker is away */
  async queueFigures(queues: readonly string[]): Promise<ReadonlyMap<string, QueueFigures>> {
    const figures = new Map<string, QueueFigures>();
    for (const queue of queues) {
      if (!this.broker.state.up) break;
      try {
        this.questions ??= await this.newChannel(() => (this.questions = undefined));
        const { messageCount, consumerCount } = await this.questions.checkQueue(queue);
        figures.set(queue, { ready: messageCount, consumers: consumerCount });
      } catch {
        this.questions = undefined; // there is no such queue, which closes the channel; or the connection is gone
      }
    }
    return figures;
  }

  private async open(): Promise<void> {
    if (this.opening) return;
    this.opening = true;
    try {
      const channel = await this.newChannel(() => (this.channel = undefined));
      channel.on('drain', () => (this.full = false));
      const { telemetryExchange } = this.topology;
      await channel.assertExchange(telemetryExchange, 'fanout', { durable: false });
      if (this.listener) await this.consume(channel, telemetryExchange, this.listener);
      this.channel = channel;
      this.full = false;
    } catch (error) {
      this.logger.debug({ msg: 'no telemetry yet', code: errorCode(error) });
    } finally {
      this.opening = false;
    }
  }

  /** Over a queue that is this connection's alone and goes with it. */
  private async consume(channel: Channel, exchange: string, listener: (body: Buffer) => void): Promise<void> {
    const { queue } = await channel.assertQueue('', {
      exclusive: true,
      autoDelete: true,
      durable: false,
      arguments: { 'x-message-ttl': STALE_AFTER, 'x-max-length': MOST_WAITING },
    });
    await channel.bindQueue(queue, exchange, '');
    await channel.consume(
      queue,
      (message) => {
        if (message) listener(message.content);
        // Somebody deleted the queue: a new channel gets a new one.
        else channel.close().catch(() => undefined);
      },
      { noAck: true },
    );
  }

  /** @param onClose whoever closed it */
  private async newChannel(onClose: () => void): Promise<Channel> {
    const { connection } = this.amqp.managedConnection;
    if (!connection) throw Object.assign(new Error('not connected'), { code: 'BROKER_DISCONNECTED' });
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    channel.once('close', () => {
      this.full = false;
      onClose();
    });
    return channel;
  }
}
