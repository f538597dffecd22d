import { EventEmitter } from 'node:events';
import { AmqpConnection } from '@golevelup/nestjs-rabbitmq';
import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { errorCode } from '../errors/describe';
import { watchConnection } from './connection-watchdog';
import { joinWritesOf } from './joined-writes';
import { TopologyReport } from './topology-report';

/** What is known of the live connection. `since` is when the state began. */
export interface BrokerState {
  readonly up: boolean;
  readonly since: Date;
  readonly reason?: string;
}

/** Watches the one live connection to the broker; asking it costs nothing and opens nothing. */
@Injectable()
export class BrokerMonitor implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger('RabbitMQ');
  private readonly events = new EventEmitter().setMaxListeners(0);
  private connection: BrokerState = { up: false, since: new Date(), reason: 'not reached yet' };
  private blockedReason: string | undefined;
  private connections = 0;
  private endWatch = () => {};

  constructor(
    private readonly amqp: AmqpConnection,
    private readonly topology: TopologyReport,
  ) {}

  onModuleInit(): void {
    const manager = this.amqp.managedConnection;
    manager.on('connect', () => this.become(true));
    manager.on('disconnect', ({ err }) => this.become(false, errorCode(err)));
    manager.on('connectFailed', ({ err }) => this.become(false, errorCode(err)));
    // The broker is out of disk or memory: it takes no messages until it says so.
    manager.on('blocked', ({ reason }) => {
      this.blockedReason = reason;
      this.logger.warn({ msg: 'the broker blocks publishing', reason });
    });
    manager.on('unblocked', () => {
      this.blockedReason = undefined;
      this.logger.log({ msg: 'the broker takes messages again' });
    });
    if (manager.isConnected()) this.become(true);
    this.endWatch = watchConnection(manager, 'main');
    joinWritesOf(manager);
  }

  onModuleDestroy(): void {
    this.endWatch();
  }

  get state(): BrokerState {
    const { problem } = this.topology;
    return problem === undefined ? this.connection : { ...this.connection, up: false, reason: problem };
  }

  /** Names the present connection: another one has another number, and knows nothing of its deliveries. */
  get connectionNumber(): number {
    return this.connections;
  }

  get blocked(): boolean {
    return this.blockedReason !== undefined;
  }

  /** Calls `listener` whenever the connection is lost or made. */
  onChange(listener: (state: BrokerState) => void): void {
    this.events.on('change', listener);
  }

  private become(up: boolean, reason?: string): void {
    const changed = this.connection.up !== up;
    if (changed) this.connections++;
    if (!changed && this.connection.reason === reason) return;
    this.connection = { up, since: changed ? new Date() : this.connection.since, reason };
    this.blockedReason = undefined;
    if (up) this.logger.log({ msg: 'connected to the broker' });
    else this.logger.warn({ msg: 'no connection to the broker', reason });
    if (changed) this.events.emit('change', this.connection);
  }
}
