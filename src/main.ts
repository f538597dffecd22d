import 'reflect-metadata';
import { startApplication, stopApplication } from './application';
import { EnvironmentError, readEnvironment } from './config/environment';
import { describeError } from './errors/describe';

/** Whatever hangs after the drain must not outlive the orchestrator's patience, milliseconds. */
const CLOSE_MARGIN = 4_000;

async function main(): Promise<void> {
  const environment = readEnvironment();
  const app = await startApplication(environment);
  const stop = (signal: string) => {
    setTimeout(() => process.exit(1), environment.SHUTDOWN_TIMEOUT + CLOSE_MARGIN).unref();
    void stopApplication(app, signal).then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

main().catch((error: unknown) => {
  const text = error instanceof EnvironmentError ? error.message : JSON.stringify(describeError(error));
  process.stderr.write(`friendship-service did not start. ${text}\n`);
  process.exit(1);
});
