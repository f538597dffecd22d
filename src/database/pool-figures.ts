import type { DataSource } from 'typeorm';

/** What is known of a pool of pg. */
export interface PoolFigures {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
}

/** The pool below TypeORM; empty as long as the database has not been reached. */
export function poolFigures(dataSource: DataSource): PoolFigures {
  const { master } = dataSource.driver as unknown as { master?: PoolFigures };
  return master ?? { totalCount: 0, idleCount: 0, waitingCount: 0 };
}
