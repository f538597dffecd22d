/** Messages that this service moves to another queue: the body stays as it came, byte for byte. */
import { randomUUID } from 'node:crypto';
import { HEADERS, textHeader, type IncomingMessage } from './incoming-message';
import type { Outcome } from './outcome';
import type { OutgoingMessage } from './publisher';
import { laneOf, retryQueueName, type LaneName, type Topology } from './topology';

type Retry = { readonly afterMs: number; readonly attempts: number; readonly reason?: string };
type DeadLetter = Extract<Outcome, { kind: 'deadLetter' }>;

export function retryMessage(topology: Topology, message: IncomingMessage, retry: Retry): OutgoingMessage {
  return {
    exchange: '',
    routingKey: retryQueueName(laneOf(topology, message.lane).queue.name, retry.afterMs),
    body: message.body,
    messageId: message.messageId,
    headers: {
      ...carriedHeaders(message),
      ...(retry.reason === undefined ? {} : failureHeaders(message, retry.reason)),
      [HEADERS.attempts]: retry.attempts,
    },
  };
}

/** To the other lane, with its attempts unchanged. */
export function forwardedMessage(topology: Topology, message: IncomingMessage, to: LaneName): OutgoingMessage {
  return {
    exchange: '',
    routingKey: laneOf(topology, to).queue.name,
    body: message.body,
    messageId: message.messageId,
    headers: { ...carriedHeaders(message), [HEADERS.attempts]: message.attempts },
  };
}

export function deadLetterMessage(topology: Topology, message: IncomingMessage, letter: DeadLetter): OutgoingMessage {
  return {
    exchange: '',
    routingKey: topology.deadLetterQueue.name,
    body: message.body,
    messageId: message.messageId,
    headers: {
      ...carriedHeaders(message),
      ...failureHeaders(message, letter.errorCode ?? letter.reason),
      [HEADERS.attempts]: letter.attempts,
      [HEADERS.deadLetterKey]: randomUUID(),
      [HEADERS.deadLetterReason]: letter.reason,
      [HEADERS.settlesEvent]: letter.settlesEvent,
      [HEADERS.conversationId]: letter.conversationId,
    },
  };
}

/** Only our own headers and the trace travel on: the broker's counters would confuse the next queue. */
function carriedHeaders(message: IncomingMessage): Record<string, unknown> {
  const kept = [
    HEADERS.firstError,
    HEADERS.lastError,
    HEADERS.firstFailedAt,
    HEADERS.lastFailedAt,
    'traceparent',
    'tracestate',
  ];
  const carried: Record<string, unknown> = {
    [HEADERS.originalExchange]: message.exchange,
    [HEADERS.originalRoutingKey]: message.routingKey,
  };
  for (const name of kept) {
    const value = textHeader(message.headers, name);
    if (value !== undefined) carried[name] = value;
  }
  return carried;
}

function failureHeaders(message: IncomingMessage, code: string): Record<string, unknown> {
  const now = new Date().toISOString();
  return {
    [HEADERS.firstError]: textHeader(message.headers, HEADERS.firstError) ?? code,
    [HEADERS.lastError]: code,
    [HEADERS.firstFailedAt]: textHeader(message.headers, HEADERS.firstFailedAt) ?? now,
    [HEADERS.lastFailedAt]: now,
  };
}
