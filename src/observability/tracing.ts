/**
 * Preloaded, it traces the service: `node --require ./dist/observability/tracing.js dist/main.js`; docs/tracing.md tells more.
 * Whatever else `NODE_OPTIONS` makes it preload into (worker threads, npm, a health check, the command line) is left alone, at no cost.
 */
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { EnvironmentError, readTracingSettings } from '../config/environment';
import type { TracingSettings } from '../config/tracing-settings';
import type * as TracingSdk from './tracing-sdk';

function isService(): boolean {
  const [, script] = process.argv;
  if (!isMainThread || script === undefined) return false;
  try {
    return require.resolve(script) === join(__dirname, '..', 'main.js');
  } catch {
    return false; // no file: `node -e`, or one that is still to be built
  }
}

/** Says what is wrong with the settings and ends the process, as main.ts does. */
function settingsOrEnd(): TracingSettings | undefined {
  try {
    return readTracingSettings();
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    process.stderr.write(`friendship-service did not start. ${error.message}\n`);
    return process.exit(1);
  }
}

const settings = isService() ? settingsOrEnd() : undefined;
if (settings) {
  // Only now, and before anything that it instruments.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { startTracing } = require('./tracing-sdk') as typeof TracingSdk;
  startTracing(settings);
}
