/** Posts at a given rate whatever the answers do, as children do who know nothing of the service's trouble. */
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Template } from './tune-database.repository';

export interface Posted {
  readonly accepted: number;
  readonly refused: number;
}

/** Posts beyond this many at once would measure the tuner; they are sent late, and count from when they were due. */
const MOST_AT_ONCE = 1_000;

export class OpenLoop {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: MOST_AT_ONCE });

  constructor(
    private readonly url: string,
    private readonly key: string,
    private readonly templates: readonly Template[],
    private readonly users: number,
  ) {}

  /**
   * Arrivals are a Poisson process: gaps between them are exponential.
   * @param perSecond posts a second
   * @param nextNumber gives each conversation its number
   */
  async run(perSecond: number, milliseconds: number, nextNumber: () => number, signal: AbortSignal): Promise<Posted> {
    const counts = { accepted: 0, refused: 0 };
    const posts: Promise<void>[] = [];
    const begun = performance.now();
    for (
      let due = 0;
      due < milliseconds && !signal.aborted;
      due += (-Math.log(1 - Math.random()) * 1_000) / perSecond
    ) {
      const ahead = begun + due - performance.now();
      if (ahead > 1) await delay(ahead, undefined, { signal }).catch(() => undefined);
      const answered = this.post(nextNumber()).then((status) => {
        if (status === 202) counts.accepted++;
        else counts.refused++;
      });
      posts.push(answered);
    }
    await Promise.all(posts);
    return counts;
  }

  /** Posts `total` conversations, `atOnce` at a time. */
  async burst(total: number, atOnce: number, nextNumber: () => number, signal: AbortSignal): Promise<Posted> {
    const counts = { accepted: 0, refused: 0 };
    let left = total;
    const caller = async () => {
      while (left-- > 0 && !signal.aborted) {
        const status = await this.post(nextNumber());
        if (status === 202) counts.accepted++;
        else counts.refused++;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, caller));
    return counts;
  }

  close(): void {
    this.agent.destroy();
  }

  private post(number: number): Promise<number> {
    const { conversation_log: log, ...metadata } = this.templates[number % this.templates.length];
    const now = Date.now();
    const head = {
      conversation_id: `tune-${number}`,
      user_id: `tune-user-${number % this.users}`,
      bot_id: 'tune-bot',
      bot_name: 'Pika',
      bot_type: 'TUNE',
      start_time: new Date(now - 600_000).toISOString(),
      end_time: new Date(now).toISOString(),
      metadata: Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== null)),
    };
    const body = `${JSON.stringify(head).slice(0, -1)},"conversation_log":${log}}`;
    return new Promise((resolve) => {
      const post = request(
        `${this.url}/v1/conversations/end`,
        {
          method: 'POST',
          agent: this.agent,
          headers: {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
            'x-api-key': this.key,
          },
        },
        (response) => {
          response.resume();
          response.once('close', () => resolve(response.statusCode ?? 0));
        },
      );
      post.once('error', () => resolve(0));
      post.end(body);
    });
  }
}
