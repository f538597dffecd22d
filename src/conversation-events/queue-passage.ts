import { Injectable } from '@nestjs/common';
import type { IncomingMessage } from '../messaging/incoming-message';
import type { LaneName } from '../messaging/topology';
import type { ConversationMessage } from './conversation-message';

/**
 * How far each lane's queue has come: the latest time at which a message was enqueued that has been delivered for the first time.
 * A queue is first in, first out, so an event stored well before that time is not in it any more.
 */
@Injectable()
export class QueuePassage {
  private readonly latest = new Map<LaneName, number>();

  observe(message: IncomingMessage, { enqueuedAt }: ConversationMessage): void {
    if (!enqueuedAt || message.redeliveries > 0 || message.attempts > 0) return;
    // A publisher's clock may run ahead; time that has not come says nothing.
    const latest = this.latest.get(message.lane) ?? -Infinity;
    this.latest.set(message.lane, Math.max(latest, Math.min(enqueuedAt.getTime(), Date.now())));
  }

  /** Undefined as long as nothing has been delivered. */
  passedUntil(lane: LaneName): Date | undefined {
    const latest = this.latest.get(lane);
    return latest === undefined ? undefined : new Date(latest);
  }
}
