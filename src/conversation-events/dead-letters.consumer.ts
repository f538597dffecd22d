import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { RabbitSubscribe } from '@golevelup/nestjs-rabbitmq';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { ConsumeMessage } from 'amqplib';
import { DatabaseMonitor } from '../database/database-monitor';
import { isDatabaseAway } from '../database/database-errors';
import { describeError, errorCode } from '../errors/describe';
import { Deliveries } from '../messaging/deliveries';
import { HEADERS, textHeader, type IncomingMessage } from '../messaging/incoming-message';
import { ack, DEAD_LETTER_REASONS, type DeadLetterReason, type Outcome } from '../messaging/outcome';
import { HANDLERS } from '../messaging/rabbitmq-options';
import { TOPOLOGY } from '../messaging/tokens';
import type { Topology } from '../messaging/topology';
import { Metrics } from '../observability/metrics';
import { IDENTIFIER } from './conversation-end.schema';
import { parseInstant } from './instant';
import { parseConversationMessage } from './conversation-message';
import { DeadLettersRepository, type DeadLetter } from './dead-letters.repository';

/** The pause before a letter that could not be recorded is tried again, milliseconds. Nothing may be dropped here. */
const RECORD_PAUSE = 5_000;

/** The recorder: moves dead letters from their queue into the table, where they can be looked at and replayed. */
@Injectable()
export class DeadLettersConsumer {
  private readonly logger = new Logger('DeadLetters');

  constructor(
    @Inject(TOPOLOGY) private readonly topology: Topology,
    private readonly deliveries: Deliveries,
    private readonly repository: DeadLettersRepository,
    private readonly database: DatabaseMonitor,
    private readonly metrics: Metrics,
  ) {}

  @RabbitSubscribe({ name: HANDLERS.deadLetterArrived })
  onDeadLetter(_body: Buffer, delivery: ConsumeMessage): Promise<void> {
    return this.deliveries.settle(
      delivery,
      this.topology.deadLetterQueue.name,
      (message) => this.record(message),
      'hand back',
    );
  }

  private async record(message: IncomingMessage): Promise<Outcome> {
    const letter = toDeadLetter(message);
    try {
      const isNew = await this.repository.record(letter);
      if (isNew) this.metrics.of.deadLetters.inc({ reason: letter.reason });
      const { conversation_id, reason, error_code, attempts } = letter;
      this.logger.warn({
        msg: isNew ? 'recorded' : 'nothing to record',
        conversation_id,
        reason,
        error_code,
        attempts,
      });
      return ack;
    } catch (error) {
      const away = isDatabaseAway(error);
      if (!away) this.logger.error({ msg: 'could not record yet', error: describeError(error) });
      return {
        kind: 'defer',
        reason: errorCode(error),
        until: (signal) =>
          away ? this.database.waitUntilUp(signal) : delay(RECORD_PAUSE, undefined, { signal, ref: false }),
      };
    }
  }
}

/** Ours carry everything in headers; one that the broker itself dead-lettered says only what the broker knows. */
function toDeadLetter(message: IncomingMessage): DeadLetter {
  const { headers, body } = message;
  const named = textHeader(headers, HEADERS.deadLetterReason);
  const reason = DEAD_LETTER_REASONS.find((candidate) => candidate === named);
  const conversationId = reason ? textHeader(headers, HEADERS.conversationId) : readConversationId(body);
  return {
    delivery_key: deliveryKey(message),
    conversation_id: conversationId && IDENTIFIER.test(conversationId) ? conversationId : undefined,
    settles_event: reason ? headers[HEADERS.settlesEvent] === true : conversationId !== undefined,
    reason: reason ?? ('DELIVERY_LIMIT' satisfies DeadLetterReason),
    error_code: textHeader(headers, HEADERS.lastError)?.slice(0, 64),
    attempts: message.attempts,
    first_failed_at: time(headers, HEADERS.firstFailedAt),
    last_failed_at: time(headers, HEADERS.lastFailedAt) ?? new Date(),
    exchange: message.exchange,
    routing_key: message.routingKey,
    message_id: message.messageId !== undefined && IDENTIFIER.test(message.messageId) ? message.messageId : undefined,
    body,
  };
}

function readConversationId(body: Buffer): string | undefined {
  try {
    return parseConversationMessage(body, Number.MAX_SAFE_INTEGER, new Date()).conversationId;
  } catch {
    return undefined;
  }
}

/**
 * The same for every delivery of one letter: our letters have a key, and on its own ones the broker notes when they died.
 * The body is part of it, so that two letters are never taken for one.
 */
function deliveryKey({ headers, body, messageId }: IncomingMessage): string {
  const name = textHeader(headers, HEADERS.deadLetterKey) ?? JSON.stringify([headers['x-death'] ?? null, messageId]);
  return createHash('sha256').update(name).update(body).digest('hex');
}

/** A time that a header names, if it is one of this age. */
function time(headers: IncomingMessage['headers'], name: string): Date | undefined {
  return parseInstant(textHeader(headers, name));
}
