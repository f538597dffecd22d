import type { LaneName } from './topology';

/** What becomes of a message. Handlers return one of these; only `messaging/` touches ack and nack. */
export type Outcome =
  /** Settled: the message is acknowledged. `committedAt`: when its score was committed, of `performance.now()`. */
  | { readonly kind: 'ack'; readonly committedAt?: number }
  /** Failed, may pass: it waits `afterMs` in a retry queue. `attempts` counts the failed ones, this one included. */
  | { readonly kind: 'retry'; readonly afterMs: number; readonly attempts: number; readonly reason: string }
  /** Nothing is wrong with the message: it is held, unacknowledged, until `until` resolves. No attempt is spent. */
  | { readonly kind: 'defer'; readonly reason: string; readonly until: (signal: AbortSignal) => Promise<void> }
  /** It belongs into the other lane: it goes there, with its attempts unchanged. */
  | { readonly kind: 'forward'; readonly to: LaneName }
  /** Failed for good. `settlesEvent`: this is what became of the stored event. */
  | {
      readonly kind: 'deadLetter';
      readonly reason: DeadLetterReason;
      readonly attempts: number;
      readonly errorCode?: string;
      readonly conversationId?: string;
      readonly settlesEvent: boolean;
    };

export const DEAD_LETTER_REASONS = [
  'INVALID_MESSAGE',
  'CONVERSATION_NOT_FOUND',
  'CONVERSATION_CONFLICT',
  'ATTEMPTS_EXHAUSTED',
  'WORKER_CRASHED',
  'DELIVERY_LIMIT',
] as const;
export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number];

export const ack: Outcome = { kind: 'ack' };
