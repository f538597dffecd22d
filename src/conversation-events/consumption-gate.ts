import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { DatabaseMonitor } from '../database/database-monitor';
import { Consumers } from '../messaging/consumers';

/** Messages are consumed only while the database can take their results. */
@Injectable()
export class ConsumptionGate implements OnApplicationBootstrap {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    private readonly database: DatabaseMonitor,
    private readonly consumers: Consumers,
  ) {}

  onApplicationBootstrap(): void {
    if (this.environment.APP_ROLE === 'api') return;
    this.database.onChange(({ up }) => this.open(up));
    this.open(this.database.state.up);
  }

  private open(up: boolean): void {
    void (up ? this.consumers.resume() : this.consumers.pause('the database is away'));
  }
}
