import { connectionBudgetProblem, connectionsNeeded, largestWorkerPool } from './connection-budget';

const NEEDS = { workers: 4, surge: 1, draining: 1, workerPoolSize: 10, apis: 2, apiPoolSize: 5 };

describe('the connection budget', () => {
  it('counts every process that may exist at once with its pool and one more, and leaves five to others', () => {
    expect(connectionsNeeded(NEEDS)).toBe(6 * 11 + 2 * 6 + 5);
    expect(connectionsNeeded({ ...NEEDS, workers: 0, surge: 0, draining: 0 })).toBe(17);
    expect(connectionsNeeded({ ...NEEDS, apis: 0 })).toBe(71);
  });

  it('tells the largest pool of a worker that it has room for', () => {
    for (const budget of [83, 84, 200]) {
      const workerPoolSize = largestWorkerPool(NEEDS, budget);
      expect(connectionsNeeded({ ...NEEDS, workerPoolSize })).toBeLessThanOrEqual(budget);
      expect(connectionsNeeded({ ...NEEDS, workerPoolSize: workerPoolSize + 1 })).toBeGreaterThan(budget);
    }
    expect(largestWorkerPool(NEEDS, 28)).toBeLessThan(1);
  });

  it('holds up to the very connection, and is exceeded by one more', () => {
    expect(connectionBudgetProblem(NEEDS, 83, 'DATABASE_CONNECTION_BUDGET')).toBeUndefined();
    expect(connectionBudgetProblem(NEEDS, 82, 'DATABASE_CONNECTION_BUDGET')).toBe(
      'expected all processes together to need at most 82 connections to PostgreSQL (DATABASE_CONNECTION_BUDGET), got 83 = ' +
        '(4 workers + 1 surge + 1 draining) x (10 + 1) + 2 api x (5 + 1) + 5: ' +
        "lower DATABASE_POOL_SIZE or the number of processes, or raise the server's max_connections (or the budget, if it is set)",
    );
  });
});
