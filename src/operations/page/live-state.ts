import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../../config/environment';
import { VERSION } from '../../config/version';
import { ConnectionLimitRepository } from '../../database/connection-limit.repository';
import { DatabaseMonitor, NOT_REACHED_YET } from '../../database/database-monitor';
import { errorCode } from '../../errors/describe';
import { BrokerMonitor } from '../../messaging/broker-monitor';
import { TelemetryChannel } from '../../messaging/telemetry-channel';
import { TOPOLOGY } from '../../messaging/tokens';
import { allQueues, lanesOf, type Topology } from '../../messaging/topology';
import { BacklogRepository } from '../../observability/backlog.repository';
import type { ProcessFigures } from '../../observability/process-figures';
import { TELEMETRY_INTERVAL, Telemetry } from '../../observability/telemetry';
import { buildState, momentOf, type Known } from './build-state';
import { FiguresRepository } from './figures.repository';
import { Fleet } from './fleet';
import { KnownFigures } from './known-figures';
import { OperatorActionsRepository } from './operator-actions.repository';
import { readFigures } from './process-figures.schema';
import type { Moment, Outage, State } from './state';

/** Windows of rates and of distributions, milliseconds. */
const LATELY = 10_000;
const MINUTE = 60_000;

/** Points of the history: ten minutes. */
const MOST_MOMENTS = 300;

/** The actions that the page shows. */
const SHOWN_ACTIONS = 10;

/** How long figures of elsewhere are fresh, and how long they may be shown, milliseconds. */
const FAST = TELEMETRY_INTERVAL / 2;
const SLOW = 10_000;
const SHOWN_FOR = 15_000;

/** How long somebody who asks waits for figures that are not there yet, milliseconds. */
const PATIENCE = 1_500;

/** How long the database is asked after the last one who looked, milliseconds. */
const WATCHED_FOR = 30_000;

/** Knows how the whole service is: hears every process, asks the broker, and asks the database while somebody looks. */
@Injectable()
export class LiveState implements OnModuleInit {
  private readonly fleet = new Fleet();
  private readonly history: Moment[] = [];
  private readonly onTick: (() => void)[] = [];
  private own: ProcessFigures | undefined;
  private watchedAt = -Infinity;
  private readonly queues: KnownFigures<Awaited<ReturnType<TelemetryChannel['queueFigures']>>>;
  /** Of the database: what changes at every look, what takes a moment to count, and what never changes. */
  private readonly fast;
  private readonly slow;
  private readonly limit;

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(TOPOLOGY) private readonly topology: Topology,
    private readonly telemetry: Telemetry,
    private readonly channel: TelemetryChannel,
    private readonly broker: BrokerMonitor,
    private readonly database: DatabaseMonitor,
    backlog: BacklogRepository,
    figures: FiguresRepository,
    actions: OperatorActionsRepository,
    limit: ConnectionLimitRepository,
  ) {
    const names = allQueues(topology).map(({ name }) => name);
    this.queues = new KnownFigures(() => channel.queueFigures(names), FAST, SHOWN_FOR);
    const readFast = async () => {
      const lanes = lanesOf(topology).length;
      const [settled, recorded] = await Promise.all([backlog.read(lanes), actions.list(SHOWN_ACTIONS, true)]);
      return { backlog: settled, actions: recorded };
    };
    this.fast = new KnownFigures(readFast, FAST, SHOWN_FOR);
    this.slow = new KnownFigures(() => figures.read(), SLOW, SLOW + SHOWN_FOR);
    this.limit = new KnownFigures(() => limit.connectionLimit(), Infinity, Infinity);
  }

  onModuleInit(): void {
    this.channel.listen((body) => this.hear(body));
    this.telemetry.onFigures((figures) => this.tick(figures));
  }

  /** Calls `listener` at each interval. */
  onChange(listener: () => void): void {
    this.onTick.push(listener);
  }

  /** What is known now. Waits a moment for what is not known or no longer so, and never fails. */
  async look(): Promise<State> {
    const isFirst = performance.now() - this.watchedAt > WATCHED_FOR;
    this.watchedAt = performance.now();
    if (isFirst || this.fast.isExpired) {
      const refreshed = Promise.all([this.refreshDatabase(), this.queues.refresh()]);
      await Promise.race([refreshed, delay(PATIENCE, undefined, { ref: false })]);
    }
    return this.state();
  }

  /** Somebody did something: the next look asks the database. */
  expire(): void {
    this.fast.expire();
    this.slow.expire();
  }

  private hear(body: Buffer): void {
    const figures = readFigures(body);
    if (figures && figures.instance !== this.own?.instance) this.fleet.hear(figures, performance.now());
  }

  /** This process said how it is: the same to itself, which does not depend on the broker. */
  private tick(own: ProcessFigures): void {
    this.own = own;
    this.fleet.hear(own, performance.now());
    void this.queues.refresh();
    if (performance.now() - this.watchedAt < WATCHED_FOR) void this.refreshDatabase();
    this.history.push(momentOf(this.known()));
    if (this.history.length > MOST_MOMENTS) this.history.shift();
    for (const listener of this.onTick) listener();
  }

  private async refreshDatabase(): Promise<void> {
    if (!this.database.state.up) return;
    const budget = this.environment.DATABASE_CONNECTION_BUDGET === undefined ? this.limit.refresh() : undefined;
    await Promise.all([this.fast.refresh(), this.slow.refresh(), budget]);
  }

  private state(): State {
    return buildState(this.known());
  }

  private known(): Known {
    const now = performance.now();
    const databaseUp = this.database.state.up;
    const fast = databaseUp ? this.fast.current : undefined;
    return {
      at: new Date(),
      intervalSeconds: TELEMETRY_INTERVAL / 1000,
      version: VERSION,
      topology: this.topology,
      unavailable: this.outages(),
      queues: this.broker.state.up ? this.queues.current : undefined,
      present: this.fleet.present(now, LATELY),
      lately: this.fleet.change(now, LATELY),
      minute: this.fleet.change(now, MINUTE),
      history: this.history,
      expectedWorkers: this.environment.WORKER_REPLICAS,
      backlog: fast?.backlog,
      stored: databaseUp ? this.slow.current : undefined,
      budget: this.environment.DATABASE_CONNECTION_BUDGET ?? this.limit.current,
      actions: fast?.actions,
    };
  }

  private outages(): Outage[] {
    const { database, broker } = this;
    const outages: Outage[] = [];
    if (!database.state.up) outages.push(toOutage('database', database.state));
    else if (this.fast.failure !== undefined) {
      outages.push({ part: 'database', since: null, reason: errorCode(this.fast.failure) });
    }
    if (!broker.state.up) outages.push(toOutage('broker', broker.state));
    else if (broker.blocked) outages.push({ part: 'broker', since: null, reason: 'BLOCKED_BY_BROKER' });
    return outages;
  }
}

function toOutage(part: Outage['part'], { since, reason }: { since: Date; reason?: string }): Outage {
  // Before the first word nobody knows since when.
  const known = reason !== NOT_REACHED_YET && reason !== 'not reached yet';
  return { part, since: known ? since.toISOString() : null, reason: reason ?? 'away' };
}
