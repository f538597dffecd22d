import { Injectable } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';
import { QueryRunners } from '../database/query-runners';
import { execute, type Statement } from '../database/statement';

/** An entry with everything that is known of it. */
export interface DeadLetterEntry {
  readonly dead_letter_id: string;
  readonly state: string;
  readonly reason: string;
  readonly error_code: string | null;
  readonly conversation_id: string | null;
  readonly settles_event: boolean;
  /** The event's status now; null when it is not stored here. */
  readonly event_status: string | null;
  readonly attempts: number;
  readonly first_failed_at: Date | null;
  readonly last_failed_at: Date;
  readonly recorded_at: Date;
  readonly settled_at: Date | null;
  readonly note: string | null;
  readonly exchange: string;
  readonly routing_key: string;
  readonly message_id: string | null;
  readonly body: Buffer | null;
}

/** Which open entries are meant: all of them, or those with one of the ids, or of the reason, or of the reason and the code. */
export interface Selection {
  readonly ids?: readonly string[];
  readonly reason?: string;
  /** null: those without a code. */
  readonly errorCode?: string | null;
}

/** What one batch did. */
export interface ReplayedBatch {
  /** The last entry of the batch, where the next begins; null when there was none. */
  readonly last: string | null;
  /** Events that are PENDING again. */
  readonly events: string[];
  /** Entries whose body the sweeper publishes. */
  readonly messages: number;
}

const FIND: Statement = {
  name: 'dead_letter_inbox_find',
  text: `SELECT dead_letter_id, state, reason, error_code, conversation_id, settles_event, event.status AS event_status,
                attempts, first_failed_at, last_failed_at, recorded_at, settled_at, note, exchange, routing_key, message_id, body
           FROM dead_letters LEFT JOIN conversation_events AS event USING (conversation_id) WHERE dead_letter_id = $1`,
};

const UNKNOWN_IDS: Statement = {
  name: 'dead_letter_inbox_unknown_ids',
  text: `SELECT id FROM unnest($1::bigint[]) AS id WHERE NOT EXISTS (SELECT FROM dead_letters WHERE dead_letter_id = id)`,
};

const SELECTED = `state = 'OPEN' AND ($1::bigint[] IS NULL OR dead_letter_id = ANY ($1)) AND ($2::text IS NULL OR reason = $2)
       AND (NOT $3 OR error_code IS NOT DISTINCT FROM $4)`;

/** The parameters of {@link SELECTED}. */
const parametersOf = ({ ids, reason, errorCode }: Selection) => [ids, reason, errorCode !== undefined, errorCode];

const COUNT: Statement = {
  name: 'dead_letter_inbox_count',
  text: `SELECT count(*)::int AS entries, max(dead_letter_id) AS last FROM dead_letters
          WHERE ${SELECTED} AND ($5::bigint IS NULL OR dead_letter_id <= $5)`,
};

/** The next entries, locked; what another run holds is its business. */
const CHOSEN = `
  chosen AS MATERIALIZED (
    SELECT dead_letter_id, conversation_id, settles_event, body IS NOT NULL AS has_body FROM dead_letters
     WHERE ${SELECTED} AND dead_letter_id > $5 AND dead_letter_id <= $6
     ORDER BY dead_letter_id LIMIT $7 FOR UPDATE SKIP LOCKED)`;

/**
 * An entry that settles an event gives it back: the event is PENDING, as if it had just been stored, and the sweeper queues it.
 * Any other is REPLAYING until the sweeper has published its body. Of two runs one finds the entry open.
 * Locks: entries first, then all their events, before any entry is changed. The recorder locks one event and then looks at
 * entries; it finds them unchanged while this waits for its event, so the two cannot wait for each other.
 */
const REPLAY: Statement = {
  name: 'dead_letter_inbox_replay',
  text: `WITH ${CHOSEN}, reopened AS MATERIALIZED (
           SELECT conversation_id FROM reopen_failed_events(
             ARRAY(SELECT conversation_id::text FROM chosen WHERE settles_event AND conversation_id IS NOT NULL)) AS conversation_id
         ), decided AS (
           SELECT dead_letter_id, has_body, reopened.conversation_id AS event
             FROM chosen LEFT JOIN reopened ON chosen.settles_event AND reopened.conversation_id = chosen.conversation_id
         ), replayed AS (
           UPDATE dead_letters AS letter
              SET state = CASE WHEN event IS NULL THEN 'REPLAYING' ELSE 'REPLAYED' END, settled_at = now(),
                  publish_due_at = CASE WHEN event IS NULL THEN '-infinity'::timestamptz END
             FROM decided WHERE letter.dead_letter_id = decided.dead_letter_id AND (event IS NOT NULL OR has_body)
        RETURNING event
         )
         SELECT (SELECT max(dead_letter_id) FROM chosen) AS last,
                coalesce(array_agg(event::text) FILTER (WHERE event IS NOT NULL), '{}') AS events,
                count(*) FILTER (WHERE event IS NULL)::int AS messages
           FROM replayed`,
};

const DISCARD: Statement = {
  name: 'dead_letter_inbox_discard',
  text: `WITH ${CHOSEN}, discarded AS (
           UPDATE dead_letters AS letter SET state = 'DISCARDED', settled_at = now(), note = $8
             FROM chosen WHERE letter.dead_letter_id = chosen.dead_letter_id
        RETURNING letter.dead_letter_id
         )
         SELECT max(dead_letter_id) AS last, count(*)::int AS entries FROM discarded`,
};

/** How an operator looks at dead letters one by one and settles many. Each batch is one transaction. */
@Injectable()
export class DeadLetterInboxRepository {
  constructor(private readonly queryRunners: QueryRunners) {}

  /** The only read of a body. */
  async find(id: string): Promise<DeadLetterEntry | undefined> {
    const { rows } = await this.queryRunners.use((runner) => execute<DeadLetterEntry>(runner, FIND, [id]));
    return rows[0];
  }

  /** @returns those that are no entry at all */
  async unknownIds(ids: readonly string[]): Promise<string[]> {
    const { rows } = await this.queryRunners.use((runner) => execute<{ id: string }>(runner, UNKNOWN_IDS, [ids]));
    return rows.map(({ id }) => id);
  }

  /** Open entries of the selection, and the newest of them. @param upTo leaves newer ones out */
  async count(selection: Selection, upTo?: string): Promise<{ entries: number; last: string | null }> {
    const { rows } = await this.queryRunners.use((runner) =>
      execute<{ entries: number; last: string | null }>(runner, COUNT, [...parametersOf(selection), upTo]),
    );
    return rows[0];
  }

  async replay(
    runner: QueryRunner,
    selection: Selection,
    after: string,
    upTo: string,
    limit: number,
  ): Promise<ReplayedBatch> {
    const values = [...parametersOf(selection), after, upTo, limit];
    const { rows } = await execute<ReplayedBatch & { last: string | null }>(runner, REPLAY, values);
    return rows[0];
  }

  /** Their events stay FAILED, and are settled by it. */
  async discard(
    selection: Selection,
    after: string,
    upTo: string,
    limit: number,
    note: string | undefined,
  ): Promise<{ last: string | null; entries: number }> {
    const values = [...parametersOf(selection), after, upTo, limit, note];
    const { rows } = await this.queryRunners.use((runner) =>
      execute<{ last: string | null; entries: number }>(runner, DISCARD, values),
    );
    return rows[0];
  }
}
