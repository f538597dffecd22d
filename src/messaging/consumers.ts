import { AmqpConnection } from '@golevelup/nestjs-rabbitmq';
import type { ChannelWrapper } from 'amqp-connection-manager';
import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { errorCode } from '../errors/describe';
import { BackgroundRabbitMQModule } from './background-rabbitmq.module';
import { BrokerMonitor } from './broker-monitor';
import { consumerChannels } from './rabbitmq-options';

/** How many consumers there should be, how many there really are, and why they are paused, if they are. */
export interface ConsumersState {
  readonly expected: number;
  readonly live: number;
  readonly paused: string | undefined;
}

/** What this class reads of amqplib's channel: `consumers` has an entry for each consumer that the broker still serves. */
interface LiveChannel {
  readonly consumers: ReadonlyMap<string, unknown>;
  cancel(consumerTag: string): Promise<unknown>;
  once(event: 'close', listener: () => void): void;
}

/**
 * The library adds its set-up and drops the promise: a channel that closes meanwhile would be an unhandled rejection, which
 * ends the process. The set-up stays registered and runs again on the next connection, so there is nothing else to do.
 */
function surviveFailedSetup(wrapper: ChannelWrapper): void {
  const addSetup = wrapper.addSetup.bind(wrapper);
  wrapper.addSetup = (setup, done) => {
    const added = addSetup(setup, done);
    added.catch(() => undefined);
    return added;
  };
}

/** How often to look whether what should consume does, milliseconds. A lost consumer stays unnoticed at most this long. */
const WATCH_INTERVAL = 5_000;

/**
 * Starts, pauses and resumes the consumers, and watches them: a consumer that the broker cancelled (its queue was deleted,
 * its leader moved) would otherwise leave a worker that is connected, healthy to look at, and idle for ever.
 */
@Injectable()
export class Consumers implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger('Consumers');
  private readonly channelNames: readonly string[];
  private readonly closed = new WeakSet<object>();
  private registration: 'none' | 'under way' | 'done' = 'none';
  private wanted: 'consuming' | 'paused' | 'stopped' = 'paused';
  private pauseReason: string | undefined = 'not started';
  private work: Promise<void> = Promise.resolve();
  private watchdog: NodeJS.Timeout | undefined;

  constructor(
    @Inject(ENVIRONMENT) environment: Environment,
    private readonly amqp: AmqpConnection,
    private readonly broker: BrokerMonitor,
    private readonly moduleRef: ModuleRef,
  ) {
    this.channelNames = consumerChannels(environment);
  }

  onModuleInit(): void {
    for (const name of this.channelNames) {
      surviveFailedSetup(this.amqp.managedChannels[name]);
      this.amqp.managedChannels[name].on('connect', () => {
        const channel = this.channel(name);
        channel?.once('close', () => this.closed.add(channel));
        void this.reconcile();
      });
    }
    if (this.channelNames.length === 0) return;
    this.watchdog = setInterval(() => void this.reconcile(), WATCH_INTERVAL);
    this.watchdog.unref();
  }

  /** Stops consuming first of all; what is in flight is drained later in the shutdown. */
  async onModuleDestroy(): Promise<void> {
    clearInterval(this.watchdog);
    this.wanted = 'stopped';
    await this.reconcile();
  }

  get state(): ConsumersState {
    const live = this.channelNames.filter((name) => (this.liveChannel(name)?.consumers.size ?? 0) > 0).length;
    return {
      expected: this.channelNames.length,
      live,
      paused: this.wanted === 'paused' ? this.pauseReason : undefined,
    };
  }

  /** Deliveries begin, or go on after {@link pause}. */
  resume(): Promise<void> {
    if (this.wanted === 'stopped') return this.work;
    this.wanted = 'consuming';
    this.pauseReason = undefined;
    return this.reconcile();
  }

  /** No further deliveries; what was delivered stays in flight. */
  pause(reason: string): Promise<void> {
    if (this.wanted === 'stopped') return this.work;
    this.wanted = 'paused';
    this.pauseReason = reason;
    return this.reconcile();
  }

  /** Makes what is like what is wanted, one change at a time. Trouble is left to the next look. */
  private reconcile(): Promise<void> {
    this.work = this.work
      .then(() => this.reconcileNow())
      .catch((error: unknown) => this.logger.warn({ msg: 'consumers not as wanted yet', code: errorCode(error) }));
    return this.work;
  }

  private async reconcileNow(): Promise<void> {
    if (!this.broker.state.up) return;
    if (this.wanted === 'consuming' && this.registration === 'none') return this.register();
    for (const name of this.channelNames) {
      const channel = this.liveChannel(name);
      if (!channel) continue;
      if (this.wanted !== 'consuming')
        await Promise.all([...channel.consumers.keys()].map((tag) => channel.cancel(tag)));
      else if (channel.consumers.size === 0 && this.registration === 'done') await this.consumeAgain(name);
    }
  }

  private register(): void {
    this.registration = 'under way';
    // From here on the library consumes anew by itself whenever a channel is made anew. Not awaited: it resolves
    // when every channel consumes, which takes as long as the broker takes.
    void this.moduleRef
      .get(BackgroundRabbitMQModule, { strict: false })
      .registerHandlers()
      .then(() => (this.registration = 'done'));
  }

  private async consumeAgain(name: string): Promise<void> {
    const channel = this.channel(name);
    const tag = this.amqp.consumerTags.findLast((candidate) => this.consumerChannel(candidate) === channel);
    if (tag === undefined) return; // the library is about to
    if (this.pauseReason === undefined) this.logger.debug({ msg: 'consuming again', channel: name });
    await this.amqp.resumeConsumer(tag);
  }

  private consumerChannel(tag: string): unknown {
    const library = this.amqp as unknown as { getConsumer(tag: string): { channel: unknown } | undefined };
    return library.getConsumer(tag)?.channel;
  }

  private channel(name: string): LiveChannel | undefined {
    return this.amqp.channels[name] as unknown as LiveChannel | undefined;
  }

  private liveChannel(name: string): LiveChannel | undefined {
    const channel = this.broker.state.up ? this.channel(name) : undefined;
    return channel && !this.closed.has(channel) ? channel : undefined;
  }
}
