import 'reflect-metadata';
import { startApplication, stopApplication } from './application';
import { CLOSE_MARGIN, EnvironmentError, readEnvironment } from './config/environment';
import { ConnectionBudgetCheck } from './database/connection-budget-check';
import { describeError } from './errors/describe';
import { createLogger } from './observability/logger';
import { tracing } from './observability/trace-hooks';

async function main(): Promise<void> {
  const environment = readEnvironment();
  const log = createLogger(environment);
  const starting = startApplication(environment, log);
  const stop = (reason: string, code: 0 | 1) => {
    const limit = environment.SHUTDOWN_TIMEOUT + CLOSE_MARGIN;
    const deadline = performance.now() + limit;
    setTimeout(() => process.exit(1), limit).unref();
    // A start under way comes to its end first, so that whatever it opened is closed.
    void starting
      .then((app) => stopApplication(app, reason))
      .then(() => tracing.hooks?.flush(deadline - performance.now()))
      .then(() => log.end())
      .then(() => process.exit(code));
  };
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => stop(signal, 0));
  const app = await starting;
  // Known only once the database answers.
  const problem = await app.get(ConnectionBudgetCheck).refused;
  process.stderr.write(`friendship-service did not start. ${problem}\n`);
  stop('CONNECTION_BUDGET_EXCEEDED', 1);
}

/** The last resort. Node itself would print the error's message, which may quote a conversation. */
function dieOf(kind: string): (error: unknown) => void {
  return (error) => {
    process.stderr.write(`${JSON.stringify({ level: 'fatal', msg: kind, error: describeError(error) })}\n`);
    process.exit(1);
  };
}

process.on('uncaughtException', dieOf('uncaught exception'));
process.on('unhandledRejection', dieOf('unhandled rejection'));

main().catch((error: unknown) => {
  const text = error instanceof EnvironmentError ? error.message : JSON.stringify(describeError(error));
  process.stderr.write(`friendship-service did not start. ${text}\n`);
  process.exit(1);
});
