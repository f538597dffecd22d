// @ts-check
/** PostgreSQL and RabbitMQ of the run's own, which it may kill: separate from those of the tests in folder, ports, node names and logs. */
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes, randomInt } from 'node:crypto';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, lastLines, poll, run as runProgram, stopProcess } from '../../scripts/processes.mjs';
import { credentials, createServicesDir } from '../../scripts/services/checkout.mjs';
import { isFree } from '../../scripts/services/ports.mjs';
import { dataDir, postgresDir, postgresUser } from '../../scripts/services/private-location.mjs';
import { findOrInstall } from '../../scripts/services/private-provider.mjs';
import { startPostgres } from '../../scripts/services/private-postgres.mjs';
import { rabbitmqEnvironment, startRabbitmq, stopRabbitmq } from '../../scripts/services/private-rabbitmq.mjs';

/** How long a broker may take to stop by itself. */
const STOP_GRACE_MS = 20_000;

/** How long one call of rabbitmqctl may take; it starts an Erlang of its own, which a busy machine keeps waiting. */
const CTL_TIMEOUT_MS = 120_000;

/** @typedef {import('../../scripts/processes.mjs').KnownProcess} KnownProcess */

/**
 * @param {object} options
 * @param {import('../../scripts/progress.mjs').Progress} options.progress
 * @param {string} options.run
 * @param {string} options.logs
 * @param {number} options.nodes of RabbitMQ: 1, or 3 for a cluster
 * @param {string[]} [options.plugins] of RabbitMQ
 * @param {string[]} [options.brokerSettings] further lines of rabbitmq.conf
 * @param {AbortSignal} options.signal
 * @param {(process: KnownProcess | undefined) => void} options.onProcess called for every process that was started
 */
export async function createServers({ progress, run, logs, nodes, plugins, brokerSettings = [], signal, onProcess }) {
  createServicesDir();
  const found = await findOrInstall(progress);
  if ('missing' in found)
    throw new Error(`Expected the programs of PostgreSQL and RabbitMQ on this machine: ${found.missing}`);
  const { postgres, rabbitmq } = found;
  const user = postgresUser();
  const folder = join(await dataDir(user), `chaos-${run}`);
  mkdirSync(postgresDir(folder), { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o711);
  if (user) chownSync(postgresDir(folder), user.uid, user.gid);

  const database = createPostgres({ binaries: postgres, folder, user, logs, signal, onProcess });
  const broker = await createBroker({
    run,
    binaries: rabbitmq,
    folder,
    count: nodes,
    plugins,
    further: brokerSettings,
    logs,
    signal,
    onProcess,
  });
  return {
    database,
    broker,
    start: async () => {
      const failed = (await Promise.allSettled([database.start(), broker.start()])).find(
        ({ status }) => status === 'rejected',
      );
      if (failed) throw /** @type {PromiseRejectedResult} */ (failed).reason;
    },
    stop: async () => {
      await Promise.all([database.stop('SIGQUIT'), broker.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** @typedef {Awaited<ReturnType<typeof createServers>>} Servers */

/** @param {any} options */
function createPostgres({ binaries, folder, user, logs, signal, onProcess }) {
  /** @type {import('../../scripts/services/private-postgres.mjs').PostgresInstance | undefined} */
  let instance;
  let port = 0;
  const stop = async (/** @type {NodeJS.Signals} */ how) => {
    await stopProcess(instance?.process, { signal: how, graceMs: 30_000 });
  };
  return {
    get port() {
      return port;
    },
    get url() {
      const { user: name, password, database } = credentials();
      return `postgresql://${name}:${password}@127.0.0.1:${port}/${database}`;
    },
    start: async () => {
      port ||= await randomPort();
      await startPostgres({
        binaries,
        parent: folder,
        user,
        port,
        logs,
        signal,
        onStarted: (started) => {
          instance = started;
          onProcess(started.process);
        },
      });
    },
    /** SIGINT: fast, sessions are ended. SIGQUIT: immediate, as a crash. */
    stop,
    /** The postmaster and all its children stand still, as a machine does that swaps or migrates. @param {number} milliseconds */
    pause: async (milliseconds) => {
      if (!instance || !isAlive(instance.process)) return;
      const { pid } = instance.process;
      // Each of its children leads a process group of its own, so the group alone would be the postmaster alone.
      process.kill(pid, 'SIGSTOP');
      const stopped = [pid];
      for (const child of childrenOf(pid)) if (signalled(child, 'SIGSTOP')) stopped.push(child);
      try {
        await delay(milliseconds, undefined, { signal });
      } finally {
        for (const one of stopped.reverse()) signalled(one, 'SIGCONT');
      }
    },
  };
}

/** Drawn anew by every run, since the port of a server that is down for a moment looks free to another run. Below the ports of outgoing connections. */
async function randomPort() {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    if (await isFree(port)) return port;
  }
}

/** @param {number} parent @returns {number[]} */
function childrenOf(parent) {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      if (!pid) return false;
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
      } catch {
        return false;
      }
    });
}

/** @param {number} pid @param {NodeJS.Signals} signal */
function signalled(pid, signal) {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** @param {any} options */
async function createBroker({ run, binaries, folder, count, plugins, further, logs, signal, onProcess }) {
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  // One port mapper for all: a node asks its own for the others.
  const portMapper = await randomPort();
  const nodeName = (/** @type {number} */ number) => `friendship-chaos-${run}-${number}`;
  const settings =
    count === 1
      ? further
      : [
          ...further,
          'cluster_formation.peer_discovery_backend = classic_config',
          ...numbers.map(
            (number) => `cluster_formation.classic_config.nodes.${number} = ${nodeName(number)}@localhost`,
          ),
        ];
  const cookie = randomBytes(20).toString('hex');
  /** @type {ReturnType<typeof createNode>[]} */
  const nodes = [];
  for (const number of numbers) {
    const parent = join(folder, `node-${number}`);
    const nodeLogs = join(logs, `rabbitmq-${number}`);
    mkdirSync(join(parent, 'rabbitmq'), { recursive: true });
    mkdirSync(nodeLogs, { recursive: true });
    writeFileSync(join(parent, 'rabbitmq', '.erlang.cookie'), cookie, { mode: 0o400 });
    const ports = { amqp: await randomPort(), distribution: await randomPort(), portMapper };
    const node = createNode({
      binaries,
      parent,
      logs: nodeLogs,
      nodeName: nodeName(number),
      settings,
      plugins,
      ports,
      signal,
      onProcess,
    });
    nodes.push(node);
  }
  const { user, password } = credentials();
  const living = () => nodes.find(({ up }) => up) ?? nodes[0];
  return {
    nodes,
    /** Where a new connection finds a living node. */
    get port() {
      return living()?.port ?? 0;
    },
    get url() {
      return `amqp://${user}:${password}@127.0.0.1:${living()?.port}`;
    },
    start: async () => {
      await nodes[0]?.start();
      await Promise.all(nodes.slice(1).map((node) => node.start()));
      if (count === 1) return;
      const { code, output } = (await nodes[0]?.ctl(['await_online_nodes', String(count)], CTL_TIMEOUT_MS)) ?? {
        code: 1,
        output: '',
      };
      if (code !== 0) throw new Error(`Expected a cluster of ${count} nodes:\n${lastLines(output)}`);
    },
    stop: async () => {
      for (const node of nodes) await node.end();
    },
    /** rabbitmqctl on a living node; it must succeed, since a run without what it asks for would prove nothing. @param {string[]} args */
    ctl: async (args) => {
      const { code, output } = (await living()?.ctl(args, CTL_TIMEOUT_MS)) ?? { code: 1, output: 'no node' };
      if (code !== 0)
        throw new Error(`\`rabbitmqctl ${args.join(' ')}\` ended with code ${code}:\n${lastLines(output)}`);
    },
    /** The node on which the queue's leader lives. @param {string} queue */
    leaderOf: async (queue) => {
      const { stdout } = (await living()?.ctl(
        ['list_queues', '--quiet', '--no-table-headers', 'name', 'leader'],
        CTL_TIMEOUT_MS,
      )) ?? { stdout: '' };
      const leader =
        stdout
          .split('\n')
          .map((line) => line.split('\t'))
          .find(([name]) => name === queue)?.[1] ?? '';
      return nodes.find(({ name }) => leader.includes(`${name}@`));
    },
  };
}

/** @param {any} options */
function createNode({ binaries, parent, logs, nodeName, settings, plugins, ports, signal, onProcess }) {
  /** @type {import('../../scripts/services/private-rabbitmq.mjs').RabbitmqInstance | undefined} */
  let instance;
  let up = false;
  const common = { binaries, parent, ports, nodeName, logs };
  return {
    name: nodeName,
    port: ports.amqp,
    get up() {
      return up;
    },
    start: async () => {
      await startRabbitmq({
        ...common,
        settings,
        plugins,
        signal,
        onStarted: (started) => {
          instance = started;
          for (const known of [started.portMapper, started.script, started.process]) onProcess(known);
        },
      });
      up = true;
    },
    /** SIGTERM: it closes everything; SIGKILL: as a crash. The port mapper stays, for the other nodes. @param {'SIGTERM' | 'SIGKILL'} how */
    stop: async (how) => {
      up = false;
      if (how === 'SIGKILL' && instance?.process && isAlive(instance.process))
        process.kill(instance.process.pid, 'SIGKILL');
      await stopProcess(instance?.process, { graceMs: STOP_GRACE_MS });
      await poll(async () => (isAlive(instance?.script) ? undefined : true), { timeoutMs: 5_000 });
      await stopProcess(instance?.script, { graceMs: 1_500, group: true });
    },
    /** For good, with the port mapper. */
    end: async () => {
      up = false;
      await stopRabbitmq(instance);
    },
    /** @param {string[]} args @param {number} timeoutMs */
    ctl: (args, timeoutMs) =>
      runProgram(join(dirname(binaries.server), 'rabbitmqctl'), args, { env: rabbitmqEnvironment(common), timeoutMs }),
  };
}
