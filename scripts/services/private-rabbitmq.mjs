// @ts-check
/** A RabbitMQ of this checkout's own: node name, cookie, port mapper, ports, data and password, all on 127.0.0.1. */
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { isAlive, lastLinesOf, poll, remember, run, stopProcess } from '../processes.mjs';
import { checkoutHash, credentials, logsDir } from './checkout.mjs';
import { isFree } from './ports.mjs';
import { answersWhileAlive, rabbitmqAnswers } from './probe.mjs';

const START_TIMEOUT_MS = 120_000;

/**
 * @typedef {object} RabbitmqInstance what is remembered of a running one
 * @property {import('../processes.mjs').KnownProcess} [portMapper] epmd, started by us so that its pid is known
 * @property {import('../processes.mjs').KnownProcess} [script] the shell script that starts and watches Erlang
 * @property {import('../processes.mjs').KnownProcess} [process] the broker
 * @property {{ command: string, port: number }} epmd how to reach the port mapper that runs now, ours or a successor
 * @property {string} pidFile where the script writes the broker's pid
 * @property {number} port
 */

/** @typedef {{ amqp: number, distribution: number, portMapper: number }} RabbitmqPorts */

/**
 * @param {object} options
 * @param {import('./find-binaries.mjs').RabbitmqBinaries} options.binaries
 * @param {string} options.parent folder of the data
 * @param {RabbitmqPorts} options.ports
 * @param {string} [options.nodeName]
 * @param {string[]} [options.settings] further lines of rabbitmq.conf
 * @param {string[]} [options.plugins]
 * @param {string} [options.logs] folder of the logs
 * @param {AbortSignal} options.signal
 * @param {(instance: RabbitmqInstance) => void} options.onStarted called whenever there is more to remember, so that even a failed start can be stopped
 */
export async function startRabbitmq(options) {
  const { binaries, parent, ports, settings = [], plugins = [], logs = logsDir, signal, onStarted } = options;
  const folder = join(parent, 'rabbitmq');
  const pidFile = join(folder, 'rabbitmq.pid');
  /** What the scripts say before, or without, a log of the broker's own; `rabbitmq.log` stands beside it. */
  const startupLog = join(logs, 'rabbitmq-startup.log');
  const env = rabbitmqEnvironment(options);
  writeConfiguration(folder, ports.amqp, settings, plugins);
  rmSync(pidFile, { force: true });
  // Data of a first start that was killed halfway look like data; whether they are whole, nobody can tell.
  if (!existsSync(firstStartMark(folder))) rmSync(join(folder, 'data'), { recursive: true, force: true });

  /** @type {RabbitmqInstance} */
  const instance = { port: ports.amqp, pidFile, epmd: { command: binaries.epmd, port: ports.portMapper } };
  // Erlang would start a port mapper by itself, which nobody could tell apart from another's afterwards.
  instance.portMapper = launch(binaries.epmd, ['-port', String(ports.portMapper), '-address', '127.0.0.1'], {
    cwd: folder,
    env,
    log: join(logs, 'epmd.log'),
  });
  onStarted(instance);
  await poll(async () => ((await isFree(ports.portMapper)) ? undefined : true), {
    timeoutMs: 5_000,
    everyMs: 20,
    signal,
  });

  const log = join(logs, 'rabbitmq.log');
  if (existsSync(log)) renameSync(log, log.replace('.log', '.previous.log'));
  instance.script = launch(binaries.server, [], { cwd: folder, env, log: startupLog });
  onStarted(instance);
  const ready = await poll(
    async () => {
      if (instance.process === undefined) {
        instance.process = remember(pidIn(pidFile));
        if (instance.process !== undefined) onStarted(instance);
      }
      if (!isAlive(instance.script)) return 'ended';
      return (await rabbitmqAnswers({ host: '127.0.0.1', port: ports.amqp, ...credentials() })) ? 'ready' : undefined;
    },
    { timeoutMs: START_TIMEOUT_MS, signal },
  );
  if (ready !== 'ready') {
    const what = ready === 'ended' ? 'ended while starting' : `did not answer within ${START_TIMEOUT_MS / 1000} s`;
    throw new Error(`RabbitMQ ${what}. See ${log}; it said last:\n${lastLinesOf(startupLog)}`);
  }
  writeFileSync(firstStartMark(folder), '');
}

function firstStartMark(/** @type {string} */ folder) {
  return join(folder, 'first-start-completed');
}

/** @param {RabbitmqInstance | undefined} instance */
export async function rabbitmqIsHealthy(instance) {
  if (instance === undefined) return false;
  const healthy = await answersWhileAlive(instance.process, () =>
    rabbitmqAnswers({ host: '127.0.0.1', port: instance.port, ...credentials() }),
  );
  // Its starter may have been killed, and the broker have come up all the same.
  if (healthy) writeFileSync(firstStartMark(dirname(instance.pidFile)), '');
  return healthy;
}

/** The broker first, by its own pid; then what is left of its script's process group; the port mapper last. */
export async function stopRabbitmq(/** @type {RabbitmqInstance | undefined} */ instance) {
  if (instance === undefined) return;
  // Its starter may have been killed before it could read the pid; while the script lives, the file is this start's.
  const broker = instance.process ?? (isAlive(instance.script) ? remember(pidIn(instance.pidFile)) : undefined);
  await stopProcess(broker, { graceMs: 20_000 });
  // Before there is a broker, the scripts may not listen to SIGTERM, and have nothing to lose.
  await stopProcess(instance.script, { graceMs: broker === undefined ? 1_500 : 10_000, group: true });
  await stopProcess(instance.portMapper, { graceMs: 3_000 });
  // When the port mapper dies, the broker starts another, whose pid only that one knows. At our port it can be asked to end.
  const { command, port } = instance.epmd;
  if (!(await isFree(port))) await run(command, ['-port', String(port), '-kill'], { timeoutMs: 5_000 });
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd: string, env: NodeJS.ProcessEnv, log: string }} options
 */
function launch(command, args, { cwd, env, log: path }) {
  const output = openSync(path, 'w', 0o600);
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', output, output] });
  child.on('error', () => undefined); // reported by the caller: there is no process
  child.unref();
  closeSync(output);
  return remember(child.pid);
}

function pidIn(/** @type {string} */ path) {
  try {
    return Number(readFileSync(path, 'utf8').trim()) || undefined;
  } catch {
    return undefined;
  }
}

/** @param {string} folder @param {number} port @param {string[]} settings @param {string[]} plugins */
function writeConfiguration(folder, port, settings, plugins) {
  const { user, password } = credentials();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const cookie = join(folder, '.erlang.cookie');
  if (!existsSync(cookie)) writeFileSync(cookie, randomBytes(20).toString('hex'), { mode: 0o400 });
  chmodSync(cookie, 0o400);
  const files = {
    'rabbitmq-env.conf': '',
    enabled_plugins: `[${plugins.join(',')}].\n`,
    'rabbitmq.conf': [
      `listeners.tcp.1 = 127.0.0.1:${port}`,
      `default_user = ${user}`,
      `default_pass = ${password}`,
      'log.console = false',
      'log.file = rabbitmq.log',
      'log.file.level = info',
      ...settings,
      '',
    ].join('\n'),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
}

/**
 * Every path and port that RabbitMQ would otherwise take from the machine's own installation. Its command line tools need the same.
 * @param {{ binaries: import('./find-binaries.mjs').RabbitmqBinaries, parent: string, ports: RabbitmqPorts, nodeName?: string, logs?: string }} options
 * @returns {NodeJS.ProcessEnv}
 */
export function rabbitmqEnvironment({
  binaries,
  parent,
  ports,
  nodeName = `friendship-${checkoutHash}`,
  logs = logsDir,
}) {
  const folder = join(parent, 'rabbitmq');
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(RABBITMQ_|ERL_|CONF_ENV_FILE|MNESIA_BASE|NODENAME)/.test(name),
  );
  return {
    ...Object.fromEntries(inherited),
    PATH: `${process.env.PATH}:${dirname(binaries.epmd)}`,
    HOME: folder, // Erlang reads its cookie there
    RABBITMQ_CONF_ENV_FILE: join(folder, 'rabbitmq-env.conf'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_CONFIG_FILES: join(folder, 'conf.d', '*.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_FEATURE_FLAGS_FILE: join(folder, 'feature_flags'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(folder, 'generated'),
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_LOG_BASE: logs,
    RABBITMQ_PID_FILE: join(folder, 'rabbitmq.pid'),
    RABBITMQ_NODENAME: `${nodeName}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(ports.amqp),
    RABBITMQ_DIST_PORT: String(ports.distribution),
    // Without the first the distribution port listens on every interface. The second: what a full queue refuses of its retry queues
    // is offered again after 10 s, not after three minutes to six, which no test would wait for.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      '-kernel inet_dist_use_interface {127,0,0,1} -rabbit dead_letter_worker_publisher_confirm_timeout 10000',
    ERL_EPMD_PORT: String(ports.portMapper),
    ERL_EPMD_ADDRESS: '127.0.0.1',
  };
}
