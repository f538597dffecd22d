import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Certificates } from './certificates';

/** Speaks TLS to the outside, and plain to a server of this machine. PostgreSQL's clients ask for TLS first, in the plain. */
export class TlsProxy {
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly target: URL,
  ) {}

  static async to(url: string, { key, cert }: Certificates): Promise<TlsProxy> {
    const target = new URL(url);
    const postgres = target.protocol.startsWith('postgres');
    const server = createServer((plain) => {
      const begin = () => {
        const outside = new TLSSocket(plain, { isServer: true, key, cert });
        const inside = connect(Number(target.port), target.hostname);
        for (const socket of [plain, outside, inside]) {
          proxy.sockets.add(socket);
          socket
            .on('error', () => undefined)
            .on('close', () => [plain, outside, inside].forEach((each) => each.destroy()));
        }
        outside.pipe(inside).pipe(outside);
      };
      plain.on('error', () => undefined);
      if (!postgres) return begin();
      plain.once('data', () => {
        plain.write('S');
        begin();
      });
    });
    const proxy = new TlsProxy(server, target);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  /** The target's URL, by this proxy. */
  url(protocol: string, hostname: string): string {
    const { port } = this.server.address() as AddressInfo;
    return this.target.href
      .replace(this.target.protocol, `${protocol}:`)
      .replace(this.target.host, `${hostname}:${port}`);
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}
