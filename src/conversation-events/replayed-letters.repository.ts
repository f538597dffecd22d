import { Injectable } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';
import { QueryRunners } from '../database/query-runners';
import { execute, type Statement } from '../database/statement';

/** A message to publish again, with where it was sent first. */
export interface ReplayedLetter {
  readonly dead_letter_id: string;
  readonly message_id: string | null;
  readonly exchange: string;
  readonly routing_key: string;
  readonly body: Buffer;
}

/** Until when an entry is left to the replica that took it, seconds: far longer than a publish may take. */
const LEASE = 60;

/** The pause before a message that was not confirmed is published again, seconds. */
const PAUSE = 5;

/**
 * Takes messages that are due and moves their due time on, so that no other replica takes them, and so that they are published
 * again if this one dies before it has the broker's confirm. A message may be as large as the broker allows, so a batch
 * ends with the one that reaches `$2` bytes; what it locks beyond that is free again when the statement ends.
 */
const TAKE_DUE: Statement = {
  name: 'replayed_letters_take_due',
  text: `WITH due AS MATERIALIZED (
           SELECT dead_letter_id, octet_length(body) AS bytes FROM dead_letters
            WHERE publish_due_at <= now() ORDER BY publish_due_at LIMIT $1 FOR UPDATE SKIP LOCKED
         ), batch AS (
           SELECT dead_letter_id, sum(bytes) OVER (ORDER BY dead_letter_id) - bytes AS bytes_before FROM due
         )
         UPDATE dead_letters AS letter SET publish_due_at = now() + make_interval(secs => ${LEASE})
           FROM batch WHERE letter.dead_letter_id = batch.dead_letter_id AND bytes_before < $2
      RETURNING letter.dead_letter_id, message_id, exchange, routing_key, body`,
};

/** The broker has them. */
const CONFIRM: Statement = {
  name: 'replayed_letters_confirm',
  text: `UPDATE dead_letters SET state = 'REPLAYED', publish_due_at = NULL
          WHERE dead_letter_id = ANY ($1) AND state = 'REPLAYING'`,
};

const PUT_BACK: Statement = {
  name: 'replayed_letters_put_back',
  text: `UPDATE dead_letters SET publish_due_at = now() + make_interval(secs => ${PAUSE})
          WHERE dead_letter_id = ANY ($1) AND state = 'REPLAYING'`,
};

/** SQL on dead letters that wait to be published again. */
@Injectable()
export class ReplayedLettersRepository {
  constructor(private readonly queryRunners: QueryRunners) {}

  /** Commits: whoever takes them must publish them within a minute, or others will as well. */
  async takeDue(runner: QueryRunner, limit: number, bytes: number): Promise<ReplayedLetter[]> {
    const { rows } = await execute<ReplayedLetter>(runner, TAKE_DUE, [limit, bytes]);
    return rows;
  }

  async confirm(ids: readonly string[]): Promise<void> {
    await this.queryRunners.use((runner) => execute(runner, CONFIRM, [ids]));
  }

  async putBack(ids: readonly string[]): Promise<void> {
    await this.queryRunners.use((runner) => execute(runner, PUT_BACK, [ids]));
  }
}
