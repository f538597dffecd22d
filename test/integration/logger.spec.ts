import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const LOGGER = join(__dirname, '../../dist/observability/logger.js');

/** Occupies all threads that write in the background, logs and exits. */
const SCRIPT = `
  const { pbkdf2 } = require('node:crypto');
  const { createLogger } = require(process.argv[1]);
  const log = createLogger({ LOG_LEVEL: process.argv[2], LOG_FORMAT: process.argv[3], APP_ROLE: 'api' });
  for (let thread = 0; thread < 8; thread++) pbkdf2('', '', 100_000, 32, 'sha256', () => undefined);
  for (const msg of ['first', 'second', 'last']) log.log({ msg });
  const ended = log.end();
  log.log({ msg: 'late' });
  ended.then(() => log.log({ msg: 'later' })).then(() => process.exit(0));
`;

describe('the log of a process that ends', () => {
  const lines = (...options: string[]) =>
    execFileSync(process.execPath, ['-e', SCRIPT, LOGGER, ...options], {
      encoding: 'utf8',
      timeout: 20_000,
    }).match(/first|second|last|later?/g);

  it.each(['json', 'pretty'])(
    'has every line once and in order, also when the disk or the reader is slow: %s',
    (format) => {
      expect(lines('info', format)).toEqual(['first', 'second', 'last']);
    },
  );

  it('keeps no process from ending when its reader is gone', async () => {
    const child = spawn(process.execPath, ['-e', SCRIPT, LOGGER, 'info', 'json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.destroy();
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('keeps no process from ending when nothing was written', () => {
    expect(lines('silent', 'json')).toBeNull();
  });
});
