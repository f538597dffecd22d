import { once } from 'node:events';
import { connect } from 'node:net';
import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';
import { until } from '../support/until';

describe('an api that is told to stop', () => {
  let namespace: Namespace;

  beforeEach(async () => {
    namespace = await createNamespace({ SHUTDOWN_TIMEOUT: '4s' });
  });
  afterEach(async () => {
    await stopAll();
    await namespace.remove();
  });

  it('answers what is in flight, and ends although its callers keep their connections', async () => {
    const api = await ServiceProcess.start('api', namespace.variables);
    await api.ready();
    const lock = await namespace.database.connect();
    await lock.query('BEGIN');
    await lock.query('LOCK TABLE conversation_events IN EXCLUSIVE MODE');

    const { hostname, port } = new URL(api.url);
    const sockets = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const socket = connect(Number(port), hostname);
        await once(socket, 'connect');
        const body = JSON.stringify(conversation());
        socket.write(
          `POST /v1/conversations/end HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        );
        let received = '';
        socket.on('data', (data) => (received += data.toString()));
        const closed = once(socket, 'close');
        return { closed, received: () => received };
      }),
    );
    await until('an insert to wait', async () => {
      const { rowCount } = await namespace.database.query(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
      );
      return rowCount !== null && rowCount > 0;
    });
    // Whoever asks after them is answered after they were read: posts that did not come with the first wait for its group.
    expect((await api.get('/health/live')).status).toBe(200);
    const stopped = api.stop('SIGTERM');
    await api.logged('the signal', ({ msg }) => msg === 'stopping');
    await lock.query('ROLLBACK');
    lock.release();

    expect(await stopped).toBe(0);
    await Promise.all(sockets.map(({ closed }) => closed));
    expect(sockets.map(({ received }) => received().split('\r\n')[0])).toEqual(Array(5).fill('HTTP/1.1 202 Accepted'));
    expect(api.log.at(-1)).toMatchObject({ msg: 'stopped' });
  });

  it('ends although somebody holds a connection on which nothing was ever asked', async () => {
    const api = await (await ServiceProcess.start('api', namespace.variables)).ready();
    const { hostname, port } = new URL(api.url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    const closed = once(socket, 'close');
    expect(await api.stop('SIGTERM')).toBe(0);
    await closed;
    expect(api.log.at(-1)).toMatchObject({ msg: 'stopped' });
  });
});
