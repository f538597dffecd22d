// @ts-check
/** A network of one process's own: the TCP way to the broker or to the database, which can be cut, slowed, stalled and blackholed. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** @typedef {'open' | 'stalled' | 'blackholed' | 'refusing'} State */

export class Link {
  /** @type {Set<import('node:net').Socket>} */
  #sockets = new Set();
  /** @type {State} */
  #state = 'open';
  #latency = 0;
  #server = createServer((socket) => this.#join(socket));
  #target;

  /** @param {() => number} target the port on 127.0.0.1 where a new connection leads to */
  constructor(target) {
    this.#target = target;
  }

  /** @returns {Promise<this>} */
  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  /** The same place, reached through this link. @param {string} url */
  through(url) {
    const through = new URL(url);
    through.host = `127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (this.#server.address()).port}`;
    return through.href;
  }

  /** Every connection is reset; what was on its way is lost. New ones are taken. */
  cut() {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Every byte takes this long, milliseconds. */
  slow(/** @type {number} */ latency) {
    this.#latency = latency;
  }

  /** Nothing gets through, and nothing is lost: it arrives, late, once the link is open again. */
  stall() {
    this.#state = 'stalled';
    for (const socket of this.#sockets) socket.pause();
  }

  /** Nothing gets through, and what is sent is gone. Connections stay open for as long as their ends believe in them. */
  blackhole() {
    this.#state = 'blackholed';
  }

  /** Connections are cut, and new ones refused. */
  refuse() {
    this.#state = 'refusing';
    this.cut();
  }

  /** As if nothing had been. A connection that lost bytes cannot go on, so it is cut. */
  heal() {
    const before = this.#state;
    this.#state = 'open';
    this.#latency = 0;
    if (before === 'blackholed') this.cut();
    for (const socket of this.#sockets) socket.resume();
  }

  close() {
    this.#server.close();
    this.cut();
  }

  /** @param {import('node:net').Socket} from */
  #join(from) {
    if (this.#state === 'refusing') return void from.resetAndDestroy();
    const to = connect(this.#target(), '127.0.0.1');
    for (const [socket, other] of [
      [from, to],
      [to, from],
    ]) {
      let arrival = 0;
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on('data', (chunk) => {
        if (this.#state === 'blackholed') return;
        // What is sent later arrives later, whatever the latency has become meanwhile.
        arrival = Math.max(arrival, performance.now() + this.#latency);
        const wait = arrival - performance.now();
        if (wait <= 0) other.write(chunk);
        else setTimeout(() => other.writable && other.write(chunk), wait);
      });
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        // The last words of this end may still be on their way.
        setTimeout(() => other.destroy(), this.#latency);
      });
      if (this.#state === 'stalled') socket.pause();
    }
  }
}
