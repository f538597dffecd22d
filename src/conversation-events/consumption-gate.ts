import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { DatabaseMonitor } from '../database/database-monitor';
import type { ExternalService } from '../external-services/external-service';
import { ExternalServices } from '../external-services/external-services';
import type { RecoveryState } from '../external-services/recovery';
import { Consumers } from '../messaging/consumers';
import { Deliveries } from '../messaging/deliveries';
import type { LaneName } from '../messaging/topology';

/** How long messages that were held may take before others are taken in beside them, milliseconds. */
const LONGEST_WAIT = 5_000;

const DATABASE_AWAY = 'the database is away';

/** Messages are consumed only while the database can take their results, and while the services that they need are not left alone. */
@Injectable()
export class ConsumptionGate implements OnApplicationBootstrap {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    private readonly database: DatabaseMonitor,
    private readonly consumers: Consumers,
    private readonly deliveries: Deliveries,
    private readonly services: ExternalServices,
  ) {}

  onApplicationBootstrap(): void {
    if (this.environment.APP_ROLE === 'api') return;
    this.database.onChange(({ up }) => this.followDatabase(up));
    this.followDatabase(this.database.state.up);
    for (const service of this.services.all) {
      // Without an analysis an event can still be scored, if that is wanted; without the conversation it cannot.
      const needed = this.environment.ANALYSIS_ON_FAILURE === 'retry' || service === this.services.conversations;
      if (needed) service.recovery.onChange((state) => this.followService(service, state));
    }
    void this.consumers.start();
  }

  private followDatabase(up: boolean): void {
    if (!up) return void this.consumers.pause(DATABASE_AWAY);
    this.resumeAfterHeld('processing', DATABASE_AWAY, () => this.database.state.up);
  }

  /** The analysis lane pauses while a service that it needs is left alone; the other lane needs none. */
  private followService({ name, recovery }: ExternalService, state: RecoveryState): void {
    const reason = `the circuit breaker of ${name} is open`;
    if (state === 'open') void this.consumers.pause(reason, 'analysis');
    else if (state === 'to be tried') void this.consumers.resume(reason);
    else this.resumeAfterHeld('analysis', reason, () => !recovery.open);
  }

  /** What is held goes on first: a new consumer has a prefetch of its own, and would double what is in flight. */
  private resumeAfterHeld(lane: LaneName, reason: string, stillTrue: () => boolean): void {
    void this.deliveries.whenIdle(lane, LONGEST_WAIT).then(() => {
      if (stillTrue()) void this.consumers.resume(reason);
    });
  }
}
