/** A TCP proxy between the service and what it depends on: cuts, refuses, holds up and swallows. */
import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

export class TcpProxy {
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private readonly clients = new Set<Socket>();
  private held: (() => void)[] | undefined;
  private swallowing = false;
  private port = 0;

  private constructor(
    private readonly host: string,
    private readonly targetPort: number,
  ) {}

  /** @param url where it leads to; {@link urlThrough} gives the way through */
  static async to(url: string, options: { up: boolean } = { up: true }): Promise<TcpProxy> {
    const { hostname, port, protocol } = new URL(url);
    const proxy = new TcpProxy(hostname, Number(port) || (protocol.startsWith('amqp') ? 5672 : 5432));
    await proxy.up();
    if (!options.up) await proxy.down();
    return proxy;
  }

  urlThrough(url: string): string {
    const through = new URL(url);
    through.host = `127.0.0.1:${this.port}`;
    return through.toString();
  }

  /** Accepts connections again, on the same port. */
  async up(): Promise<void> {
    this.swallowing = false;
    if (this.server) return;
    const server = createServer((socket) => this.join(socket));
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
  }

  /** Cuts every connection and refuses new ones. */
  async down(): Promise<void> {
    const server = this.server;
    this.server = undefined;
    this.cut();
    if (!server) return;
    server.close();
    await once(server, 'close');
  }

  /** Cuts every connection; new ones are taken. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  /** Keeps connections open and lets nothing through, as a network that drops packets does. */
  swallow(): void {
    this.swallowing = true;
  }

  /** What clients send waits here from now on, as before a server that has stopped reading. */
  hold(): void {
    this.held ??= [];
  }

  /** What was held goes on. */
  release(): void {
    const held = this.held ?? [];
    this.held = undefined;
    for (const send of held) send();
  }

  /** Says something to every client in the server's name, between two of the server's own messages. */
  sayToClients(bytes: Buffer): void {
    for (const client of this.clients) client.write(bytes);
  }

  private join(from: Socket): void {
    const to = connect(this.targetPort, this.host);
    this.clients.add(from);
    from.on('close', () => this.clients.delete(from));
    for (const [socket, other] of [
      [from, to],
      [to, from],
    ] as const) {
      this.sockets.add(socket);
      socket.on('data', (data) => {
        if (this.swallowing) return;
        if (this.held && socket === from) this.held.push(() => other.write(data));
        else other.write(data);
      });
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
  }
}
