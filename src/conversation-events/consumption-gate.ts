import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { DatabaseMonitor } from '../database/database-monitor';
import { Consumers } from '../messaging/consumers';
import { Deliveries } from '../messaging/deliveries';

/** How long messages that were held may take before others are taken in beside them, milliseconds. */
const LONGEST_WAIT = 5_000;

/** Messages are consumed only while the database can take their results. */
@Injectable()
export class ConsumptionGate implements OnApplicationBootstrap {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    private readonly database: DatabaseMonitor,
    private readonly consumers: Consumers,
    private readonly deliveries: Deliveries,
  ) {}

  onApplicationBootstrap(): void {
    if (this.environment.APP_ROLE === 'api') return;
    this.database.onChange(({ up }) => this.open(up));
    this.open(this.database.state.up);
  }

  private open(up: boolean): void {
    if (!up) return void this.consumers.pause('the database is away');
    // What is held goes on first: a new consumer has a prefetch of its own, and would double what is in flight.
    void this.deliveries.whenIdle(LONGEST_WAIT).then(() => {
      if (this.database.state.up) void this.consumers.resume();
    });
  }
}
