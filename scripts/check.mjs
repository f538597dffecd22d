// @ts-check
/**
 * `npm run check`: all that can be said about the code without PostgreSQL and RabbitMQ. CI runs the same.
 *
 *   npm run check                  every check
 *   npm run check -- lint types    only these
 *   npm run check -- --fix         first mends what tools can mend: format, lint, generated docs
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { runCommand } from './command.mjs';
import { ensureInstalled } from './prepare.mjs';
import { run } from './processes.mjs';
import { seconds } from './progress.mjs';
import { checkoutDir } from './services/checkout.mjs';

/** @typedef {[tool: string, ...args: string[]]} CommandLine a tool is a program of node_modules/.bin, or `node`, `bash`, `sh` */
/** @typedef {{ name: string, finds: string, commands: () => CommandLine[], fix?: CommandLine }} Check */

/** @type {Check[]} in the order they start */
const CHECKS = [
  {
    name: 'format',
    finds: 'what Prettier would write otherwise',
    commands: () => [['prettier', '--check', '--log-level=warn', '.']],
    fix: ['prettier', '--write', '--log-level=warn', '.'],
  },
  {
    name: 'lint',
    finds: 'likely mistakes; process.env, SQL and settled messages out of place',
    commands: () => [['eslint', '--max-warnings=0', '.']],
    fix: ['eslint', '--fix', '.'],
  },
  {
    name: 'types',
    finds: 'type errors in src, test, dashboard, scripts and bench',
    commands: () => [
      ['tsc', '--noEmit', '--pretty', 'false'],
      ['tsc', '--noEmit', '--pretty', 'false', '--project', 'dashboard'],
      ['tsc', '--noEmit', '--pretty', 'false', '--project', 'scripts'],
    ],
  },
  {
    name: 'imports',
    finds: 'cycles, and folders that know more than they should',
    commands: () => [
      ['depcruise', '--config', '.dependency-cruiser.cjs', '--output-type', 'err-long', 'src', 'test', 'dashboard/src'],
    ],
  },
  {
    name: 'unit',
    finds: 'unit tests that fail',
    commands: () => [['jest', '--config', 'jest.config.js', '--selectProjects', 'unit', '--ci']],
  },
  {
    name: 'docs',
    finds: 'generated documentation that is not fresh',
    commands: () => [['node', 'scripts/generate-docs.mjs', '--check']],
    fix: ['node', 'scripts/generate-docs.mjs'],
  },
  {
    name: 'licences',
    finds: 'packages whose licence nobody has agreed to',
    commands: () => [['node', 'scripts/licences.mjs']],
  },
  {
    name: 'shell',
    finds: 'shell scripts that do not parse',
    commands: () => shellScripts().map(({ shell, file }) => [shell, '-n', file]),
  },
];

/** Most of these keep one core busy; more of them at once would only make each slower. */
const AT_ONCE = 2;

/** A long silent check looks like a hang; this is how often the running ones are named. */
const HEARTBEAT_MS = 10_000;

/** @type {import('./command.mjs').Command} */
async function main({ args, progress, signal }) {
  const names = args.filter((arg) => arg !== '--fix');
  const unknown = names.find((name) => !CHECKS.some((check) => check.name === name));
  if (unknown)
    throw new Error(`Expected --fix or some of ${CHECKS.map(({ name }) => name).join(', ')}; got "${unknown}".`);
  const checks = CHECKS.filter(({ name }) => names.length === 0 || names.includes(name));
  const startedAt = Date.now();

  await ensureInstalled({ progress, signal });
  if (args.includes('--fix')) await fix(checks, signal);
  const failures = await runAll(checks, signal);
  signal.throwIfAborted();

  for (const { name, output } of failures) process.stdout.write(`\n=== ${name} ===\n${output.trim()}\n`);
  const passed = `${checks.length - failures.length} of ${checks.length} checks passed in ${seconds(startedAt)}`;
  if (failures.length === 0) process.stdout.write(`\n${passed}.\n`);
  else process.stdout.write(`\n${passed}; failed: ${failures.map(({ name }) => name).join(', ')}.\n`);
  return failures.length === 0 ? 0 : 1;
}

/** One after the other, since they write the same files. What they cannot mend, the check itself shows. */
async function fix(/** @type {Check[]} */ checks, /** @type {AbortSignal} */ signal) {
  // Formatting last: what the others write may need it.
  for (const check of [...checks].reverse()) {
    if (check.fix) await execute(check.fix, signal);
    signal.throwIfAborted();
  }
}

/**
 * @param {Check[]} checks
 * @param {AbortSignal} signal
 * @returns {Promise<{ name: string, output: string }[]>} the failures, in the order of the checks
 */
async function runAll(checks, signal) {
  /** @type {Map<string, string>} */
  const failed = new Map();
  const running = new Set();
  const waiting = [...checks];
  const heartbeat = setInterval(() => print(`  still: ${[...running].join(', ')}`), HEARTBEAT_MS);
  const lane = async () => {
    for (let check = waiting.shift(); check !== undefined && !signal.aborted; check = waiting.shift()) {
      const startedAt = Date.now();
      running.add(check.name);
      const output = await failureOf(check, signal);
      running.delete(check.name);
      if (signal.aborted) return;
      if (output !== undefined) failed.set(check.name, output);
      print(
        `${output === undefined ? '✓' : '✗'} ${check.name.padEnd(8)}${seconds(startedAt).padStart(7)}   ${check.finds}`,
      );
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  } finally {
    clearInterval(heartbeat);
  }
  return checks.flatMap(({ name }) => (failed.has(name) ? [{ name, output: failed.get(name) ?? '' }] : []));
}

/** @param {Check} check @param {AbortSignal} signal @returns {Promise<string | undefined>} what the tools said; undefined when all is well */
async function failureOf(check, signal) {
  const outputs = [];
  for (const command of check.commands()) {
    const { code, output } = await execute(command, signal);
    if (code !== 0) outputs.push(output.trim() || `\`${command.join(' ')}\` ended with code ${code} and said nothing.`);
  }
  return outputs.length > 0 ? outputs.join('\n\n') : undefined;
}

/** @param {CommandLine} command @param {AbortSignal} signal */
function execute([tool, ...args], signal) {
  const installed = join(checkoutDir, 'node_modules', '.bin', tool);
  const program = tool === 'node' ? process.execPath : existsSync(installed) ? installed : tool;
  const colours = process.stdout.isTTY && !process.env.NO_COLOR ? { FORCE_COLOR: '1' } : {};
  return run(program, args, { cwd: checkoutDir, signal, env: { ...process.env, ...colours } });
}

/** Files outside of node_modules that name a shell in their first line. */
function shellScripts() {
  return ['.ci', 'bench', 'deploy', 'scripts'].flatMap(filesBelow).flatMap((path) => {
    const shell = /^#!.*\b(bash|sh)\s*$/m.exec(readFileSync(path, 'utf8').slice(0, 80).split('\n', 1)[0] ?? '')?.[1];
    return shell === undefined ? [] : [{ shell, file: relative(checkoutDir, path) }];
  });
}

/** @param {string} folder @returns {string[]} */
function filesBelow(folder) {
  const path = join(checkoutDir, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
    .map((entry) => join(entry.parentPath, entry.name));
}

function print(/** @type {string} */ line) {
  process.stderr.write(`${line}\n`);
}

await runCommand(main);
