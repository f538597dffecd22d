import { AmqpConnection } from '@golevelup/nestjs-rabbitmq';
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import type { ChannelWrapper } from 'amqp-connection-manager';
import type { ConfirmChannel, Message } from 'amqplib';
import { errorCode } from '../errors/describe';
import { Metrics } from '../observability/metrics';
import { BrokerMonitor } from './broker-monitor';
import { TOPOLOGY } from './tokens';
import { allQueues, laneOf, lanesOf, type LaneName, type Topology } from './topology';
import { TopologyReport } from './topology-report';

export type PublishFailure =
  'BROKER_DISCONNECTED' | 'BROKER_BLOCKED' | 'PUBLISHER_BUSY' | 'PUBLISH_TIMEOUT' | 'UNROUTABLE' | 'REJECTED_BY_BROKER';

/** The broker did not take responsibility for a message (or its word that it did was lost). */
export class PublishError extends Error {
  constructor(readonly code: PublishFailure) {
    super(`The message was not confirmed: ${code}`);
    this.name = 'PublishError';
  }
}

export interface OutgoingMessage {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  /** At most 255 bytes. */
  readonly messageId: string | undefined;
  readonly headers?: Readonly<Record<string, unknown>>;
}

/** More unconfirmed messages than this mean that the broker does not keep up; memory stays bounded. */
const MOST_UNCONFIRMED = 10_000;

/**
 * Where the broker refuses every message for this long, another channel is opened, milliseconds. A quorum queue whose limit was taken
 * away while it refused (seen on RabbitMQ 3.10.8) never tells the channels that it refused, and they would be refused for ever.
 */
const REFUSED_FOR_LONG = 5_000;

/**
 * Publishes persistent, mandatory messages and waits for the broker's confirm, never longer than asked.
 * It does not use the library's publish: that one queues without bound while disconnected and passes over returned messages.
 */
@Injectable()
export class Publisher implements OnModuleInit {
  private readonly logger = new Logger('Publisher');
  private wrapper: ChannelWrapper | undefined;
  private channel: ConfirmChannel | undefined;
  private readonly unconfirmed = new Set<(failure: PublishFailure) => void>();
  /** Publishes that came back as unroutable, by their number; a return always arrives before its confirm. */
  private readonly returned = new Set<string>();
  private publishes = 0;
  /** Since when a route takes nothing over this channel, by `performance.now()`. */
  private readonly refusing = new Map<string, number>();

  constructor(
    private readonly amqp: AmqpConnection,
    private readonly broker: BrokerMonitor,
    private readonly report: TopologyReport,
    @Inject(TOPOLOGY) private readonly topology: Topology,
    private readonly metrics: Metrics,
  ) {}

  onModuleInit(): void {
    this.openChannel();
    this.broker.onChange(({ up }) => {
      if (!up) this.lose();
    });
  }

  /** True when a publish has a chance now. */
  get ready(): boolean {
    return this.channel !== undefined && !this.broker.blocked;
  }

  /**
   * @param timeLimit milliseconds to wait for the confirm
   * @throws PublishError; with `PUBLISH_TIMEOUT` the message may have arrived all the same
   */
  publish(message: OutgoingMessage, timeLimit: number): Promise<void> {
    const startedAt = performance.now();
    const publishing = this.publishOnce(message, timeLimit);
    publishing.then(
      () => this.measure(message, startedAt, ''),
      (error: unknown) => this.measure(message, startedAt, errorCode(error)),
    );
    return publishing;
  }

  private measure(message: OutgoingMessage, startedAt: number, failure: string): void {
    const labels = {
      messaging_destination_name: message.exchange || message.routingKey,
      messaging_operation_name: 'publish',
      error_type: failure,
    };
    this.metrics.of.sentMessages.inc(labels);
    this.metrics.of.operationDuration.observe(labels, (performance.now() - startedAt) / 1000);
  }

  private publishOnce(message: OutgoingMessage, timeLimit: number): Promise<void> {
    const channel = this.channel;
    if (!channel) return Promise.reject(new PublishError('BROKER_DISCONNECTED'));
    if (this.broker.blocked) return Promise.reject(new PublishError('BROKER_BLOCKED'));
    if (this.unconfirmed.size >= MOST_UNCONFIRMED) return Promise.reject(new PublishError('PUBLISHER_BUSY'));
    return new Promise((resolve, reject) => {
      const settle = (failure?: PublishFailure) => {
        clearTimeout(timer);
        this.unconfirmed.delete(settle);
        if (failure) reject(new PublishError(failure));
        else resolve();
      };
      const timer = setTimeout(() => settle('PUBLISH_TIMEOUT'), timeLimit);
      this.unconfirmed.add(settle);
      const number = String(++this.publishes);
      const onConfirm = (error: unknown) => {
        if (error) this.refused(channel, routeOf(message));
        else if (this.refusing.size > 0) this.refusing.delete(routeOf(message));
        if (this.returned.delete(number)) settle('UNROUTABLE');
        else settle(error ? 'REJECTED_BY_BROKER' : undefined);
      };
      try {
        channel.publish(
          message.exchange,
          message.routingKey,
          message.body,
          {
            persistent: true,
            mandatory: true,
            contentType: 'application/json',
            messageId: message.messageId,
            correlationId: number,
            timestamp: Math.floor(Date.now() / 1000),
            headers: message.headers,
          },
          onConfirm,
        );
      } catch {
        settle('BROKER_DISCONNECTED'); // the channel closed a moment ago
      }
    });
  }

  /** Ready messages in the lane's queue. Declares the queue, so one that somebody deleted is there again. */
  async queueLength(lane: LaneName): Promise<number> {
    if (!this.channel) throw new PublishError('BROKER_DISCONNECTED');
    const { queue } = laneOf(this.topology, lane);
    await this.bind(this.channel);
    const { messageCount } = await this.channel.assertQueue(queue.name, queue.options);
    return messageCount;
  }

  private openChannel(): void {
    const wrapper = this.amqp.managedConnection.createChannel({
      name: 'publisher',
      confirm: true,
      setup: (channel: ConfirmChannel) => this.setUp(channel),
    });
    wrapper.on('error', (error) => this.logger.warn({ msg: 'channel not set up', code: errorCode(error) }));
    this.wrapper = wrapper;
  }

  private refused(channel: ConfirmChannel, route: string): void {
    if (this.channel !== channel) return;
    const since = this.refusing.get(route);
    const now = performance.now();
    if (since === undefined) this.refusing.set(route, now);
    else if (now - since >= REFUSED_FOR_LONG) this.changeChannel(route);
  }

  private changeChannel(route: string): void {
    this.logger.warn({ msg: 'refused for long: publishing over another channel', route });
    const refused = this.wrapper;
    this.lose();
    this.openChannel();
    refused?.close().catch(() => undefined); // it went with its connection
  }

  private async setUp(channel: ConfirmChannel): Promise<void> {
    channel.on('return', (message: Message) => this.returned.add(String(message.properties.correlationId)));
    channel.on('close', () => {
      if (this.channel === channel) this.lose();
    });
    await this.declareTopology(channel);
    this.channel = channel;
  }

  /** Declaring is idempotent; a queue that exists with other arguments is left alone and reported. */
  private async declareTopology(channel: ConfirmChannel): Promise<void> {
    let declaring: ['queue' | 'exchange', string] = ['exchange', this.topology.exchange];
    try {
      await channel.assertExchange(this.topology.exchange, 'topic', { durable: true });
      for (const queue of allQueues(this.topology)) {
        declaring = ['queue', queue.name];
        await channel.assertQueue(queue.name, queue.options);
      }
      await this.bind(channel);
      this.report.accepted();
    } catch (error) {
      this.report.refused(...declaring, error);
      throw error;
    }
  }

  private async bind(channel: ConfirmChannel): Promise<void> {
    for (const { queue, routingKey } of lanesOf(this.topology)) {
      await channel.assertQueue(queue.name, queue.options);
      await channel.bindQueue(queue.name, this.topology.exchange, routingKey);
    }
  }

  /** The channel is gone: nobody will confirm what is on its way. */
  private lose(): void {
    this.channel = undefined;
    this.returned.clear();
    this.refusing.clear();
    for (const settle of [...this.unconfirmed]) settle('BROKER_DISCONNECTED');
  }
}

function routeOf({ exchange, routingKey }: OutgoingMessage): string {
  return `${exchange}/${routingKey}`;
}
