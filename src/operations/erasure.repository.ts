import { Injectable } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';
import { Tombstones } from '../conversation-events/tombstones';
import { QueryRunners } from '../database/query-runners';
import { execute, type Statement } from '../database/statement';

/** Committed before anything is removed: from then on nothing of the child's past can come in. */
const BURY_USER: Statement = {
  name: 'erasure_bury_user',
  text: `INSERT INTO tombstones (key_hash, erased_at) VALUES ($1, now())
         ON CONFLICT (key_hash) DO UPDATE SET erased_at = excluded.erased_at
         RETURNING erased_at, pg_current_xact_id()::text AS transaction_id`,
};

/** Whether everything that began before a transaction has ended: only then can nothing still be on its way in. */
const HAS_PASSED: Statement = {
  name: 'erasure_has_passed',
  text: `SELECT pg_snapshot_xmin(pg_current_snapshot()) > $1::xid8 AS passed`,
};

/** Locks a batch, so that a claim under way ends first; a later one finds no row, and counts nothing. */
const LOCK_BATCH: Statement = {
  name: 'erasure_lock_batch',
  text: `SELECT conversation_id FROM conversation_events WHERE user_id = $1 AND end_time <= $2
          ORDER BY accepted_at, conversation_id LIMIT 500 FOR UPDATE`,
};

const BURY_CONVERSATIONS: Statement = {
  name: 'erasure_bury_conversations',
  text: `INSERT INTO tombstones (key_hash, erased_at) SELECT unnest($1::bytea[]), $2
         ON CONFLICT (key_hash) DO NOTHING`,
};

const REMOVE_CONVERSATIONS: Statement = {
  name: 'erasure_remove_conversations',
  text: 'DELETE FROM conversation_events WHERE conversation_id = ANY ($1)',
};

const REMOVE_LETTERS_OF_EVENTS: Statement = {
  name: 'erasure_remove_letters_of_events',
  text: 'DELETE FROM dead_letters WHERE conversation_id = ANY ($1)',
};

/** Letters without a stored event: those whose body has the id between quotes, as JSON has it. */
const REMOVE_LETTERS_OF_USER: Statement = {
  name: 'erasure_remove_letters_of_user',
  text: `DELETE FROM dead_letters WHERE position($1::bytea IN body) > 0`,
};

export interface Buried {
  readonly erased_at: Date;
  readonly transaction_id: string;
}

/** The SQL that makes a child forgotten. */
@Injectable()
export class ErasureRepository {
  constructor(
    private readonly queryRunners: QueryRunners,
    private readonly tombstones: Tombstones,
  ) {}

  get available(): boolean {
    return this.tombstones.available;
  }

  async buryUser(userId: string): Promise<Buried> {
    const { rows } = await this.run<Buried>(BURY_USER, [this.tombstones.ofUser(userId)]);
    return rows[0];
  }

  async hasPassed(transactionId: string): Promise<boolean> {
    const { rows } = await this.run<{ passed: boolean }>(HAS_PASSED, [transactionId]);
    return rows[0].passed;
  }

  /** One transaction: up to 500 conversations with their dead letters become tombstones. @returns how many */
  async removeBatch(userId: string, erasedAt: Date): Promise<number> {
    return this.queryRunners.repeatableTransaction(async (runner) => {
      const { rows } = await execute<{ conversation_id: string }>(runner, LOCK_BATCH, [userId, erasedAt]);
      const ids = rows.map(({ conversation_id }) => conversation_id);
      if (ids.length === 0) return 0;
      await execute(runner, BURY_CONVERSATIONS, [ids.map((id) => this.tombstones.ofConversation(id)), erasedAt]);
      await execute(runner, REMOVE_LETTERS_OF_EVENTS, [ids]);
      await execute(runner, REMOVE_CONVERSATIONS, [ids]);
      return ids.length;
    });
  }

  /** @returns how many dead letters without a stored event were removed */
  async removeLettersOfUser(userId: string): Promise<number> {
    const { rowCount } = await this.run(REMOVE_LETTERS_OF_USER, [Buffer.from(JSON.stringify(userId))]);
    return rowCount ?? 0;
  }

  private run<Row extends object>(statement: Statement, values: unknown[]) {
    return this.queryRunners.use((runner: QueryRunner) =>
      execute<Row & Record<string, unknown>>(runner, statement, values),
    );
  }
}
