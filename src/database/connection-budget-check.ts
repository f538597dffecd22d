import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { connectionBudgetProblem } from '../config/connection-budget';
import { connectionNeeds, ENVIRONMENT, type Environment } from '../config/environment';
import { ConnectionLimitRepository } from './connection-limit.repository';
import { DatabaseMonitor } from './database-monitor';
import { errorCode } from '../errors/describe';

/**
 * Asks the server, once it answers for the first time, whether the connections of all processes fit into it. What does not fit is
 * said then, and not when connections run out under load. A budget that is set is checked with the settings, before anything starts.
 */
@Injectable()
export class ConnectionBudgetCheck implements OnApplicationBootstrap {
  private readonly logger = new Logger('Database');
  private refuse: (problem: string) => void = () => undefined;
  /** Resolves with the problem when this process must not run. Most never do. */
  readonly refused = new Promise<string>((resolve) => (this.refuse = resolve));

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    private readonly database: DatabaseMonitor,
    private readonly server: ConnectionLimitRepository,
  ) {}

  onApplicationBootstrap(): void {
    const { DATABASE_CONNECTION_BUDGET: budget, DATABASE_POOL_SIZE: poolSize } = this.environment;
    if (!connectionNeeds(this.environment)) {
      const got = `got nothing; this one may take ${poolSize + 1}`;
      this.logger.warn({ msg: `WORKER_REPLICAS: expected it, to check the connections of all processes, ${got}` });
    } else if (budget === undefined) void this.check();
  }

  private async check(): Promise<void> {
    const needs = connectionNeeds(this.environment);
    if (!needs) return;
    try {
      await this.database.waitUntilUp(new AbortController().signal);
      const problem = connectionBudgetProblem(needs, await this.server.connectionLimit(), "the server's own limit");
      if (problem !== undefined) this.refuse(`DATABASE_CONNECTION_BUDGET: ${problem}`);
    } catch (error) {
      this.logger.warn({ msg: 'the connections of all processes were not checked', code: errorCode(error) });
    }
  }
}
