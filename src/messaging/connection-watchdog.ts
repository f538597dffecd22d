import { Logger } from '@nestjs/common';
import type { AmqpConnectionManager } from 'amqp-connection-manager';

/** How often to look, milliseconds. */
const INTERVAL = 2_000;

/**
 * A connection may close between the moment it is made and the moment its manager begins to listen: the manager then believes in
 * it for ever, connected to nothing. Whoever finds its socket destroyed makes it connect anew.
 * @returns what ends the watch
 */
export function watchConnection(manager: AmqpConnectionManager, name: string): () => void {
  const logger = new Logger('RabbitMQ');
  const timer = setInterval(() => {
    if (!manager.isConnected() || !isSocketDestroyed(manager)) return;
    logger.warn({ msg: 'the connection is dead and nobody noticed: connecting anew', connection: name });
    const dead = manager.connection;
    try {
      manager.reconnect();
      // The manager takes its listeners off, and an error of the dead connection (its heartbeat's) would end the process.
      dead?.on('error', () => undefined);
    } catch {
      clearInterval(timer); // closed for good meanwhile
    }
  }, INTERVAL);
  timer.unref();
  return () => clearInterval(timer);
}

function isSocketDestroyed(manager: AmqpConnectionManager): boolean {
  const model = manager.connection as unknown as { connection?: { stream?: { destroyed?: boolean } } } | undefined;
  return model?.connection?.stream?.destroyed === true;
}
