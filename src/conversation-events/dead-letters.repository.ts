import { Injectable } from '@nestjs/common';
import { QueryRunners } from '../database/query-runners';
import { execute, type Statement } from '../database/statement';
import type { DeadLetterReason } from '../messaging/outcome';

/** What can have become of an entry; REPLAYING: to be published again, and not yet confirmed by the broker. */
export const DEAD_LETTER_STATES = ['OPEN', 'REPLAYING', 'REPLAYED', 'DISCARDED'] as const;

/** A dead letter as it is recorded. */
export interface DeadLetter {
  /** The same letter delivered twice has the same key. */
  readonly delivery_key: string;
  readonly conversation_id: string | undefined;
  /** It is what becomes of the event, if that is stored here. */
  readonly settles_event: boolean;
  readonly message_id: string | undefined;
  readonly reason: DeadLetterReason;
  readonly error_code: string | undefined;
  readonly attempts: number;
  readonly first_failed_at: Date | undefined;
  readonly last_failed_at: Date;
  readonly exchange: string;
  readonly routing_key: string;
  readonly body: Buffer;
}

/** A dead letter as it is listed: without its body, which may hold a conversation. */
export interface DeadLetterSummary {
  readonly dead_letter_id: string;
  readonly conversation_id: string | null;
  readonly reason: DeadLetterReason;
  readonly error_code: string | null;
  readonly attempts: number;
  readonly first_failed_at: Date | null;
  readonly last_failed_at: Date;
  readonly recorded_at: Date;
  readonly state: string;
  readonly bytes: number | null;
}

/**
 * The entry and the row's FAILED in one statement. The row's lock orders it with a claim under way: an event that was
 * counted meanwhile gets no entry, and one that was discarded stays discarded.
 */
const RECORD: Statement = {
  name: 'dead_letters_record',
  text: `WITH event AS (
           SELECT status FROM conversation_events WHERE conversation_id = $2 AND $3 FOR UPDATE
         ), recorded AS (
           INSERT INTO dead_letters (delivery_key, conversation_id, settles_event, reason, error_code, attempts,
                                     first_failed_at, last_failed_at, exchange, routing_key, message_id, body)
           SELECT $1, $2, EXISTS (SELECT FROM event), $4, $5, $6, $7, $8, $9, $10, $11, $12
            WHERE NOT EXISTS (SELECT FROM event WHERE status IN ('PROCESSED', 'SKIPPED'))
           ON CONFLICT DO NOTHING
           RETURNING 1
         ), failed AS (
         UPDATE conversation_events
            SET status = 'FAILED', publish_due_at = NULL,
                first_error_code = coalesce(first_error_code, $5, $4), last_error_code = coalesce($5, last_error_code, $4)
          WHERE conversation_id = $2 AND $3 AND (status = 'PENDING' OR status = 'FAILED' AND publish_due_at IS NOT NULL)
         )
         SELECT FROM recorded`,
};

const LIST: Statement = {
  name: 'dead_letters_list',
  text: `SELECT dead_letter_id, conversation_id, reason, error_code, attempts, first_failed_at, last_failed_at,
                recorded_at, state, octet_length(body) AS bytes
           FROM dead_letters WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR reason = $2)
          ORDER BY dead_letter_id DESC LIMIT $3`,
};

/** All SQL on `dead_letters`. */
@Injectable()
export class DeadLettersRepository {
  constructor(private readonly queryRunners: QueryRunners) {}

  /** Idempotent. @returns false when it had been recorded before, or its event had been counted */
  async record(letter: DeadLetter): Promise<boolean> {
    const { rowCount } = await this.queryRunners.use((runner) =>
      execute(runner, RECORD, [
        letter.delivery_key,
        letter.conversation_id,
        letter.settles_event,
        letter.reason,
        letter.error_code,
        letter.attempts,
        letter.first_failed_at,
        letter.last_failed_at,
        letter.exchange,
        letter.routing_key,
        letter.message_id,
        letter.body,
      ]),
    );
    return rowCount === 1;
  }

  /** Newest first. */
  async list(
    filter: { readonly state?: string; readonly reason?: string },
    limit: number,
  ): Promise<DeadLetterSummary[]> {
    const { rows } = await this.queryRunners.use((runner) =>
      execute<DeadLetterSummary>(runner, LIST, [filter.state, filter.reason, limit]),
    );
    return rows;
  }
}
