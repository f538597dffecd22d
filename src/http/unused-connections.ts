import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** How long a connection may exist before its first request once the process stops, milliseconds. Requests follow at once. */
const PATIENCE = 1_000;

/** When connections were opened that have had no request yet. */
const unused = new WeakMap<Server, Map<Socket, number>>();

/**
 * Notes on which connections nothing was asked yet: browsers open some in advance, balancers to see whether anybody listens. Node
 * takes only those for idle that have had an answer, so these would hold up a stop until its deadline.
 */
export function watchUnused(server: Server): void {
  const opened = new Map<Socket, number>();
  unused.set(server, opened);
  server.on('connection', (socket: Socket) => {
    opened.set(socket, performance.now());
    socket.once('close', () => opened.delete(socket));
  });
  server.on('request', ({ socket }) => opened.delete(socket));
}

/** Closes those that have had their time. */
export function closeUnused(server: Server): void {
  const latest = performance.now() - PATIENCE;
  for (const [socket, openedAt] of unused.get(server) ?? []) if (openedAt < latest) socket.destroy();
}
