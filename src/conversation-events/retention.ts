import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { DatabaseMonitor } from '../database/database-monitor';
import { errorCode } from '../errors/describe';
import { RetentionRepository, type PurgePosition } from './retention.repository';

/** How often a worker asks whether today's run is still to be done, milliseconds. */
const INTERVAL = 10 * 60 * 1000;

/** Purges texts after CONVERSATION_RETENTION_DAYS. Audit, rebuild and duplicate detection need none of them. */
@Injectable()
export class Retention implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Retention');
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    private readonly repository: RetentionRepository,
    private readonly database: DatabaseMonitor,
  ) {}

  onApplicationBootstrap(): void {
    const days = this.environment.CONVERSATION_RETENTION_DAYS;
    if (days !== undefined) this.running = this.run(days);
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(days: number): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await this.purgeOnceADay(days).catch((error: unknown) =>
        this.logger.warn({ msg: 'not purged', code: errorCode(error) }),
      );
      await delay(INTERVAL, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  private async purgeOnceADay(days: number): Promise<void> {
    await this.database.waitUntilUp(this.stopping.signal);
    if (!(await this.repository.claimRun())) return;
    let events = 0;
    let position: PurgePosition | undefined = { accepted_at: '-infinity', conversation_id: '' };
    while (position && !this.stopping.signal.aborted) {
      const step = await this.repository.purgeEvents(position, days);
      events += step?.purged ?? 0;
      position = step;
    }
    const letters = await this.repository.purgeLetters(days);
    this.logger.log({ msg: 'texts purged', events, dead_letters: letters, older_than_days: days });
  }
}
