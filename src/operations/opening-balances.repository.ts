import { Inject, Injectable } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { Tombstones } from '../conversation-events/tombstones';
import { QueryRunners } from '../database/query-runners';
import { execute, type Statement } from '../database/statement';
import { foldIntoFriendshipStatus } from '../friendship-status/friendship-fold.sql';
import { OPENING_BALANCE, openingBalanceRows } from '../friendship-status/opening-balance.sql';
import { balanceFingerprint, balanceId, type OpeningBalance } from './opening-balance';

/** What became of the balances of one batch. */
export interface ImportedBatch {
  readonly imported: number;
  /** There before, and the same. */
  readonly known: number;
  /** The children whose stored balance is another one; it stays. */
  readonly conflicting: readonly string[];
  /** The children who were erased; nothing of theirs comes back. */
  readonly erased: number;
}

/**
 * Stores the balances that are not there yet and folds them into the statuses, in one transaction. A balance that is there, or whose
 * child was erased after its last interaction, is left alone.
 */
const IMPORT: Statement = {
  name: 'opening_balances_import',
  text: `WITH given AS (
           SELECT * FROM jsonb_to_recordset($1::jsonb)
             AS balance (conversation_id text, user_id text, last timestamptz, score numeric, breakdown jsonb,
                         fingerprint text, conversation_hash text, user_hash text)
         ), inserted AS (
           INSERT INTO conversation_events
                  (conversation_id, user_id, bot_id, bot_name, bot_type, start_time, end_time, fingerprint, status, attempt_count,
                   processed_at, friendship_score_change, score_breakdown, rule_version, business_day)
           SELECT conversation_id, user_id, '${OPENING_BALANCE}', '${OPENING_BALANCE}', '${OPENING_BALANCE}',
                  last - interval '1 second', last, decode(fingerprint, 'hex'), 'PROCESSED', 1, clock_timestamp(), score, breakdown,
                  '${OPENING_BALANCE}', (last AT TIME ZONE $2)::date
             FROM given
            WHERE NOT EXISTS (SELECT FROM tombstones WHERE key_hash = decode(conversation_hash, 'hex'))
              AND NOT EXISTS (SELECT FROM tombstones WHERE key_hash = decode(user_hash, 'hex') AND erased_at >= last)
            ORDER BY conversation_id
           ON CONFLICT (conversation_id) DO NOTHING
           RETURNING user_id, end_time, business_day, friendship_score_change, score_breakdown
         ), counted AS (${openingBalanceRows('inserted')})
         ${foldIntoFriendshipStatus('counted')}`,
};

const COMPARE: Statement = {
  name: 'opening_balances_compare',
  text: `SELECT user_id, encode(fingerprint, 'hex') AS fingerprint FROM conversation_events WHERE conversation_id = ANY ($1)`,
};

/** Imports what a former system had counted. */
@Injectable()
export class OpeningBalancesRepository {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    private readonly queryRunners: QueryRunners,
    private readonly tombstones: Tombstones,
  ) {}

  /** @param balances of different children */
  async importBatch(balances: readonly OpeningBalance[]): Promise<ImportedBatch> {
    const rows = balances.map((balance) => this.toRow(balance));
    return this.queryRunners.use(async (runner) => {
      const { rowCount } = await execute(runner, IMPORT, [JSON.stringify(rows), this.environment.BUSINESS_TIME_ZONE]);
      const imported = rowCount ?? 0;
      if (imported === rows.length) return { imported, known: 0, conflicting: [], erased: 0 };
      const ids = rows.map(({ conversation_id }) => conversation_id);
      const stored = await execute<{ user_id: string; fingerprint: string }>(runner, COMPARE, [ids]);
      const prints = new Map(rows.map(({ user_id, fingerprint }) => [user_id, fingerprint]));
      const conflicting = stored.rows.filter(({ user_id, fingerprint }) => prints.get(user_id) !== fingerprint);
      return {
        imported,
        known: stored.rows.length - imported - conflicting.length,
        conflicting: conflicting.map(({ user_id }) => user_id),
        erased: rows.length - stored.rows.length,
      };
    });
  }

  private toRow(balance: OpeningBalance) {
    const { user_id, friendship_score, last_interaction_date, streak_day, topics } = balance;
    const conversation_id = balanceId(user_id);
    return {
      conversation_id,
      user_id,
      last: last_interaction_date,
      score: friendship_score,
      breakdown: {
        rule_version: OPENING_BALANCE,
        total_turns: 0,
        friendship_score_change: friendship_score,
        streak_day,
        topics,
      },
      fingerprint: balanceFingerprint(balance).toString('hex'),
      conversation_hash: this.tombstones.ofConversation(conversation_id)?.toString('hex') ?? null,
      user_hash: this.tombstones.ofUser(user_id)?.toString('hex') ?? null,
    };
  }
}
