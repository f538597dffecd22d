import type { ConsumeMessage } from 'amqplib';
import type { LaneName } from './topology';

/** Headers that this service puts on the messages it moves. Times are ISO 8601. */
export const HEADERS = {
  attempts: 'x-attempts',
  firstError: 'x-first-error',
  lastError: 'x-last-error',
  firstFailedAt: 'x-first-failed-at',
  lastFailedAt: 'x-last-failed-at',
  originalExchange: 'x-original-exchange',
  originalRoutingKey: 'x-original-routing-key',
  deadLetterKey: 'x-dead-letter-key',
  deadLetterReason: 'x-dead-letter-reason',
  settlesEvent: 'x-settles-event',
  conversationId: 'x-conversation-id',
  /** On a copy that the sweeper published: the message before it may have come to grief. */
  swept: 'x-swept',
} as const;

/** A delivery, with what its headers say. */
export interface IncomingMessage {
  /** The lane it came over: when it is tried again, it comes back there. */
  readonly lane: LaneName;
  readonly body: Buffer;
  readonly messageId: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  /** Failed attempts so far, as the headers count them. */
  readonly attempts: number;
  /** How often the broker delivered it before; 0 for a first delivery. */
  readonly redeliveries: number;
  /** It, or a copy of it, may have been worked on before, by somebody who never came to an end. */
  readonly suspect: boolean;
  readonly exchange: string;
  readonly routingKey: string;
  /** The connection it came over; see `BrokerMonitor.connectionNumber`. */
  readonly connection: number;
  /** `performance.now()` of the delivery. */
  readonly receivedAt: number;
}

export function toIncomingMessage(raw: ConsumeMessage, connection = 0, lane: LaneName = 'processing'): IncomingMessage {
  const headers = (raw.properties.headers ?? {}) as Record<string, unknown>;
  const messageId: unknown = raw.properties.messageId;
  const deliveryCount = wholeNumber(headers['x-delivery-count']);
  return {
    lane,
    body: raw.content,
    messageId: typeof messageId === 'string' ? messageId : undefined,
    headers,
    attempts: wholeNumber(headers[HEADERS.attempts]),
    redeliveries: Math.max(deliveryCount, raw.fields.redelivered ? 1 : 0),
    suspect: deliveryCount > 0 || raw.fields.redelivered || headers[HEADERS.swept] === true,
    exchange: textHeader(headers, HEADERS.originalExchange) ?? recordable(raw.fields.exchange),
    routingKey: textHeader(headers, HEADERS.originalRoutingKey) ?? recordable(raw.fields.routingKey),
    connection,
    receivedAt: performance.now(),
  };
}

/** A text header, if it is one; senders may put anything there. */
export function textHeader(headers: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? recordable(value) : undefined;
}

/** Fits a column: PostgreSQL refuses U+0000, and a text that cannot be recorded would come back for ever. */
function recordable(text: string): string {
  return text.slice(0, 255).toWellFormed().replaceAll('\0', '\uFFFD');
}

/** Far more than any policy allows, and far less than what a column can hold. */
const MOST_ATTEMPTS = 1_000_000;

function wholeNumber(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? Math.min(value, MOST_ATTEMPTS) : 0;
}
