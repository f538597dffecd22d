import { PassThrough } from 'node:stream';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { LiveState } from './live-state';

/** How soon a browser that lost the stream asks for it again, milliseconds. */
const RETRY = 2_000;

/** Tabs of operators, of one process; the oldest makes room for a new one, and comes again. */
const MOST_STREAMS = 50;

/** Sends the state to everybody who looks, as server-sent events. A state is made once for all. */
@Injectable()
export class StateStream implements OnModuleInit, OnModuleDestroy {
  /** Each with the time until which its session is good, Unix milliseconds. */
  private readonly streams = new Map<PassThrough, number>();
  private counter = 0;
  private stopping = false;

  constructor(private readonly live: LiveState) {}

  onModuleInit(): void {
    this.live.onChange(() => void this.sendToAll());
  }

  /** Before HTTP closes, which would wait for them. Browsers come back by themselves, to another process or to the next one. */
  onModuleDestroy(): void {
    this.stopping = true;
    for (const stream of this.streams.keys()) stream.end();
  }

  /**
   * @param until when the session ends, Unix milliseconds: then the stream ends as well
   * @returns what to answer with; it begins with the present state
   */
  async open(until: number): Promise<PassThrough> {
    const stream = new PassThrough();
    stream.on('close', () => this.streams.delete(stream));
    // A browser that went away is no error.
    stream.on('error', () => undefined);
    stream.write(`retry: ${RETRY}\n\n`);
    if (this.stopping) return stream.end();
    const [oldest] = this.streams.keys();
    if (this.streams.size >= MOST_STREAMS) oldest.end();
    this.streams.set(stream, until);
    stream.write(await this.nextEvent());
    return stream;
  }

  private async sendToAll(): Promise<void> {
    if (this.streams.size === 0) return;
    const event = await this.nextEvent();
    for (const [stream, until] of this.streams) {
      if (Date.now() > until) stream.end();
      // Whoever is slow to read misses a state, and gets a newer one later.
      else if (!stream.writableNeedDrain && !stream.writableEnded) stream.write(event);
    }
  }

  private async nextEvent(): Promise<string> {
    const state = JSON.stringify(await this.live.look());
    return `event: state\nid: ${++this.counter}\ndata: ${state}\n\n`;
  }
}
