import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Passes connections on and counts them. */
export class CountingProxy {
  connections = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly url: URL,
  ) {}

  static async to(url: string): Promise<CountingProxy> {
    const { hostname, port } = new URL(url);
    const server = createServer((from) => {
      proxy.connections++;
      const to = connect(Number(port), hostname);
      for (const [socket, other] of [
        [from, to],
        [to, from],
      ] as const) {
        proxy.sockets.add(socket);
        socket.pipe(other);
        socket.on('error', () => other.destroy());
        socket.on('close', () => other.destroy());
      }
    });
    const proxy = new CountingProxy(server, new URL(url));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get urlThrough(): string {
    const through = new URL(this.url);
    through.host = `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return through.toString();
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}
