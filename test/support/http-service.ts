/** A real HTTP server on loopback that answers as a test says: the other side of an external service. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Answers one request; the number counts them from 0. */
export type Reply = (response: ServerResponse, request: ReceivedRequest, index: number) => Promise<void> | void;

export class HttpService {
  readonly requests: ReceivedRequest[] = [];
  /** The most requests that were open at once. */
  mostOpen = 0;
  url = '';
  private open = 0;

  private constructor(
    private readonly server: Server,
    private reply: Reply,
  ) {}

  static async start(reply: Reply): Promise<HttpService> {
    const server = createServer((request, response) => void service.answer(request, response));
    const service = new HttpService(server, reply);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    service.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return service;
  }

  /** From now on. */
  answerWith(reply: Reply): void {
    this.reply = reply;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.mostOpen = Math.max(this.mostOpen, ++this.open);
    response.on('close', () => this.open--);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const received = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(chunks).toString('utf8'),
    };
    this.requests.push(received);
    await this.reply(response, received, this.requests.length - 1);
  }
}

export function json(value: unknown, status = 200, headers: Record<string, string> = {}): Reply {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof value === 'string' ? value : JSON.stringify(value));
  };
}

export const hang: Reply = () => undefined;

/** One byte at a time, for ever: each comes in time, the answer never does. */
export const drip: Reply = async (response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  while (!response.destroyed) {
    response.write(' ');
    await delay(10);
  }
};

export const breakOff: Reply = (response) => void response.destroy();

/** What an OpenAI-compatible endpoint answers when its model says `content`. */
export function completion(content: unknown): unknown {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        finish_reason: 'stop',
        message: { role: 'assistant', content: typeof content === 'string' ? content : JSON.stringify(content) },
      },
    ],
  };
}

export function facts(count: number): unknown {
  return { status: 'success', count, facts: Array.from({ length: count }, (_, index) => `fact ${index}`) };
}

/** The production memory service's latencies, p50 19 s, p75 26 s, p90 61 s, made shorter. @returns milliseconds */
export function memoryLatency(index: number, secondMs: number): number {
  const rank = ((index * 0.618_033_988_75) % 1) * 100;
  const points = [
    [0, 5],
    [50, 19],
    [75, 26],
    [90, 61],
    [100, 90],
  ];
  const upper = points.findIndex(([percentile]) => percentile > rank);
  const [[p0, s0], [p1, s1]] = [points[upper - 1], points[upper]];
  return (s0 + ((s1 - s0) * (rank - p0)) / (p1 - p0)) * secondMs;
}
