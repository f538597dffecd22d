import { performance, type EventLoopUtilization } from 'node:perf_hooks';
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { poolFigures } from '../database/pool-figures';
import { ConcurrencyDecisions, rungsThatWait, type Observation } from '../messaging/concurrency-decision';
import { concurrencyLadder, rungFor } from '../messaging/concurrency-ladder';
import { Consumers } from '../messaging/consumers';
import { Deliveries, type DeliveryProgress } from '../messaging/deliveries';
import { TelemetryChannel } from '../messaging/telemetry-channel';
import { TOPOLOGY } from '../messaging/tokens';
import type { Topology } from '../messaging/topology';
import { Metrics } from '../observability/metrics';

/** How often to look at what is in flight, milliseconds: a handful of reads, but a process that slept must be woken for them. */
const SAMPLE_INTERVAL = 250;

/** A decision rests on at least this long, milliseconds, and on each message in flight having ended twice, or on this many. */
const SHORTEST_LOOK = 1_000;
const TURNS = 2;
const MANY = 200;

/** And on more where the throughput is too near to what decides: what a second counts is off by a sixth (docs/tuning.md). */
const LONGEST_LOOK = 4_000;

/** After a change, what was in flight before it ends first, and then as much again; it says nothing of the new rung. */
const SETTLING_TURNS = 1;

/** In flight is all that may be when this share of it is: some are always on their way between an ack and the next delivery. */
const FULL = 0.9;

/** Samples so far: all of them, the sum of what was in flight, those with waits for a connection, and the sum of what waited. */
const NO_SAMPLES = { all: 0, inFlight: 0, poolWaits: 0, poolWaiting: 0 };

interface Seen extends Observation {
  /** Mean processing time, milliseconds. */
  readonly time: number;
}

/** Of a look, with what had been done by then; `at` is of `performance.now()`. */
interface Beginning {
  readonly at: number;
  readonly progress: DeliveryProgress;
  readonly loop: EventLoopUtilization;
  /** Whether there has been enough to do so far. */
  isFull: Promise<boolean>;
  /** What is decided on it waits for that. */
  isOver: boolean;
}

/** A look of fewer rounds than this may see a wave of messages more or less than it should. */
const ROUNDS_TO_COUNT = 10;

/** Whether messages of `time` milliseconds are best counted, since there are many rounds of them in any look. */
function isCounted(time: number): boolean {
  return SHORTEST_LOOK >= ROUNDS_TO_COUNT * time;
}

/**
 * Messages a second. Messages that were taken together end together, in waves: where a look lasts but a few rounds, Little's law says
 * what the count cannot, since what is in flight and how long it takes change little from wave to wave.
 * @param ended messages in the look
 * @param seconds that it lasted
 * @param inFlight in the mean
 * @param time that a message took in the mean, milliseconds
 */
export function throughputOf(ended: number, seconds: number, inFlight: number, time: number): number {
  return isCounted(time) ? ended / seconds : (1_000 * inFlight) / time;
}

/**
 * Adjusts how many messages this worker holds, by adding and cancelling consumers (`CONCURRENCY_MODE=adaptive`).
 * What is in flight ends as ever; nothing is taken that is not worked on at once, so nothing is hoarded.
 */
@Injectable()
export class AdaptiveConcurrency implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Concurrency');
  private readonly ladder: readonly number[];
  private readonly decisions = new ConcurrencyDecisions();
  private rung: number;
  private timer: NodeJS.Timeout | undefined;
  private since: Beginning | undefined;
  private changedAt = 0;
  private samples = { ...NO_SAMPLES };

  constructor(
    @Inject(ENVIRONMENT) environment: Environment,
    @Inject(TOPOLOGY) private readonly topology: Topology,
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly consumers: Consumers,
    private readonly deliveries: Deliveries,
    private readonly broker: TelemetryChannel,
    private readonly metrics: Metrics,
  ) {
    this.adapts = environment.CONCURRENCY_MODE === 'adaptive' && environment.APP_ROLE !== 'api';
    this.ladder = concurrencyLadder(environment.CONCURRENCY_MIN, environment.CONCURRENCY_MAX);
    this.rung = rungFor(this.ladder, environment.MESSAGE_CONCURRENCY_PER_WORKER);
  }

  private readonly adapts: boolean;

  /** C at present. */
  get concurrency(): number {
    return this.ladder[this.rung];
  }

  onApplicationBootstrap(): void {
    if (!this.adapts) return;
    this.show();
    this.timer = setInterval(() => this.sample(), SAMPLE_INTERVAL);
    this.timer.unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  private sample(): void {
    if (this.consumers.isPaused('processing')) return this.lookAnew();
    const progress = this.deliveries.progress;
    const inFlight = this.deliveries.inFlightOf('processing');
    if (!this.since) {
      // Cancelled consumers still have what they hold.
      if (inFlight > this.concurrency) this.changedAt = progress.ended;
      // What was in flight at the change is on its way out.
      if (progress.ended - this.changedAt < SETTLING_TURNS * this.concurrency) return;
      this.since = this.begin(inFlight);
      return;
    }
    if (this.since.isOver) return;
    this.samples.all++;
    this.samples.inFlight += inFlight;
    this.since.isFull = this.since.isFull.then((isFull) => isFull && this.isEnough(inFlight));
    const { waitingCount } = poolFigures(this.dataSource);
    if (waitingCount > 0) this.samples.poolWaits++;
    this.samples.poolWaiting += waitingCount;
    const seconds = (performance.now() - this.since.at) / 1_000;
    const ended = progress.ended - this.since.progress.ended;
    if (seconds * 1_000 < SHORTEST_LOOK || ended === 0) return;
    const seen = this.observe(this.since, ended, seconds);
    // Where they wait for connections it need not be waited for messages to end.
    if (rungsThatWait(seen) > 0) return void this.end(this.since, seen);
    if (ended < Math.min(TURNS * this.concurrency, MANY)) return;
    if (this.decisions.isClear(seen) || seconds * 1_000 >= LONGEST_LOOK) void this.end(this.since, seen);
  }

  private begin(inFlight: number): Beginning {
    return {
      at: performance.now(),
      progress: { ...this.deliveries.progress },
      loop: performance.eventLoopUtilization(),
      isFull: Promise.resolve(this.isEnough(inFlight)),
      isOver: false,
    };
  }

  /**
   * Whether there is enough to do. Short messages are on their way to and from the broker for most of their time, and never all in
   * flight, however many wait: there is as well where as much as may be in flight waits in the queue.
   */
  private isEnough(inFlight: number): boolean | Promise<boolean> {
    return inFlight >= FULL * this.concurrency || this.hasBacklog();
  }

  private async hasBacklog(): Promise<boolean> {
    const { name } = this.topology.processing.queue;
    const ready = (await this.broker.queueFigures([name])).get(name)?.ready ?? 0;
    return ready >= this.concurrency;
  }

  private async end(look: Beginning, seen: Omit<Seen, 'isFull'>): Promise<void> {
    look.isOver = true;
    const isFull = await look.isFull;
    // Meanwhile it may have been paused.
    if (this.since === look) this.decide({ ...seen, isFull });
  }

  private observe({ progress, loop }: Beginning, ended: number, seconds: number): Omit<Seen, 'isFull'> {
    const now = this.deliveries.progress;
    const { all, inFlight, poolWaits, poolWaiting } = this.samples;
    const time = (now.milliseconds - progress.milliseconds) / ended;
    return {
      ended,
      failed: now.failed - progress.failed,
      throughput: throughputOf(ended, seconds, inFlight / all, time),
      isCounted: isCounted(time),
      time,
      concurrency: this.concurrency,
      poolWaits: poolWaits / all,
      poolWaiting: poolWaiting / all,
      eventLoop: performance.eventLoopUtilization(loop).utilization,
    };
  }

  private decide(seen: Seen): void {
    const decision = this.decisions.decide(seen, { above: this.ladder.length - 1 - this.rung, below: this.rung });
    this.lookAnew();
    if (!decision) {
      this.changedAt -= this.concurrency; // nothing changed, nothing to wait for
      return;
    }
    const from = this.concurrency;
    this.rung += decision.steps;
    this.metrics.of.concurrencyDecisions.inc({ reason: decision.reason });
    this.logger.log({
      msg: 'concurrency changed',
      from,
      to: this.concurrency,
      reason: decision.reason,
      per_second: round(seen.throughput),
      processing_ms: round(seen.time),
      event_loop: round(seen.eventLoop),
      pool_waits: round(seen.poolWaits),
      pool_waiting: round(seen.poolWaiting),
    });
    this.show();
    void this.consumers.useChannels(this.rung + 1);
  }

  private lookAnew(): void {
    this.since = undefined;
    this.samples = { ...NO_SAMPLES };
    this.changedAt = this.deliveries.progress.ended;
  }

  private show(): void {
    this.metrics.of.messageConcurrency.set(
      { messaging_destination_name: this.topology.processing.queue.name },
      this.concurrency,
    );
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
