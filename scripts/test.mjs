// @ts-check
/**
 * `npm test`: everything from a fresh clone to the test results.
 *
 *   npm test                       all tests
 *   npm test -- scoring --watch    what follows goes to Jest
 *   npm run e2e:page               those in a browser instead (--browser), which `npm test` leaves out
 *   npm test -- --keep             PostgreSQL and RabbitMQ keep running (KEEP_SERVICES=1 does the same)
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { runCommand } from './command.mjs';
import { ensureBuilt, ensureInstalled } from './prepare.mjs';
import { provideServices } from './services.mjs';
import { checkoutDir } from './services/checkout.mjs';

/** @type {import('./command.mjs').Command} */
async function main({ args, progress, signal, onExit }) {
  const keep = args.includes('--keep') || process.env.KEEP_SERVICES === '1';
  const projects = args.includes('--browser') ? '--selectProjects=browser' : '--ignoreProjects=browser';
  // Last: Jest would take a pattern that follows for the name of another project.
  const jestArgs = [...args.filter((arg) => arg !== '--keep' && arg !== '--browser'), projects];
  await ensureInstalled({ progress, signal });
  await ensureBuilt({ progress, signal });
  const services = await provideServices({ progress, signal, keep });
  onExit('services', services.stop);
  const code = await runJest(jestArgs, {
    signal,
    env: { DATABASE_URL: services.databaseUrl, RABBITMQ_URL: services.rabbitmqUrl },
  });
  signal.throwIfAborted();
  return code;
}

/**
 * @param {string[]} args
 * @param {{ signal: AbortSignal, env: Record<string, string> }} options
 * @returns {Promise<number>} Jest's exit code
 */
async function runJest(args, { signal, env }) {
  const jest = join(checkoutDir, 'node_modules', 'jest', 'bin', 'jest.js');
  // In this terminal's process group: Ctrl-C reaches Jest by itself, and its watch mode can read keys.
  const child = spawn(process.execPath, [jest, '--config', 'jest.config.js', ...args], {
    cwd: checkoutDir,
    env: { ...process.env, ...env },
    stdio: 'inherit',
  });
  const end = () => child.kill('SIGTERM');
  signal.addEventListener('abort', end, { once: true });
  const [code] = await once(child, 'exit');
  signal.removeEventListener('abort', end);
  return code ?? 1;
}

await runCommand(main);
