import { once } from 'node:events';
import { connect } from 'amqp-connection-manager';
import { watchConnection } from '../../src/messaging/connection-watchdog';

describe('a connection that died unnoticed', () => {
  it('is made anew', async () => {
    const manager = connect([process.env.RABBITMQ_URL!]);
    const endWatch = watchConnection(manager, 'test');
    try {
      await once(manager, 'connect');
      const model = manager.connection as unknown as {
        removeAllListeners(event: string): void;
        connection: { stream: { destroy(): void } };
      };
      // What a close leaves behind that came before the manager listened for it.
      model.removeAllListeners('close');
      const again = once(manager, 'connect', { signal: AbortSignal.timeout(20_000) });
      model.connection.stream.destroy();
      await again;
      expect(manager.isConnected()).toBe(true);
    } finally {
      endWatch();
      await manager.close();
    }
  });
});
