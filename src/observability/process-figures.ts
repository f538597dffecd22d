import { monitorEventLoopDelay } from 'node:perf_hooks';
import { hostname } from 'node:os';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleDestroy } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { VERSION } from '../config/version';
import { DatabaseMonitor } from '../database/database-monitor';
import { poolFigures } from '../database/pool-figures';
import { BrokerMonitor } from '../messaging/broker-monitor';
import { Consumers } from '../messaging/consumers';
import { TOPOLOGY } from '../messaging/tokens';
import { lanesOf, type Topology } from '../messaging/topology';
import { readCounter, readHistogram, type HistogramFigures } from './instrument-figures';
import { METRICS, Metrics } from './metrics';

/** Raised when a field changes its meaning: processes of several versions run side by side during a rollout. */
export const FIGURES_FORMAT = 1;

/** Counted since the start of the process. */
export interface Counters {
  /** Posts answered 202 for the first time. */
  readonly accepted: number;
  /** Conversations counted, skipped or recorded as dead letters. */
  readonly settled: number;
  /** Attempts that did not succeed. */
  readonly failed_attempts: number;
  /** Posts and deliveries that counted nothing, since their conversation had been there before. */
  readonly duplicates: number;
  readonly republished: number;
}

/** Distributions since the start of the process, seconds. */
export interface Distributions {
  readonly critical: HistogramFigures;
  readonly queue: HistogramFigures;
  readonly slot: HistogramFigures;
  readonly external: HistogramFigures;
  readonly database: HistogramFigures;
  readonly ack: HistogramFigures;
}

/** One external service as this process sees it. `breaker`: 0 closed, 1 trying again, 2 open. */
export interface ServiceFigures {
  readonly service: string;
  readonly breaker: number;
  readonly calls: HistogramFigures;
  readonly failures: number;
}

/** How one process is: some numbers and names of its own, no id of anybody and no text. Durations in seconds. */
export interface ProcessFigures {
  readonly format: typeof FIGURES_FORMAT;
  /** Host and process number; with `started_at` it is this process and no other. */
  readonly instance: string;
  readonly started_at: string;
  readonly uptime_seconds: number;
  readonly role: Environment['APP_ROLE'];
  readonly version: string;
  readonly ready: boolean;
  /** Why it is not ready, or what it has to do without. */
  readonly reason: string | null;
  readonly in_flight: number;
  readonly concurrency: number;
  /** Of one core. */
  readonly cpu_share: number;
  readonly event_loop_p99_seconds: number;
  readonly memory_bytes: number;
  readonly pool_used: number;
  readonly pool_size: number;
  readonly pool_waiting: number;
  readonly counters: Counters;
  readonly distributions: Distributions;
  readonly services: readonly ServiceFigures[];
}

/** The clock of the event loop's delay ticks this often, milliseconds: an idle loop shows this much, which is taken off. */
const LOOP_RESOLUTION = 20;

/** Of `friendship_conversations_total`: what settles a conversation, and what was an attempt that failed. */
const SETTLED = ['processed', 'skipped'];
const FAILED = ['retried', 'dead-lettered', 'rejected'];

/** Reads what this process measured anyway. */
@Injectable()
export class ProcessFiguresReader implements OnModuleDestroy, OnApplicationShutdown {
  private readonly startedAt = new Date(Date.now() - process.uptime() * 1000).toISOString();
  private readonly instance = `${hostname()}/${process.pid}`;
  private readonly loopDelay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION });
  private cpu = { at: performance.now(), used: process.cpuUsage() };
  private stopping = false;

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(TOPOLOGY) private readonly topology: Topology,
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly metrics: Metrics,
    private readonly database: DatabaseMonitor,
    private readonly broker: BrokerMonitor,
    private readonly consumers: Consumers,
  ) {
    this.loopDelay.enable();
  }

  onModuleDestroy(): void {
    this.stopping = true;
  }

  onApplicationShutdown(): void {
    this.loopDelay.disable();
  }

  /** What happens between two calls is the second one's: CPU and the event loop's delay. */
  async read(): Promise<ProcessFigures> {
    const { of } = this.metrics;
    const { totalCount, idleCount, waitingCount } = poolFigures(this.dataSource);
    const working = this.environment.APP_ROLE !== 'api';
    const queues = new Set(lanesOf(this.topology).map(({ queue }) => queue.name));
    const ofLanes = ({ messaging_destination_name: name }: Record<string, unknown>) => queues.has(String(name));
    return {
      format: FIGURES_FORMAT,
      instance: this.instance,
      started_at: this.startedAt,
      uptime_seconds: process.uptime(),
      role: this.environment.APP_ROLE,
      version: VERSION,
      ...this.readiness(),
      in_flight: await readCounter(of.messagesInFlight, ofLanes),
      concurrency: working ? await readCounter(of.messageConcurrency, ofLanes) : 0,
      ...this.readLoad(),
      memory_bytes: process.memoryUsage.rss(),
      pool_used: totalCount - idleCount,
      pool_size: this.environment.DATABASE_POOL_SIZE,
      pool_waiting: waitingCount,
      counters: await this.readCounters(),
      distributions: await this.readDistributions(),
      services: await this.readServices(),
    };
  }

  /** As /health/ready tells it: a worker cannot do without a part, an api does its best. */
  private readiness(): Pick<ProcessFigures, 'ready' | 'reason'> {
    const { database, broker, consumers } = this;
    const without = (reason: string) => ({ ready: this.environment.APP_ROLE !== 'worker', reason });
    if (this.stopping) return { ready: false, reason: 'draining' };
    if (database.state.reason === 'SCHEMA_NOT_MIGRATED') return { ready: false, reason: 'SCHEMA_NOT_MIGRATED' };
    if (!database.state.up) return without(`database: ${database.state.reason ?? 'away'}`);
    if (!broker.state.up) return without(`broker: ${broker.state.reason ?? 'away'}`);
    if (this.environment.APP_ROLE === 'api') return { ready: true, reason: null };
    const { expected, live, missing, paused } = consumers.state;
    if (missing > 0) return without(`${live} of ${expected} consumers`);
    return { ready: true, reason: paused === undefined ? null : `paused: ${paused}` };
  }

  private readLoad(): Pick<ProcessFigures, 'cpu_share' | 'event_loop_p99_seconds'> {
    const now = { at: performance.now(), used: process.cpuUsage() };
    const { at, used } = this.cpu;
    this.cpu = now;
    const microseconds = now.used.user - used.user + now.used.system - used.system;
    const delay = this.loopDelay.count === 0 ? 0 : this.loopDelay.percentile(99) / 1e9 - LOOP_RESOLUTION / 1000;
    this.loopDelay.reset();
    return {
      cpu_share: microseconds / 1000 / Math.max(1, now.at - at),
      event_loop_p99_seconds: Math.max(0, delay),
    };
  }

  private async readCounters(): Promise<Counters> {
    const { accepted, conversations, deadLetters, republished } = this.metrics.of;
    const results = (names: readonly string[]) =>
      readCounter(conversations, ({ result }) => names.includes(String(result)));
    return {
      accepted: await readCounter(accepted, ({ result }) => result !== 'duplicate'),
      settled: (await results(SETTLED)) + (await readCounter(deadLetters)),
      failed_attempts: await results(FAILED),
      duplicates:
        (await results(['duplicate'])) + (await readCounter(accepted, ({ result }) => result === 'duplicate')),
      republished: await readCounter(republished),
    };
  }

  private async readDistributions(): Promise<Distributions> {
    const { of } = this.metrics;
    const read = (key: 'criticalTime' | 'queueWait' | 'slotWait' | 'analysisTime' | 'databaseTime' | 'ackWait') =>
      readHistogram(of[key], METRICS[key].buckets);
    return {
      critical: await read('criticalTime'),
      queue: await read('queueWait'),
      slot: await read('slotWait'),
      external: await read('analysisTime'),
      database: await read('databaseTime'),
      ack: await read('ackWait'),
    };
  }

  private async readServices(): Promise<ServiceFigures[]> {
    const { breakerState, externalCallDuration } = this.metrics.of;
    const { buckets } = METRICS.externalCallDuration;
    const { values } = await breakerState.get();
    return Promise.all(
      values.map(async ({ labels, value }) => {
        const service = String(labels.service);
        const calls = await readHistogram(externalCallDuration, buckets, (call) => call.service === service);
        const ok = await readHistogram(
          externalCallDuration,
          buckets,
          (call) => call.service === service && call.outcome === 'ok',
        );
        return { service, breaker: value, calls, failures: total(calls) - total(ok) };
      }),
    );
  }
}

function total({ counts }: HistogramFigures): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
