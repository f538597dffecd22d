import { createHash } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { DatabaseMonitor } from '../database/database-monitor';
import { isDatabaseAway } from '../database/database-errors';
import { errorCode } from '../errors/describe';
import type { IncomingMessage } from '../messaging/incoming-message';
import type { Outcome } from '../messaging/outcome';
import { IDENTIFIER } from './conversation-end.schema';
import { SharedGate, type StepAside } from './shared-gate';
import { SuspectsRepository } from './suspects.repository';

/** From this start on, a message that was redelivered is worked on alone, so that it takes no neighbour with it. */
const ALONE_FROM_START = 2;

/** A message that has been started this often and never came to an end is dead-lettered without being looked at. */
const MOST_STARTS = 4;

/** Works on one message; what only waits for others goes into `stepAside`, so that nobody has to wait along. */
export type GuardedHandler = (message: IncomingMessage, stepAside: StepAside) => Promise<Outcome>;

/**
 * Keeps a message that kills its process from killing for ever, and from taking its neighbours with it. A first delivery passes
 * at no cost. A redelivered one, or a copy from the sweeper, is a suspect: its starts are counted in the database until its work comes to an end. A lost
 * connection redelivers messages as well, but the worker lives, ends its work and clears the count: only a death leaves it.
 */
@Injectable()
export class CrashGuard {
  private readonly logger = new Logger('CrashGuard');
  private readonly gate = new SharedGate();
  /** Started by this process and not ended: as long as it lives, they killed nobody, however often they are held and begun again. */
  private readonly startedHere = new Set<string>();

  constructor(
    private readonly suspects: SuspectsRepository,
    private readonly database: DatabaseMonitor,
  ) {}

  async run(message: IncomingMessage, handler: GuardedHandler): Promise<Outcome> {
    if (!message.suspect) return this.gate.share((stepAside) => handler(message, stepAside));
    try {
      return await this.runSuspect(message, handler);
    } catch (error) {
      if (!isDatabaseAway(error)) this.logger.error({ msg: 'could not count', code: errorCode(error) });
      return { kind: 'defer', reason: errorCode(error), until: (signal) => this.database.waitUntilUp(signal) };
    }
  }

  private async runSuspect(message: IncomingMessage, handler: GuardedHandler): Promise<Outcome> {
    const key = messageKey(message);
    const counted = await this.suspects.starts(key);
    const starts = this.startedHere.has(key) ? counted - 1 : counted;
    if (starts >= MOST_STARTS) return this.giveUp(message, starts);
    const work = async (stepAside: StepAside) => {
      if (!this.startedHere.has(key)) await this.suspects.start(key);
      this.startedHere.add(key);
      const outcome = await handler(message, stepAside);
      if (outcome.kind === 'defer') return outcome;
      await this.suspects.clear(key);
      this.startedHere.delete(key);
      return outcome;
    };
    if (starts + 1 < ALONE_FROM_START) return this.gate.share(work);
    this.logger.warn({ msg: 'working on a suspect message alone', message_id: message.messageId, starts });
    return this.gate.alone(work);
  }

  /** Unparsed: nothing of it is touched again. Our publishers give a message its conversation's id. */
  private giveUp(message: IncomingMessage, starts: number): Outcome {
    const { messageId } = message;
    const conversationId = messageId !== undefined && IDENTIFIER.test(messageId) ? messageId : undefined;
    this.logger.error({ msg: 'a message that kills its process', message_id: conversationId, starts });
    return {
      kind: 'deadLetter',
      reason: 'WORKER_CRASHED',
      attempts: starts,
      conversationId,
      settlesEvent: conversationId !== undefined,
    };
  }
}

/** The same for every copy of a message: its id where it has one, else its body. */
export function messageKey({ messageId, body }: Pick<IncomingMessage, 'messageId' | 'body'>): string {
  return createHash('sha256')
    .update(messageId ?? body)
    .digest('base64url');
}
