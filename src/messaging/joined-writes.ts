import type { AmqpConnectionManager } from 'amqp-connection-manager';

/** What this file needs of a socket. */
export interface WritableSocket {
  write(...args: unknown[]): boolean;
  cork(): void;
  uncork(): void;
}

/**
 * amqplib writes each frame by itself, and Node hands each write to the kernel at once: a hundred acknowledgements after one commit
 * were a hundred system calls here, and as many packets to the broker. Frames of the same turn of the event loop leave together
 * instead, at its end; nothing waits for a timer or for other turns.
 */
export function joinWrites(socket: WritableSocket): void {
  const write = socket.write.bind(socket);
  let corked = false;
  socket.write = (...args) => {
    if (!corked) {
      corked = true;
      socket.cork();
      process.nextTick(() => {
        corked = false;
        socket.uncork();
      });
    }
    return write(...args);
  };
}

/** {@link joinWrites} for each connection that the manager makes. */
export function joinWritesOf(manager: AmqpConnectionManager): void {
  const join = (connection: unknown) =>
    joinWrites((connection as { connection: { stream: WritableSocket } }).connection.stream);
  manager.on('connect', ({ connection }) => join(connection));
  if (manager.isConnected()) join(manager.connection);
}
