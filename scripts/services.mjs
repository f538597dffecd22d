// @ts-check
/**
 * PostgreSQL and RabbitMQ for development, tests and the demo, whatever this machine has:
 * those of DATABASE_URL and RABBITMQ_URL; else containers; else private instances of the programs found here,
 * installed first where apt-get can.
 *
 *   node scripts/services.mjs up              start them and leave them running
 *   node scripts/services.mjs status --json   where they are, with passwords
 *   node scripts/services.mjs down [--wipe]   stop them (--wipe: and delete their data)
 *
 * SERVICES=compose or SERVICES=private allows only one way of starting them.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runCommand } from './command.mjs';
import { withoutPassword } from './progress.mjs';
import { createServicesDir, logsDir, readState, servicesDir, writeState } from './services/checkout.mjs';
import { composeProvider } from './services/compose-provider.mjs';
import { servicesFromEnvironment } from './services/environment-provider.mjs';
import { isPinned, liveLeases, setPin, takeLease } from './services/leases.mjs';
import { withLock } from './services/lock.mjs';
import { privateProvider } from './services/private-provider.mjs';

const PROVIDERS = [composeProvider, privateProvider];

const HELP = `Expected PostgreSQL (14 or newer) and RabbitMQ, and found no way to get them. Do one of these, then try again:
  - set DATABASE_URL (postgresql://user:password@host:port/database) and RABBITMQ_URL (amqp://user:password@host:port)
  - start Docker, with the compose plugin
  - install both: Debian, Ubuntu: apt-get install postgresql rabbitmq-server; macOS: brew install postgresql@17 rabbitmq`;

/**
 * @typedef {object} Services
 * @property {string} databaseUrl
 * @property {string} rabbitmqUrl
 * @property {'environment' | 'private' | 'compose'} source
 * @property {() => Promise<void>} stop gives them back; the last user of the checkout stops them
 */

/**
 * @param {object} options
 * @param {import('./progress.mjs').Progress} options.progress
 * @param {AbortSignal} [options.signal] aborting ends the start, and what it had started
 * @param {boolean} [options.keep] leave them running for ever (until `services.mjs down`)
 * @returns {Promise<Services>}
 */
export async function provideServices({ progress, signal = new AbortController().signal, keep = false }) {
  const named = await servicesFromEnvironment();
  if (named) {
    progress.note('using the services of DATABASE_URL and RABBITMQ_URL');
    return { ...named, source: 'environment', stop: async () => undefined };
  }
  createServicesDir();
  const { state, release } = await locked({ progress, signal }, async () => {
    const release = takeLease();
    try {
      const state = await reuseOrStart({ progress, signal });
      if (keep) setPin(true);
      return { state, release };
    } catch (error) {
      release();
      await stopUnlessUsed(progress);
      throw error;
    }
  });
  const stop = () => locked({ progress }, async () => (release(), await stopUnlessUsed(progress)));
  return { databaseUrl: state.databaseUrl, rabbitmqUrl: state.rabbitmqUrl, source: state.source, stop };
}

/** @param {{ progress: import('./progress.mjs').Progress, signal: AbortSignal }} options */
async function reuseOrStart({ progress, signal }) {
  const current = readState('state.json');
  if (current && (await providerOf(current).isHealthy(current))) {
    progress.note(`using PostgreSQL and RabbitMQ that already run (${current.source})`);
    return current;
  }
  const reasons = [];
  for (const provider of providersInOrder(current)) {
    const result = await provider.start({ progress, signal, current });
    if ('state' in result) return result.state;
    reasons.push(`${provider.source}: ${result.unavailable}`);
    progress.note(`${provider.source}: ${result.unavailable}`);
    // What it left halfway is stopped now: the next provider will be the one that is remembered.
    if (current?.source === provider.source) await provider.stop(current);
  }
  throw new Error(`${HELP}\nWhat was tried:\n${reasons.map((reason) => `  - ${reason}`).join('\n')}`);
}

/**
 * What worked last time comes first: it may be half there, with others using it.
 * @param {{ source: string } | undefined} current
 */
function providersInOrder(current) {
  const only = process.env.SERVICES || undefined;
  const allowed = PROVIDERS.filter(({ source }) => only === undefined || source === only);
  if (allowed.length === 0) throw new Error(`SERVICES: expected "compose" or "private", or nothing, got "${only}".`);
  return allowed.sort((a, b) => Number(b.source === current?.source) - Number(a.source === current?.source));
}

/** @param {import('./progress.mjs').Progress} progress */
async function stopUnlessUsed(progress) {
  const state = readState('state.json');
  if (!state) return;
  const users = liveLeases();
  if (isPinned()) return progress.note('PostgreSQL and RabbitMQ stay (`npm run services -- down` stops them)');
  if (users.length > 0) return progress.note(`PostgreSQL and RabbitMQ stay for ${users.map(describe).join(', ')}`);
  await progress.step('stopping PostgreSQL and RabbitMQ', () => providerOf(state).stop(state));
  writeState('state.json', null);
}

/** @param {import('./services/leases.mjs').Lease} lease */
function describe({ command, process: { pid } }) {
  return `${command} (process ${pid})`;
}

/** @param {{ source: string }} state */
function providerOf(state) {
  const provider = PROVIDERS.find(({ source }) => source === state.source);
  if (!provider)
    throw new Error(
      `${join(servicesDir, 'state.json')}: expected source "private" or "compose", got "${state.source}".`,
    );
  return provider;
}

/**
 * @template T
 * @param {{ progress: import('./progress.mjs').Progress, signal?: AbortSignal }} options
 * @param {() => Promise<T>} work
 */
function locked({ progress, signal }, work) {
  const onWait = (/** @type {number} */ pid) =>
    progress.note(`waiting for process ${pid}, which starts or stops the services`);
  return withLock(join(servicesDir, 'lock'), work, { signal, onWait });
}

async function status() {
  const state = readState('state.json');
  const running = Boolean(state) && (await providerOf(state).isHealthy(state));
  return {
    running,
    ...(running ? { source: state.source, databaseUrl: state.databaseUrl, rabbitmqUrl: state.rabbitmqUrl } : {}),
    pinned: isPinned(),
    usedBy: liveLeases().map(describe),
    logs: readdirSync(logsDir).map((name) => join(logsDir, name)),
  };
}

/** @param {boolean} json */
async function printStatus(json) {
  const now = await status();
  if (json) return void process.stdout.write(`${JSON.stringify(now)}\n`);
  const lines = now.running
    ? [
        `running (${now.source})`,
        `  DATABASE_URL  ${withoutPassword(now.databaseUrl)}`,
        `  RABBITMQ_URL  ${withoutPassword(now.rabbitmqUrl)}`,
        '  with passwords: npm run -s services -- status --json',
        `  ${now.pinned ? 'kept until `npm run services -- down`' : `used by ${now.usedBy.join(', ') || 'nobody: whoever comes next stops them'}`}`,
      ]
    : ['not running'];
  process.stdout.write(`${[...lines, `  logs          ${logsDir}`].join('\n')}\n`);
}

/** @param {{ progress: import('./progress.mjs').Progress, wipe: boolean, force: boolean }} options */
async function down({ progress, wipe, force }) {
  await locked({ progress }, async () => {
    setPin(false);
    const users = liveLeases();
    if (users.length > 0 && !force)
      return progress.note(`in use by ${users.map(describe).join(', ')}: they stop with the last one (or add --force)`);
    const state = readState('state.json');
    if (state) {
      await progress.step('stopping PostgreSQL and RabbitMQ', () => providerOf(state).stop(state));
      writeState('state.json', null);
    } else progress.note('nothing runs');
    if (wipe)
      await progress.step('deleting their data', () => Promise.all(PROVIDERS.map((provider) => provider.wipe())));
  });
}

/** @type {import('./command.mjs').Command} */
async function main({ args, progress, signal, onExit }) {
  const [command, ...flags] = args;
  const allowed = { up: ['--json'], status: ['--json'], down: ['--wipe', '--force'] }[command ?? ''];
  const unknown = flags.find((flag) => !allowed?.includes(flag));
  if (!allowed || unknown)
    throw new Error(`Expected up [--json], status [--json] or down [--wipe] [--force], got "${args.join(' ')}".`);
  createServicesDir();
  if (command === 'down') await down({ progress, wipe: flags.includes('--wipe'), force: flags.includes('--force') });
  else {
    if (command === 'up') {
      const services = await provideServices({ progress, signal, keep: true });
      onExit('services', services.stop);
      if (services.source === 'environment') return;
    }
    await printStatus(flags.includes('--json'));
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await runCommand(main);
