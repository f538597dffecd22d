import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import type { ConsumeMessage } from 'amqplib';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { describeError } from '../errors/describe';
import { Metrics } from '../observability/metrics';
import { tracing } from '../observability/trace-hooks';
import { deadLetterMessage, forwardedMessage, retryMessage } from './forwarding';
import { toIncomingMessage, type IncomingMessage } from './incoming-message';
import type { Outcome } from './outcome';
import { BrokerMonitor } from './broker-monitor';
import { Publisher, PublishError, type OutgoingMessage } from './publisher';
import { TOPOLOGY } from './tokens';
import { laneOf, laneServing, type LaneName, type Topology } from './topology';

/** How long a confirm of a forwarded message may take, and the pause before it is tried again, milliseconds. */
const FORWARD_TIMEOUT = 5_000;
const FORWARD_PAUSE = 1_000;

/** Why a message went to a retry queue although no attempt failed. */
const HELD_TOO_LONG = 'HELD_TOO_LONG';

/** Thrown to the library so that it neither acks nor nacks: closing the channel gives the message back to the queue. */
export class HandedBack extends Error {
  constructor() {
    super('The message goes back to the queue unchanged');
    this.name = 'HandedBack';
  }
}

/** Works on one message; called again when it deferred it and what it needs is back. */
export type Handler = (message: IncomingMessage) => Promise<Outcome>;

export interface DeliveryCounts {
  delivered: number;
  acked: number;
  retried: number;
  deferred: number;
  forwarded: number;
  deadLettered: number;
  handedBack: number;
}

/** What has become of the messages of the first lane since the start. */
export interface DeliveryProgress {
  ended: number;
  /** Of those, the ones that did not succeed. */
  failed: number;
  /** From delivery to end, summed. */
  milliseconds: number;
}

/** Carries every delivery from its handler's outcome to its end, and drains what is in flight at shutdown. */
@Injectable()
export class Deliveries implements OnModuleInit, OnModuleDestroy, BeforeApplicationShutdown {
  readonly counts: DeliveryCounts = {
    delivered: 0,
    acked: 0,
    retried: 0,
    deferred: 0,
    forwarded: 0,
    deadLettered: 0,
    handedBack: 0,
  };
  readonly progress: DeliveryProgress = { ended: 0, failed: 0, milliseconds: 0 };
  private readonly logger = new Logger('Deliveries');
  private readonly inFlight = new Map<Promise<void>, LaneName>();
  /** Fires when shutdown begins: messages that are held go to a retry queue now. */
  private readonly draining = new AbortController();
  /** What to do at the deadline: whoever still runs is handed back. An abort signal would search its list for each of a thousand. */
  private readonly atDeadline = new Set<() => void>();
  private pastDeadline = false;

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(TOPOLOGY) private readonly topology: Topology,
    private readonly publisher: Publisher,
    private readonly broker: BrokerMonitor,
    private readonly metrics: Metrics,
  ) {}

  /** Messages that were delivered and have no outcome yet. */
  get inFlightCount(): number {
    return this.inFlight.size;
  }

  /** The same, of one lane. */
  inFlightOf(lane: LaneName): number {
    let count = 0;
    for (const name of this.inFlight.values()) if (name === lane) count++;
    return count;
  }

  /** Resolves when nothing of the lane is in flight, or after `limit` milliseconds. */
  async whenIdle(lane: LaneName, limit: number): Promise<void> {
    const late = delay(limit, undefined, { ref: false });
    const ofLane = [...this.inFlight].filter(([, name]) => name === lane).map(([settling]) => settling);
    await Promise.race([Promise.all(ofLane), late]);
  }

  /**
   * Runs `handler` until it gives an outcome, and carries that out. Returning means: acknowledge.
   * @param queue that it was delivered from
   * @param whenHeldTooLong what to do with a deferred message after `LONGEST_HOLD`, or at shutdown
   * @throws HandedBack when the message must stay unacknowledged
   */
  settle(
    raw: ConsumeMessage,
    queue: string,
    handler: Handler,
    whenHeldTooLong: 'set aside' | 'hand back' = 'set aside',
  ): Promise<void> {
    this.counts.delivered++;
    const lane = laneServing(this.topology, queue);
    const message = toIncomingMessage(raw, this.broker.connectionNumber, lane);
    const end = this.measure(queue, message);
    const settling = this.run(message, handler, whenHeldTooLong).then(end, (error: unknown) => {
      end('HANDED_BACK');
      this.counts.handedBack++;
      if (!(error instanceof HandedBack)) this.logger.error({ msg: 'unexpected error', error: describeError(error) });
      throw error;
    });
    const tracked = settling.catch(() => undefined).finally(() => this.inFlight.delete(tracked));
    this.inFlight.set(tracked, lane);
    return settling;
  }

  /** @returns what to call at the message's end, with why it failed, if it did */
  private measure(queue: string, message: IncomingMessage): (failure: string | undefined) => void {
    const { consumedMessages, messagesInFlight, processDuration } = this.metrics.of;
    const labels = { messaging_destination_name: queue, messaging_operation_name: 'process' };
    consumedMessages.inc(labels);
    messagesInFlight.inc({ messaging_destination_name: queue });
    return (failure = '') => {
      messagesInFlight.dec({ messaging_destination_name: queue });
      const milliseconds = performance.now() - message.receivedAt;
      if (failure !== '') tracing.hooks?.failed(failure);
      processDuration.observe({ ...labels, error_type: failure }, milliseconds / 1000);
      if (queue === this.topology.processing.queue.name) this.advance(failure !== '', milliseconds);
    };
  }

  private advance(failed: boolean, milliseconds: number): void {
    this.progress.ended++;
    if (failed) this.progress.failed++;
    this.progress.milliseconds += milliseconds;
  }

  onModuleInit(): void {
    // Every message that is held listens to it.
    setMaxListeners(0, this.draining.signal);
  }

  onModuleDestroy(): void {
    this.draining.abort();
  }

  async beforeApplicationShutdown(): Promise<void> {
    const waiting = this.inFlight.size;
    if (waiting > 0) this.logger.log({ msg: 'draining', inFlight: waiting });
    const timer = new AbortController();
    await Promise.race([
      Promise.all(this.inFlight.keys()),
      delay(this.environment.SHUTDOWN_TIMEOUT, undefined, { signal: timer.signal }).catch(() => undefined),
    ]);
    timer.abort();
    this.pastDeadline = true;
    for (const giveUp of [...this.atDeadline]) giveUp();
    await Promise.all(this.inFlight.keys());
  }

  /** @returns why the message failed, if it did */
  private async run(
    message: IncomingMessage,
    handler: Handler,
    whenHeldTooLong: 'set aside' | 'hand back',
  ): Promise<string | undefined> {
    const heldSince = performance.now();
    for (;;) {
      const outcome = await this.untilDeadline(handler(message));
      if (outcome.kind !== 'defer') return this.carryOut(message, outcome);
      this.counts.deferred++;
      const left = this.environment.LONGEST_HOLD - (performance.now() - heldSince);
      if (await this.hold(outcome.until, left)) continue;
      if (whenHeldTooLong === 'set aside') return this.setAside(message);
      throw new HandedBack();
    }
  }

  private async carryOut(
    message: IncomingMessage,
    outcome: Exclude<Outcome, { kind: 'defer' }>,
  ): Promise<string | undefined> {
    switch (outcome.kind) {
      case 'ack':
        this.counts.acked++;
        if (outcome.committedAt !== undefined) {
          this.metrics.of.ackWait.observe((performance.now() - outcome.committedAt) / 1000);
        }
        return undefined;
      case 'retry':
        await this.forward(message, retryMessage(this.topology, message, outcome));
        this.counts.retried++;
        this.metrics.of.retries.inc({ error_type: outcome.reason });
        return outcome.reason;
      case 'forward':
        await this.forward(message, forwardedMessage(this.topology, message, outcome.to));
        this.counts.forwarded++;
        return undefined;
      case 'deadLetter':
        await this.forward(message, deadLetterMessage(this.topology, message, outcome));
        this.counts.deadLettered++;
        return outcome.reason;
      default:
        return outcome satisfies never;
    }
  }

  /** @returns whether what the message needs came back before the limit and before a shutdown */
  private async hold(until: (signal: AbortSignal) => Promise<void>, limit: number): Promise<boolean> {
    const signal = AbortSignal.any([this.draining.signal, AbortSignal.timeout(Math.max(0, Math.floor(limit)))]);
    return until(signal).then(
      () => !signal.aborted,
      () => false,
    );
  }

  /** To the first retry queue with its attempts unchanged, so that nothing is spent and nobody spins on it. */
  private async setAside(message: IncomingMessage): Promise<string> {
    const [first] = laneOf(this.topology, message.lane).retryQueues;
    const retry = { afterMs: first.delayMs, attempts: message.attempts };
    await this.forward(message, retryMessage(this.topology, message, retry));
    this.counts.retried++;
    this.metrics.of.retries.inc({ error_type: HELD_TOO_LONG });
    return HELD_TOO_LONG;
  }

  /** Publishes until it is confirmed; the message is acknowledged only then. */
  private async forward(message: IncomingMessage, outgoing: OutgoingMessage): Promise<void> {
    for (;;) {
      try {
        return await this.untilDeadline(this.publisher.publish(outgoing, FORWARD_TIMEOUT));
      } catch (error) {
        if (!(error instanceof PublishError)) throw error;
        this.logger.warn({ msg: 'could not forward a message yet', code: error.code, to: outgoing.routingKey });
        await this.untilDeadline(delay(FORWARD_PAUSE, undefined, { ref: false }));
        // Where the delivery's connection is gone there is nothing to acknowledge on: the broker delivers the message again.
        if (this.broker.connectionNumber !== message.connection) throw new HandedBack();
      }
    }
  }

  private untilDeadline<T>(work: Promise<T>): Promise<T> {
    if (this.pastDeadline) return Promise.reject(new HandedBack());
    return new Promise<T>((resolve, reject) => {
      const giveUp = () => reject(new HandedBack());
      this.atDeadline.add(giveUp);
      work.then(resolve, reject).finally(() => this.atDeadline.delete(giveUp));
    });
  }
}
