import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorFunction, type HealthIndicatorResult } from '@nestjs/terminus';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { DatabaseMonitor, NOT_REACHED_YET } from '../database/database-monitor';
import { BrokerMonitor } from '../messaging/broker-monitor';
import { Consumers } from '../messaging/consumers';
import { Publisher } from '../messaging/publisher';

/** How long the database may take to answer a probe, milliseconds. Probes themselves often allow one second. */
const PROBE_LIMIT = 800;

/** A dependency's state; `since` tells when it went away or came back. */
interface PartState {
  readonly up: boolean;
  readonly since: Date;
  readonly reason?: string;
}

/**
 * What readiness means. An api does its best for its callers while the broker or the database is away, so it stays ready and
 * says `degraded`; a worker without them has nothing to do and is not ready.
 */
@Injectable()
export class Readiness implements OnApplicationBootstrap, OnModuleDestroy {
  private started = false;
  private draining = false;

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    private readonly indicator: HealthIndicatorService,
    private readonly database: DatabaseMonitor,
    private readonly broker: BrokerMonitor,
    private readonly publisher: Publisher,
    private readonly consumers: Consumers,
  ) {}

  onApplicationBootstrap(): void {
    this.started = true;
  }

  onModuleDestroy(): void {
    this.draining = true;
  }

  indicators(): HealthIndicatorFunction[] {
    const ofWorker = [() => this.consumerState()];
    return [
      () => this.processState(),
      () => this.databaseState(),
      () => this.part('broker', this.brokerState),
      ...(this.environment.APP_ROLE === 'api' ? [] : ofWorker),
    ];
  }

  /** A connection over which nothing can be published is of no use yet. */
  private get brokerState(): PartState {
    const { state } = this.broker;
    if (!state.up || this.publisher.ready) return state;
    return { ...state, up: false, reason: this.broker.blocked ? 'BLOCKED_BY_BROKER' : 'PUBLISHER_NOT_READY' };
  }

  private get mayDegrade(): boolean {
    return this.environment.APP_ROLE !== 'worker';
  }

  private processState(): HealthIndicatorResult {
    const { draining } = this;
    // Before the first word from the database, good or bad, nobody knows what the first request would meet.
    const started = this.started && this.database.state.reason !== NOT_REACHED_YET;
    const check = this.indicator.check('process');
    const details = { role: this.environment.APP_ROLE, started, draining };
    return started && !draining ? check.up(details) : check.down(details);
  }

  private async databaseState(): Promise<HealthIndicatorResult> {
    const state = await this.database.probe(PROBE_LIMIT);
    // A missing migration is not the database's absence: nothing would work until somebody migrates.
    if (state.reason === 'SCHEMA_NOT_MIGRATED') return this.indicator.check('database').down(describe(state));
    return this.part('database', state);
  }

  private part(name: string, state: PartState): HealthIndicatorResult {
    const check = this.indicator.check(name);
    if (state.up) return check.up(describe(state));
    return this.mayDegrade ? check.up({ ...describe(state), degraded: true }) : check.down(describe(state));
  }

  private consumerState(): HealthIndicatorResult {
    const { expected, live, missing, paused } = this.consumers.state;
    const check = this.indicator.check('consumers');
    const details = { expected, live, ...(paused === undefined ? {} : { paused }) };
    if (missing === 0) return check.up(details);
    return this.mayDegrade ? check.up({ ...details, degraded: true }) : check.down(details);
  }
}

function describe({ since, reason }: PartState): Record<string, string> {
  return { since: since.toISOString(), ...(reason === undefined ? {} : { reason }) };
}
