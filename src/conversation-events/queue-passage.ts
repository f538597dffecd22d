import { Injectable } from '@nestjs/common';
import type { IncomingMessage } from '../messaging/incoming-message';
import type { ConversationMessage } from './conversation-message';

/**
 * How far the queue has come: the latest time at which a message was enqueued that has been delivered for the first time.
 * A queue is first in, first out, so an event stored well before that time is not in it any more.
 */
@Injectable()
export class QueuePassage {
  private latest = -Infinity;

  observe(message: IncomingMessage, { enqueuedAt }: ConversationMessage): void {
    if (!enqueuedAt || message.redeliveries > 0 || message.attempts > 0) return;
    // A publisher's clock may run ahead; time that has not come says nothing.
    this.latest = Math.max(this.latest, Math.min(enqueuedAt.getTime(), Date.now()));
  }

  /** Undefined as long as nothing has been delivered. */
  get passedUntil(): Date | undefined {
    return this.latest === -Infinity ? undefined : new Date(this.latest);
  }
}
