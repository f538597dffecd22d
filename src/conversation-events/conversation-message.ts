/** Reads the body of a message: a reference to a stored conversation, or a whole one. */
import { CodedError } from '../errors/coded-error';
import { describeValue } from '../errors/describe';
import { prepareConversation, type PreparedConversation } from './conversation-end';
import { parseInstant } from './instant';
import { IDENTIFIER, WHOLE_CONVERSATION_FIELDS } from './conversation-end.schema';

/** A message that can never be processed. Its text names types and lengths only. */
export class InvalidMessage extends Error {
  constructor(detail: string) {
    super(detail);
    this.name = 'InvalidMessage';
  }
}

export interface ConversationMessage {
  readonly conversationId: string;
  /** When the publisher put it on the queue, if it says so. */
  readonly enqueuedAt: Date | undefined;
  /** Present when the message carries everything that `conversations/end` needs. */
  readonly conversation: PreparedConversation | undefined;
}

/** What the service publishes: a reference, so that the queue holds no conversation. */
export function encodeReference(
  event: { conversation_id: string; user_id: string; bot_id: string },
  enqueuedAt: Date,
): Buffer {
  const { conversation_id, user_id, bot_id } = event;
  return Buffer.from(JSON.stringify({ conversation_id, user_id, bot_id, enqueued_at: enqueuedAt.toISOString() }));
}

/**
 * Only `conversation_id` is required; older publishers send `conversation_log` along, which is ignored for a stored one.
 * @param sizeLimit largest body, bytes
 * @throws InvalidMessage
 */
export function parseConversationMessage(body: Buffer, sizeLimit: number, now: Date): ConversationMessage {
  if (body.length > sizeLimit) throw new InvalidMessage(`expected at most ${sizeLimit} bytes, got ${body.length}`);
  const fields = parseObject(body);
  const { conversation_id: id, enqueued_at } = fields;
  if (typeof id !== 'string' || !IDENTIFIER.test(id)) {
    throw new InvalidMessage(`conversation_id: expected 3 to 255 visible ASCII characters, got ${describeValue(id)}`);
  }
  return {
    conversationId: id,
    enqueuedAt: parseInstant(enqueued_at),
    conversation: isWhole(fields) ? parseWhole(fields, now) : undefined,
  };
}

function parseObject(body: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    throw new InvalidMessage(`expected a JSON object, got ${body.length} bytes that are not JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidMessage(`expected a JSON object, got ${describeValue(value)}`);
  }
  return value as Record<string, unknown>;
}

function isWhole(fields: Record<string, unknown>): boolean {
  return WHOLE_CONVERSATION_FIELDS.every((name) => fields[name] !== undefined);
}

function parseWhole(fields: Record<string, unknown>, now: Date): PreparedConversation {
  try {
    return prepareConversation(fields, now);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const problems = error.fields.map(({ field, expected, got }) => `${field}: expected ${expected}, got ${got}`);
    throw new InvalidMessage(problems.join('; '));
  }
}
