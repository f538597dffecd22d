import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Piscina } from 'piscina';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { CodedError } from '../errors/coded-error';
import type { LogDigest } from '../scoring/log-digest';
import { prepareConversation, type PreparedConversation } from './conversation-end';
import { InvalidMessage, parseConversationMessage, type ConversationMessage } from './conversation-message';
import { LONG_LOG_TASKS, type LongLogTasks } from './long-log.tasks';

/**
 * From this size on, bytes or characters of JSON, a log is worked on in a worker thread. Measured on a busy 2-core machine, medians:
 * a request of 190 KiB (2,000 lines) held the event loop for 10 ms to be parsed, normalised and hashed, one of 970 KiB for 47 ms,
 * one of 1,950 KiB for 83 ms; handing it to a thread held it for 0.3 to 8 ms, and made a request of 190 KiB 7 ms later.
 */
export const LONG_LOG = 256 * 1024;

/** A thread without work ends after this time, milliseconds; the next long log waits 30 ms for a new one. */
const IDLE_TIMEOUT = 30_000;

type Result<N extends keyof LongLogTasks> = ReturnType<LongLogTasks[N]>;

/** Work on logs. A short one is worked on at once; a long one in a thread, so that nobody else waits for it. */
@Injectable()
export class LongLogs implements OnApplicationShutdown {
  private threads: Piscina | undefined;

  constructor(@Inject(ENVIRONMENT) private readonly environment: Environment) {}

  /**
   * @param body of a request: parsed, or its bytes
   * @throws CodedError `VALIDATION_FAILED`, `MALFORMED_JSON`
   */
  async prepare(body: unknown): Promise<PreparedConversation> {
    if (!Buffer.isBuffer(body)) return prepareConversation(body, new Date());
    const task = { body, now: new Date() };
    const short = body.length < LONG_LOG;
    const result = short ? LONG_LOG_TASKS.prepareRequest(task) : await this.inThread('prepareRequest', task);
    if (!('refused' in result)) return asPrepared(result);
    const { code, detail, fields } = result.refused;
    throw new CodedError(code, detail, fields);
  }

  /** @throws InvalidMessage */
  async readMessage(body: Buffer): Promise<ConversationMessage> {
    const sizeLimit = this.environment.HTTP_BODY_LIMIT;
    if (body.length < LONG_LOG || body.length > sizeLimit) return parseConversationMessage(body, sizeLimit, new Date());
    const result = await this.inThread('readMessage', { body, sizeLimit, now: new Date() });
    if ('invalid' in result) throw new InvalidMessage(result.invalid);
    return { ...result, conversation: result.conversation && asPrepared(result.conversation) };
  }

  /** @param mostChars as {@link LongLogTasks.digestLog} */
  async digest(json: string, mostChars: number): Promise<LogDigest> {
    if (json.length < LONG_LOG) return LONG_LOG_TASKS.digestLog({ json, mostChars });
    return this.inThread('digestLog', { json, mostChars });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.threads?.destroy();
  }

  private inThread<N extends keyof LongLogTasks>(name: N, task: Parameters<LongLogTasks[N]>[0]): Promise<Result<N>> {
    this.threads ??= new Piscina({
      filename: join(__dirname, 'long-log.worker.js'),
      minThreads: 0,
      // The event loop keeps a core.
      maxThreads: Math.max(1, availableParallelism() - 1),
      idleTimeout: IDLE_TIMEOUT,
    });
    return this.threads.run(task, { name }) as Promise<Result<N>>;
  }
}

/** What came out of a thread has lost its class. */
function asPrepared(prepared: PreparedConversation): PreparedConversation {
  return { ...prepared, hash: Buffer.from(prepared.hash) };
}
