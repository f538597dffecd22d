import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** How long an installation may take, milliseconds. */
export const INSTALLATION = 300_000;

/** Where a program is; its Debian package is installed if it is missing. @throws when it cannot be had: nothing is skipped */
export async function debianProgram(name: 'promtool' | 'prometheus' | 'kubectl' | 'chromium'): Promise<string> {
  const script = join(__dirname, '..', '..', 'scripts', 'programs.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [script, name]);
  return stdout.trim();
}
