import { Injectable, Logger } from '@nestjs/common';

/** Remembers that a queue or exchange exists with other properties than this service declares, and says what to do about it. */
@Injectable()
export class TopologyReport {
  private readonly logger = new Logger('RabbitMQ');
  private current: string | undefined;

  get problem(): string | undefined {
    return this.current;
  }

  /**
   * @param what for example `queue conversation_events_processing`
   * @param error what the broker answered; only a refusal because of other properties (406) is reported
   */
  refused(what: string, error: unknown): void {
    if ((error as { code?: unknown } | null)?.code !== 406) return;
    const problem =
      `${what} exists with other properties than this service declares (an older setup has it as a classic queue). ` +
      'Stop its publishers and consumers, let it run empty, delete it, and the service goes on by itself; ' +
      'or set RABBITMQ_QUEUE and RABBITMQ_EXCHANGE to new names.';
    if (problem !== this.current) this.logger.error({ msg: problem });
    this.current = problem;
  }

  /** Everything could be declared. */
  accepted(): void {
    this.current = undefined;
  }
}
