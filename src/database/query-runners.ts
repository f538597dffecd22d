import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type QueryRunner } from 'typeorm';
import { Metrics } from '../observability/metrics';
import { DatabaseMonitor } from './database-monitor';
import { errorCode } from '../errors/describe';
import { DatabaseNotReady, isDatabaseAway, isPoolTimeout } from './database-errors';

/** Deadlock, and serialization failure. */
const LOST_TO_ANOTHER = new Set(['40P01', '40001']);
const MOST_TRIES = 5;

/**
 * Lends query runners, one for each scope of work, and takes them back whatever happens.
 * A scope is a function call: nothing is looked up in ambient state, and nothing outlives the call.
 * docs/adr/0001-query-runner-per-message.md tells why this is not Nest's request scope.
 */
@Injectable()
export class QueryRunners {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly monitor: DatabaseMonitor,
    private readonly metrics: Metrics,
  ) {}

  /**
   * Calls `work` with a runner of its own. Each statement in it is a transaction of its own.
   * A connection on which the database proved to be away is closed rather than lent again.
   */
  async use<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    if (!this.dataSource.isInitialized) throw new DatabaseNotReady();
    const runner = this.dataSource.createQueryRunner();
    let broken: Error | undefined;
    try {
      const askedAt = performance.now();
      await runner.connect();
      this.metrics.of.connectionWait.observe((performance.now() - askedAt) / 1000);
      return await work(runner);
    } catch (error) {
      if (isDatabaseAway(error) && !isPoolTimeout(error)) {
        broken = error as Error;
        this.monitor.reportAway(error);
      }
      throw error;
    } finally {
      await release(runner, broken);
    }
  }

  /**
   * Like {@link transaction}, and begins anew when it lost a deadlock or could not be serialized: one of the two that waited for each
   * other has gone on by then. `work` may run several times.
   */
  async repeatableTransaction<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.transaction(work);
      } catch (error) {
        if (!LOST_TO_ANOTHER.has(errorCode(error)) || tries === MOST_TRIES) throw error;
      }
    }
  }

  /** Like {@link use}, in one explicit transaction: committed when `work` returns, rolled back when it throws. */
  async transaction<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    return this.use(async (runner) => {
      await runner.startTransaction();
      try {
        const result = await work(runner);
        await runner.commitTransaction();
        return result;
      } catch (error) {
        // A rollback on a lost connection fails as well; the first error is the one that tells.
        if (!runner.isReleased) await runner.rollbackTransaction().catch(() => undefined);
        throw error;
      }
    });
  }
}

/** TypeORM's `release()` cannot say that a connection is broken; the method below it can. */
async function release(runner: QueryRunner, broken: Error | undefined): Promise<void> {
  const postgres = runner as QueryRunner & { releasePostgresConnection(error?: Error): Promise<void> };
  await postgres.releasePostgresConnection(broken);
}
