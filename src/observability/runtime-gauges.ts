import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { collectDefaultMetrics } from 'prom-client';
import { DataSource } from 'typeorm';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { VERSION } from '../config/version';
import { DatabaseMonitor } from '../database/database-monitor';
import { poolFigures } from '../database/pool-figures';
import { BrokerMonitor } from '../messaging/broker-monitor';
import { Consumers } from '../messaging/consumers';
import { DEAD_LETTER_REASONS } from '../messaging/outcome';
import { laneConcurrency } from '../messaging/rabbitmq-options';
import { TOPOLOGY } from '../messaging/tokens';
import { lanesOf, type Topology } from '../messaging/topology';
import { BacklogRepository } from './backlog.repository';
import { Metrics } from './metrics';

/** How old what was read from the database may be, milliseconds: several scrapers cost one question. */
const BACKLOG_AGE = 10_000;

/** Of prom-client's own, these are gauges named like counters; nobody misses them. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** Gauges that are read when somebody asks, and cost nothing otherwise. */
@Injectable()
export class RuntimeGauges implements OnModuleInit {
  private backlogReadAt = -Infinity;

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(TOPOLOGY) private readonly topology: Topology,
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly metrics: Metrics,
    private readonly database: DatabaseMonitor,
    private readonly broker: BrokerMonitor,
    private readonly consumers: Consumers,
    private readonly backlog: BacklogRepository,
  ) {}

  onModuleInit(): void {
    const { registry, of } = this.metrics;
    collectDefaultMetrics({ register: registry });
    for (const name of MISNAMED) registry.removeSingleMetric(name);
    const { APP_ROLE: role, DATABASE_POOL_SIZE: pool } = this.environment;
    of.buildInfo.set({ version: VERSION, role }, 1);
    of.databasePoolSize.set(pool);
    this.forgetBacklog();
    if (role === 'api') return;
    // A counter that begins with its first event has no increase that an alert could see.
    for (const reason of DEAD_LETTER_REASONS) of.deadLetters.inc({ reason }, 0);
    for (const { name, queue } of lanesOf(this.topology)) {
      of.messageConcurrency.set({ messaging_destination_name: queue.name }, laneConcurrency(this.environment, name).C);
    }
  }

  async read(): Promise<void> {
    this.readProcess();
    if (this.environment.APP_ROLE !== 'api') await this.readBacklog();
  }

  private readProcess(): void {
    const { of } = this.metrics;
    const { totalCount, idleCount, waitingCount } = poolFigures(this.dataSource);
    of.databaseConnections.set({ state: 'used' }, totalCount - idleCount);
    of.databaseConnections.set({ state: 'idle' }, idleCount);
    of.databaseWaiting.set(waitingCount);
    of.dependencyUp.set({ dependency: 'broker' }, Number(this.broker.state.up));
    of.dependencyUp.set({ dependency: 'database' }, Number(this.database.state.up));
    const { expected, live } = this.consumers.state;
    of.consumers.set({ state: 'expected' }, expected);
    of.consumers.set({ state: 'live' }, live);
  }

  /** While the database is away nobody knows, and an old value would be taken for the present one. */
  private async readBacklog(): Promise<void> {
    if (performance.now() - this.backlogReadAt < BACKLOG_AGE) return;
    const { oldestUnsettled, auditDifferences, auditTimestamp } = this.metrics.of;
    const backlog = await this.backlog.read(lanesOf(this.topology).length).catch(() => undefined);
    this.forgetBacklog();
    if (!backlog) return;
    this.backlogReadAt = performance.now();
    oldestUnsettled.set(backlog.oldest_seconds);
    if (backlog.differences !== null) auditDifferences.set(backlog.differences);
    if (backlog.audited_at !== null) auditTimestamp.set(backlog.audited_at);
  }

  /** Absent, where prom-client would say 0. */
  private forgetBacklog(): void {
    const { oldestUnsettled, auditDifferences, auditTimestamp } = this.metrics.of;
    for (const gauge of [oldestUnsettled, auditDifferences, auditTimestamp]) gauge.remove();
  }
}
