import 'reflect-metadata';
import { startApplication, stopApplication } from './application';
import { EnvironmentError, readEnvironment } from './config/environment';
import { describeError } from './errors/describe';

/** Whatever hangs after the drain must not outlive the orchestrator's patience, milliseconds. */
const CLOSE_MARGIN = 4_000;

async function main(): Promise<void> {
  const environment = readEnvironment();
  const starting = startApplication(environment);
  const stop = (signal: string) => {
    setTimeout(() => process.exit(1), environment.SHUTDOWN_TIMEOUT + CLOSE_MARGIN).unref();
    // A start under way comes to its end first, so that whatever it opened is closed.
    void starting.then((app) => stopApplication(app, signal)).then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  await starting;
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
