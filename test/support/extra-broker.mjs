// @ts-check
/**
 * A RabbitMQ of a test's own, with further settings and plugins: prints where it is, and stops when it is told to.
 *
 *   node test/support/extra-broker.mjs '{"settings":["prometheus.tcp.port = {port}"],"plugins":["rabbitmq_prometheus"]}'
 *
 * `{port}` in a setting stands for a further free port, which is printed as well.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { runCommand } from '../../scripts/command.mjs';
import { credentials, createServicesDir } from '../../scripts/services/checkout.mjs';
import { findRabbitmq } from '../../scripts/services/find-binaries.mjs';
import { isFree } from '../../scripts/services/ports.mjs';
import { startRabbitmq, stopRabbitmq } from '../../scripts/services/private-rabbitmq.mjs';

await runCommand(async ({ args, signal, onExit }) => {
  const { settings = [], plugins = [] } = JSON.parse(args[0] ?? '{}');
  const binaries = findRabbitmq();
  if (!binaries) throw new Error('Expected RabbitMQ on this machine; `npm run services -- up` installs it.');
  createServicesDir();
  const folder = mkdtempSync(join(tmpdir(), 'friendship-broker-'));
  onExit('folder', async () => rmSync(folder, { recursive: true, force: true }));
  const [amqp, distribution, portMapper, further] = await freePorts(4);
  /** @type {import('../../scripts/services/private-rabbitmq.mjs').RabbitmqInstance | undefined} */
  let instance;
  onExit('broker', () => stopRabbitmq(instance));
  await startRabbitmq({
    binaries,
    parent: folder,
    ports: { amqp, distribution, portMapper },
    nodeName: basename(folder),
    settings: settings.map((/** @type {string} */ line) => line.replaceAll('{port}', String(further))),
    plugins,
    logs: folder,
    signal,
    onStarted: (started) => (instance = started),
  });
  const { user, password } = credentials();
  process.stdout.write(`${JSON.stringify({ url: `amqp://${user}:${password}@127.0.0.1:${amqp}`, port: further })}\n`);
  const alive = setInterval(() => undefined, 60_000);
  await once(signal, 'abort');
  clearInterval(alive);
  return 0;
});

/** @param {number} count */
async function freePorts(count) {
  /** @type {number[]} */
  const ports = [];
  while (ports.length < count) {
    const port = randomInt(20_000, 32_000);
    if (!ports.includes(port) && (await isFree(port))) ports.push(port);
  }
  return ports;
}
