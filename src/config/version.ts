import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The version in package.json, which lies beside `dist` wherever the service runs. */
export const VERSION = readVersion();

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}
