import { Injectable } from '@nestjs/common';
import { QueryRunners } from '../database/query-runners';
import { execute, type Statement } from '../database/statement';

/** One replica a day wins; if it dies on the way, the next day's run does it all. */
const CLAIM_RUN: Statement = {
  name: 'retention_claim_run',
  text: `UPDATE positions SET reached = now() WHERE name = 'purged' AND reached < now() - interval '1 day'`,
};

/** Walks old events by the index on time. Settled ones lose their text and keep their score and fingerprint. */
const PURGE_EVENTS: Statement = {
  name: 'retention_purge_events',
  text: `WITH chunk AS MATERIALIZED (
           SELECT accepted_at, conversation_id FROM conversation_events
            WHERE (accepted_at, conversation_id) > ($1::timestamptz, $2) AND accepted_at <= now() - make_interval(days => $3)
            ORDER BY accepted_at, conversation_id LIMIT 1000
         ), purged AS (
           UPDATE conversation_events AS event SET conversation_log = NULL FROM chunk
            WHERE event.conversation_id = chunk.conversation_id AND status <> 'PENDING' AND conversation_log IS NOT NULL
        RETURNING 1
         )
         SELECT (SELECT count(*) FROM purged)::int AS purged, accepted_at, conversation_id
           FROM chunk ORDER BY accepted_at DESC, conversation_id DESC LIMIT 1`,
};

const PURGE_LETTERS: Statement = {
  name: 'retention_purge_letters',
  text: `UPDATE dead_letters SET body = NULL
          WHERE body IS NOT NULL AND state <> 'REPLAYING' AND recorded_at <= now() - make_interval(days => $1)`,
};

/** Where a walk over old events has come. */
export interface PurgePosition {
  readonly accepted_at: Date | '-infinity';
  readonly conversation_id: string;
}

@Injectable()
export class RetentionRepository {
  constructor(private readonly queryRunners: QueryRunners) {}

  /** @returns whether this process is the one to purge today */
  async claimRun(): Promise<boolean> {
    const { rowCount } = await this.queryRunners.use((runner) => execute(runner, CLAIM_RUN, []));
    return rowCount === 1;
  }

  /** Up to 1,000 events. @returns how many texts were purged, and where to go on; undefined at the end */
  async purgeEvents(
    from: PurgePosition,
    days: number,
  ): Promise<(PurgePosition & { readonly purged: number }) | undefined> {
    const { rows } = await this.queryRunners.use((runner) =>
      execute<PurgePosition & { purged: number }>(runner, PURGE_EVENTS, [from.accepted_at, from.conversation_id, days]),
    );
    return rows[0];
  }

  /** @returns how many bodies were purged */
  async purgeLetters(days: number): Promise<number> {
    const { rowCount } = await this.queryRunners.use((runner) => execute(runner, PURGE_LETTERS, [days]));
    return rowCount ?? 0;
  }
}
