// @ts-check
/** What goes wrong, in an order that the seed decides. Two lanes at once, so that faults of servers and of processes overlap. */
import { setTimeout as delay } from 'node:timers/promises';

/**
 * @param {object} options
 * @param {import('./random.mjs').Random} options.random
 * @param {import('./servers.mjs').Servers} options.servers
 * @param {import('./fleet.mjs').Fleet} options.fleet
 * @param {string} options.queue
 * @param {number} options.leastWorkers scaling down stops here
 * @param {(kind: string, what: 'begins' | 'is over') => void} options.onFault
 * @param {AbortSignal} options.signal
 */
export function createFaults({ random, servers, fleet, queue, leastWorkers, onFault, signal }) {
  const { database, broker } = servers;
  const cluster = broker.nodes.length > 1;
  const servers_ = random.fork('servers');
  const processes = random.fork('processes');
  const wait = (/** @type {number} */ milliseconds) => delay(milliseconds, undefined, { signal });
  const running = () => fleet.workers.filter(({ wanted }) => wanted);

  /** @param {import('./servers.mjs').Servers['broker']['nodes'][number] | undefined} node @param {'SIGTERM' | 'SIGKILL'} how */
  const restartNode = async (node, how) => {
    if (!node) return;
    await node.stop(how);
    await wait(servers_.integer(0, 3_000));
    await node.start();
  };
  /** @param {'SIGINT' | 'SIGQUIT'} how */
  const restartDatabase = async (how) => {
    await database.stop(how);
    await wait(servers_.integer(0, 2_000));
    await database.start();
  };

  /** A broker that lives and takes no messages for a while. @param {string[]} begin @param {string[]} end */
  const withoutRoom = async (begin, end) => {
    await broker.ctl(begin);
    try {
      await wait(servers_.integer(2_000, 8_000));
    } finally {
      await broker.ctl(end);
    }
  };

  const limitedTo = (/** @type {number} */ messages) => {
    const definition = JSON.stringify({ 'max-length': messages });
    return ['set_policy', '--apply-to', 'queues', 'full', `^${queue}$`, definition];
  };

  /** @type {Record<string, () => Promise<void>>} */
  const serverFaults = {
    'broker restart': () => restartNode(servers_.pick(broker.nodes), 'SIGTERM'),
    'broker kill': () => restartNode(servers_.pick(broker.nodes), 'SIGKILL'),
    ...(cluster
      ? { 'leader kill': async () => restartNode((await broker.leaderOf(queue)) ?? broker.nodes[0], 'SIGKILL') }
      : {}),
    // Room is made, the limit is not taken away: a quorum queue whose limit is gone while it refuses (seen on 3.10.8) never tells the
    // channels that it refused that there is room again.
    'work queue full': () => withoutRoom(limitedTo(1), limitedTo(1_000_000)),
    'broker memory alarm': () =>
      withoutRoom(['set_vm_memory_high_watermark', '0.00001'], ['set_vm_memory_high_watermark', '0.4']),
    'postgres restart fast': () => restartDatabase('SIGINT'),
    'postgres restart immediate': () => restartDatabase('SIGQUIT'),
    'postgres pause': () => database.pause(servers_.integer(1_000, 5_000)),
    'postgres pause with worker kill': async () => {
      const pause = database.pause(servers_.integer(2_000, 5_000));
      pause.catch(() => undefined);
      await wait(1_500);
      await killAndRestart(servers_.pick(running()));
      await pause;
    },
  };

  /** @param {import('./fleet.mjs').Slot | undefined} slot */
  const killAndRestart = async (slot) => {
    if (!slot?.wanted) return;
    await slot.kill();
    if (slot.wanted) slot.start();
  };

  /** Mostly one process's own network, sometimes everybody's. @param {'broker' | 'database'} what */
  const links = (what) => {
    const slots = processes.chance(0.3) ? fleet.slots : [processes.pick([...fleet.apis, ...running()])];
    return slots.map((slot) => slot[what]);
  };
  /** @param {'broker' | 'database'} what @param {(link: import('./link.mjs').Link) => void} spoil @param {number} least @param {number} most */
  const spoiled = async (what, spoil, least, most) => {
    const spoiledLinks = links(what);
    for (const link of spoiledLinks) spoil(link);
    try {
      await wait(processes.integer(least, most));
    } finally {
      for (const link of spoiledLinks) link.heal();
    }
  };

  /** Workers die with as much in flight as they can have, none of which has reached the database. */
  const dieInTheDark = async () => {
    const slots = processes.shuffled(running()).slice(0, 2);
    for (const { database: link } of slots) link.blackhole();
    try {
      await wait(processes.integer(1_500, 2_900));
      await Promise.all(slots.map(killAndRestart));
    } finally {
      for (const { database: link } of slots) link.heal();
    }
  };

  /** @type {Record<string, () => Promise<void>>} */
  const processFaults = {
    'worker kill': () => killAndRestart(processes.pick(running())),
    'worker kill again': () => killAndRestart(processes.pick(running())),
    'database blackholed with worker kill': dieInTheDark,
    'database blackholed with worker kill again': dieInTheDark,
    'api kill': () => killAndRestart(processes.pick(fleet.apis)),
    'worker pause': async () => processes.pick(running())?.pause(processes.integer(500, 12_000), signal),
    'scale down': async () => {
      if (running().length > leastWorkers) await processes.pick(running())?.stop();
    },
    'scale up': async () => fleet.workers.find(({ wanted }) => !wanted)?.start(),
  };
  for (const what of /** @type {const} */ (['broker', 'database'])) {
    processFaults[`${what} connections cut`] = async () => links(what).forEach((link) => link.cut());
    processFaults[`${what} refused`] = () => spoiled(what, (link) => link.refuse(), 500, 4_000);
    processFaults[`${what} slow`] = () => spoiled(what, (link) => link.slow(processes.integer(20, 400)), 1_000, 5_000);
    processFaults[`${what} stalled`] = () => spoiled(what, (link) => link.stall(), 500, 8_000);
    processFaults[`${what} blackholed`] = () => spoiled(what, (link) => link.blackhole(), 500, 12_000);
  }

  /**
   * Every kind once before any comes again.
   * @param {Record<string, () => Promise<void>>} faults @param {import('./random.mjs').Random} own
   * @param {[number, number]} gap between two faults, milliseconds @param {() => boolean} over
   */
  const lane = async (faults, own, gap, over) => {
    const order = own.fork('order');
    /** @type {string[]} */
    let bag = [];
    while (!over()) {
      await wait(order.integer(...gap));
      if (over()) return;
      if (bag.length === 0) bag = order.shuffled(Object.keys(faults));
      const kind = /** @type {string} */ (bag.pop());
      const name = kind.replace(' again', '');
      onFault(name, 'begins');
      await faults[kind]?.();
      onFault(name, 'is over');
    }
  };

  return {
    /** @param {() => boolean} over */
    run: async (over) => {
      await Promise.all([
        lane(serverFaults, servers_, [1_500, 5_000], over),
        lane(processFaults, processes, [300, 2_000], over),
      ]);
    },
  };
}
