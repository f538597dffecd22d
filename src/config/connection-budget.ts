/** How many connections to PostgreSQL all processes together may take. Pure: start-up and the planner use the same arithmetic. */

/** Processes that may exist at one moment, and the pool of each. */
export interface ConnectionNeeds {
  /** W: most worker processes. */
  readonly workers: number;
  /** New ones that a rollout starts before it stops old ones. */
  readonly surge: number;
  /** Old ones that were told to stop and still hold their connections. */
  readonly draining: number;
  /** `DATABASE_POOL_SIZE` of a worker. */
  readonly workerPoolSize: number;
  /** Most api processes. */
  readonly apis: number;
  /** `DATABASE_POOL_SIZE` of an api. */
  readonly apiPoolSize: number;
}

/** Kept free for the migration, the CLI and a person with psql. */
export const CONNECTIONS_FOR_OTHERS = 5;

/** Every process has its pool, and one connection apart from it for health. */
const APART_FROM_THE_POOL = 1;

/** @returns connections at the worst moment */
export function connectionsNeeded(needs: ConnectionNeeds): number {
  const workers = needs.workers + needs.surge + needs.draining;
  return (
    workers * (needs.workerPoolSize + APART_FROM_THE_POOL) +
    needs.apis * (needs.apiPoolSize + APART_FROM_THE_POOL) +
    CONNECTIONS_FOR_OTHERS
  );
}

/** @returns the most that `DATABASE_POOL_SIZE` of each worker may be within the budget; below 1 there is no room for so many workers */
export function largestWorkerPool(needs: Omit<ConnectionNeeds, 'workerPoolSize'>, budget: number): number {
  const { workers, surge, draining } = needs;
  const othersNeed = connectionsNeeded({ ...needs, workers: 0, surge: 0, draining: 0, workerPoolSize: 0 });
  return Math.floor((budget - othersNeed) / (workers + surge + draining)) - APART_FROM_THE_POOL;
}

/**
 * @param budget connections that the service may take
 * @param source where the budget comes from, such as `DATABASE_CONNECTION_BUDGET`
 * @returns what was expected, what came and what to change; undefined when the budget holds
 */
export function connectionBudgetProblem(needs: ConnectionNeeds, budget: number, source: string): string | undefined {
  const needed = connectionsNeeded(needs);
  if (needed <= budget) return undefined;
  const { workers, surge, draining, workerPoolSize, apis, apiPoolSize } = needs;
  return (
    `expected all processes together to need at most ${budget} connections to PostgreSQL (${source}), got ${needed} = ` +
    `(${workers} workers + ${surge} surge + ${draining} draining) x (${workerPoolSize} + ${APART_FROM_THE_POOL}) + ` +
    `${apis} api x (${apiPoolSize} + ${APART_FROM_THE_POOL}) + ${CONNECTIONS_FOR_OTHERS}: ` +
    "lower DATABASE_POOL_SIZE or the number of processes, or raise the server's max_connections (or the budget, if it is set)"
  );
}
