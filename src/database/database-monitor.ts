import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { errorCode } from '../errors/describe';
import { clientOptions } from './data-source';
import { LATEST_MIGRATION, MIGRATIONS_TABLE } from './migrations';

/** What is known of a dependency. `since` is when the state began. */
export interface DependencyState {
  readonly up: boolean;
  readonly since: Date;
  readonly reason?: string;
}

/** The reason before the first attempt has ended. */
export const NOT_REACHED_YET = 'NOT_REACHED_YET';

/** How long to wait between two attempts to reach the database again: doubles from the first to the last, milliseconds. */
const BACKOFF = { first: 100, last: 2_000 };

/** Going away again within this time counts as the same trouble, milliseconds. */
const RELAPSE_MS = 5_000;

/**
 * Knows whether the database can be used: it answers, and its schema is what this build needs.
 * It asks over a connection of its own, so that a busy pool cannot make the database look away.
 */
@Injectable()
export class DatabaseMonitor implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('Database');
  private readonly events = new EventEmitter().setMaxListeners(0);
  private readonly stopping = new AbortController();
  private current: DependencyState = { up: false, since: new Date(), reason: NOT_REACHED_YET };
  private client: Client | undefined;
  private probing: Promise<void> | undefined;
  private watching = false;
  private firstWait = BACKOFF.first;

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    @Inject(ENVIRONMENT) private readonly environment: Environment,
  ) {}

  onModuleInit(): void {
    this.watchUntilUp();
  }

  get state(): DependencyState {
    return this.current;
  }

  /** Calls `listener` whenever the database goes away or comes back. */
  onChange(listener: (state: DependencyState) => void): void {
    this.events.on('change', listener);
  }

  /** Somebody's work failed because the database is away. Starts watching for it to come back. */
  reportAway(error: unknown): void {
    // A database that answers probes but refuses work must not be found "up" again at once, over and over.
    const relapse = this.current.up && Date.now() - this.current.since.getTime() < RELAPSE_MS;
    if (this.current.up) this.firstWait = relapse ? Math.min(this.firstWait * 2, BACKOFF.last) : BACKOFF.first;
    this.become(false, errorCode(error));
    this.watchUntilUp(this.firstWait);
  }

  /** Resolves when the database can be used; rejects with an AbortError when `signal` fires first. */
  async waitUntilUp(signal: AbortSignal): Promise<void> {
    while (!this.current.up) {
      signal.throwIfAborted();
      await once(this.events, 'change', { signal });
    }
  }

  /** Asks now and returns the state after the answer. Never throws; without an answer in `timeLimit` milliseconds it says so. */
  async probe(timeLimit: number): Promise<DependencyState> {
    const answered = this.ask().then(
      () => true,
      (error: unknown) => {
        this.reportAway(error);
        return true;
      },
    );
    // Being slow to answer is worth telling, but no reason to stop working.
    const late = delay(timeLimit, false, { ref: false });
    return (await Promise.race([answered, late]))
      ? this.current
      : { up: false, since: new Date(), reason: 'NO_ANSWER_IN_TIME' };
  }

  onApplicationShutdown(): void {
    this.stopping.abort();
    this.disconnect();
  }

  private watchUntilUp(firstWait = 0): void {
    if (this.watching || this.stopping.signal.aborted) return;
    this.watching = true;
    void this.watch(firstWait).finally(() => (this.watching = false));
  }

  private async watch(firstWait: number): Promise<void> {
    for (let wait = firstWait; ; wait = Math.min(Math.max(wait * 2, BACKOFF.first), BACKOFF.last)) {
      // Jitter keeps many workers from knocking in step.
      await delay(wait * (0.5 + Math.random() / 2), undefined, { signal: this.stopping.signal }).catch(() => undefined);
      if (this.stopping.signal.aborted) return;
      try {
        await this.ask();
        if (!this.dataSource.isInitialized) await this.dataSource.initialize();
        this.become(true);
        return;
      } catch (error) {
        this.become(false, errorCode(error));
      }
    }
  }

  /** One question at a time; whoever asks meanwhile shares the answer. */
  private ask(): Promise<void> {
    this.probing ??= this.askOnce().finally(() => (this.probing = undefined));
    return this.probing;
  }

  private async askOnce(): Promise<void> {
    try {
      this.client ??= await this.connect();
      const { rows } = await this.client.query<{ read_only: string; migrated: boolean }>({
        name: 'database_probe',
        text: `SELECT current_setting('transaction_read_only') AS read_only,
                      to_regclass('${MIGRATIONS_TABLE}') IS NOT NULL AS migrated`,
      });
      if (rows[0].read_only === 'on') throw Object.assign(new Error('read-only'), { code: '25006' });
      if (!rows[0].migrated || !(await this.isMigrated(this.client))) {
        throw Object.assign(new Error(`migration ${LATEST_MIGRATION} is missing: npm run migrate`), {
          code: 'SCHEMA_NOT_MIGRATED',
        });
      }
    } catch (error) {
      if (errorCode(error) !== 'SCHEMA_NOT_MIGRATED') this.disconnect();
      throw error;
    }
  }

  private async isMigrated(client: Client): Promise<boolean> {
    const { rowCount } = await client.query({
      name: 'database_probe_schema',
      text: `SELECT FROM ${MIGRATIONS_TABLE} WHERE name = $1`,
      values: [LATEST_MIGRATION],
    });
    return rowCount === 1;
  }

  private async connect(): Promise<Client> {
    const client = new Client({ ...clientOptions(this.environment), application_name: 'friendship-service probe' });
    // Without a listener, a connection that breaks while idle would end the process.
    client.on('error', (error) => {
      if (this.client === client) this.client = undefined;
      this.reportAway(error);
    });
    await client.connect().catch((error: unknown) => {
      // pg has no code for it.
      if (error instanceof Error && /does not support SSL/.test(error.message)) {
        throw Object.assign(error, { code: 'TLS_NOT_OFFERED' });
      }
      throw error;
    });
    return client;
  }

  /** Not awaited: on a connection that lets nothing through, the goodbye would never be answered. */
  private disconnect(): void {
    const client = this.client;
    this.client = undefined;
    client?.end().catch(() => undefined);
  }

  private become(up: boolean, reason?: string): void {
    const changed = this.current.up !== up;
    if (!changed && this.current.reason === reason) return;
    this.current = { up, since: changed ? new Date() : this.current.since, reason };
    if (up) this.logger.log({ msg: 'database is up' });
    else this.logger.warn({ msg: 'database is away', reason });
    if (changed) this.events.emit('change', this.current);
  }
}
