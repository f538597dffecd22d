// @ts-check
/** `npm run cli`, `npm run plan` and `npm run tune`: dist/cli.js, built first where it is not there. What is there runs as it is. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuilt, ensureInstalled } from './prepare.mjs';
import { createProgress } from './progress.mjs';
import { checkoutDir } from './services/checkout.mjs';

const cli = join(checkoutDir, 'dist', 'cli.js');

try {
  if (!existsSync(cli)) {
    const progress = createProgress();
    await ensureInstalled({ progress });
    await ensureBuilt({ progress });
  }
  await import(pathToFileURL(cli).href);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
