import { AmqpConnection } from '@golevelup/nestjs-rabbitmq';
import type { ChannelWrapper } from 'amqp-connection-manager';
import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { errorCode } from '../errors/describe';
import { BackgroundRabbitMQModule } from './background-rabbitmq.module';
import { BrokerMonitor } from './broker-monitor';
import { consumerChannels, firstChannels, laneChannels } from './rabbitmq-options';
import { TOPOLOGY } from './tokens';
import type { LaneName, Topology } from './topology';

/** How many consumers there are to be, how many there really are, how many of those that are not paused are missing, and why any are paused. */
export interface ConsumersState {
  readonly expected: number;
  readonly live: number;
  readonly missing: number;
  readonly paused: string | undefined;
}

/** Of every lane, and of the dead letters too. */
type PausedLane = LaneName | 'all';

/** What this class reads of amqplib's channel: `consumers` has an entry for each consumer that the broker still serves. */
interface LiveChannel {
  readonly consumers: ReadonlyMap<string, unknown>;
  cancel(consumerTag: string): Promise<unknown>;
  once(event: 'close', listener: () => void): void;
}

/**
 * The library adds its set-up, which consumes, and drops the promise: a channel that closes meanwhile would be an unhandled rejection,
 * which ends the process. The set-up stays registered and runs again on the next connection, so there is nothing else to do.
 * On a channel that is to rest it goes through all the same, since the library waits for it before it registers other handlers;
 * but what it is told to be a consumer is none yet. `resumeConsumer` makes it one.
 */
function takeOverSetup(name: string, wrapper: ChannelWrapper, rests: () => boolean): void {
  const addSetup = wrapper.addSetup.bind(wrapper);
  wrapper.addSetup = (setup, done) => {
    const added = addSetup(async (channel: { consume?: unknown }) => {
      const resting = rests();
      if (resting) channel.consume = () => Promise.resolve({ consumerTag: `resting-${name}` });
      try {
        await (setup as (this: ChannelWrapper, channel: object) => Promise<void>).call(wrapper, channel);
      } finally {
        // What stood before it is the prototype's.
        if (resting) delete channel.consume;
      }
    }, done);
    added.catch(() => undefined);
    return added;
  };
}

/** How often to look whether what should consume does, milliseconds. A lost consumer stays unnoticed at most this long. */
const WATCH_INTERVAL = 5_000;

const NOT_STARTED = 'not started';

/**
 * Starts, pauses and resumes the consumers, and watches them: a consumer that the broker cancelled (its queue was deleted,
 * its leader moved) would otherwise leave a worker that is connected, healthy to look at, and idle for ever.
 */
@Injectable()
export class Consumers implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger('Consumers');
  /** By their names, with the lane that each serves. */
  private readonly consuming: ReadonlyMap<string, LaneName | 'dead letters'>;
  private readonly closed = new WeakSet<object>();
  /** Channels of the first lane. */
  private readonly adjustable: readonly string[];
  /** Those of them that are to rest. */
  private resting: ReadonlySet<string>;
  private registration: 'none' | 'under way' | 'done' = 'none';
  /** Why whose deliveries are paused. Any reason is enough. */
  private readonly pauses = new Map<string, PausedLane>([[NOT_STARTED, 'all']]);
  private stopped = false;
  private work: Promise<void> = Promise.resolve();
  private watchdog: NodeJS.Timeout | undefined;

  constructor(
    @Inject(ENVIRONMENT) environment: Environment,
    private readonly amqp: AmqpConnection,
    private readonly broker: BrokerMonitor,
    private readonly moduleRef: ModuleRef,
    @Inject(TOPOLOGY) topology: Topology,
  ) {
    this.consuming = consumerChannels(environment, topology);
    this.adjustable = laneChannels(environment, 'processing');
    this.resting = new Set(this.adjustable.slice(firstChannels(environment)));
  }

  onModuleInit(): void {
    for (const name of this.consuming.keys()) {
      takeOverSetup(name, this.amqp.managedChannels[name], () => this.resting.has(name));
      this.amqp.managedChannels[name].on('connect', () => {
        const channel = this.channel(name);
        channel?.once('close', () => this.closed.add(channel));
        void this.reconcile();
      });
    }
    if (this.consuming.size === 0) return;
    this.watchdog = setInterval(() => void this.reconcile(), WATCH_INTERVAL);
    this.watchdog.unref();
  }

  /** Stops consuming first of all; what is in flight is drained later in the shutdown. */
  async onModuleDestroy(): Promise<void> {
    clearInterval(this.watchdog);
    this.stopped = true;
    await this.reconcile();
  }

  get state(): ConsumersState {
    const names = [...this.consuming.keys()].filter((name) => !this.resting.has(name));
    const isLive = (name: string) => (this.liveChannel(name)?.consumers.size ?? 0) > 0;
    return {
      expected: names.length,
      live: names.filter(isLive).length,
      missing: names.filter((name) => this.isWanted(name) && !isLive(name)).length,
      paused: this.pauses.size > 0 ? [...this.pauses.keys()].join('; ') : undefined,
    };
  }

  /** Deliveries begin. */
  start(): Promise<void> {
    return this.resume(NOT_STARTED);
  }

  /** No further deliveries over the lane, for this reason; what was delivered stays in flight. */
  pause(reason: string, lane: PausedLane = 'all'): Promise<void> {
    this.pauses.set(reason, lane);
    return this.reconcile();
  }

  /** The reason holds no more; where there is no other, deliveries go on. */
  resume(reason: string): Promise<void> {
    this.pauses.delete(reason);
    return this.reconcile();
  }

  /** Lets the first `count` channels of the first lane consume and the others rest; what those hold in flight goes on. */
  useChannels(count: number): Promise<void> {
    this.resting = new Set(this.adjustable.slice(count));
    return this.reconcile();
  }

  /** Whether deliveries of a lane are paused, or ended. */
  isPaused(lane: LaneName): boolean {
    return this.stopped || [...this.pauses.values()].some((paused) => paused === 'all' || paused === lane);
  }

  private isWanted(name: string): boolean {
    const paused = [...this.pauses.values()];
    return (
      !this.stopped &&
      !this.resting.has(name) &&
      !paused.some((lane) => lane === 'all' || lane === this.consuming.get(name))
    );
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
    if (this.registration === 'none') {
      if (!this.stopped && ![...this.pauses.values()].includes('all')) this.register();
      return;
    }
    for (const name of this.consuming.keys()) {
      const channel = this.liveChannel(name);
      if (!channel) continue;
      if (!this.isWanted(name)) await Promise.all([...channel.consumers.keys()].map((tag) => channel.cancel(tag)));
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
    this.logger.debug({ msg: 'consuming again', channel: name });
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
