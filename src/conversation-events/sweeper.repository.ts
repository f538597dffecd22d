import { Inject, Injectable } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { QueryRunners } from '../database/query-runners';
import { execute, type Statement } from '../database/statement';
import type { LaneName } from '../messaging/topology';
import type { Need } from './lanes';

/** How far the queue is known to have come: nowhere known, up to a time, or up to now because it is empty. */
export type Passage = 'unknown' | 'empty' | Date;

/** An event to publish again; `enqueued_at` is the database's time. */
export interface DueEvent extends Need {
  /** As much of the log as tells that the child spoke; null if it did not. */
  readonly child_line: string | null;
  readonly conversation_id: string;
  readonly user_id: string;
  readonly bot_id: string;
  readonly enqueued_at: Date;
}

/** Rows looked at in one step, so that a step is short whatever has piled up. */
const ROWS_PER_STEP = 10_000;

/** The wait before the same event is published a second, third, … time: doubles from the first to the last, seconds. */
const BACKOFF = { first: 60, last: 3_600 };

/**
 * The time up to which the queue has passed, less the grace time: `$1` is a time, '-infinity', or null for an empty queue.
 * `$2` is the grace time in seconds.
 */
const PASSED = `(coalesce($1::timestamptz, now()) - make_interval(secs => $2))`;

/**
 * The time up to which every event is stored for all to see: nothing that began before it is still on its way in, whatever time-outs
 * other processes have. No insert runs for longer than DATABASE_STATEMENT_TIMEOUT may be, so older transactions are others' business.
 * When a session's begin may not be seen (another role's, without pg_read_all_stats), it is taken to be that old.
 */
const STORED = `coalesce((SELECT min(CASE WHEN hidden THEN now() - interval '11 minutes' ELSE xact_start END)
                           FROM (SELECT xact_start, NOT (pg_has_role(usesysid, 'USAGE')
                                                         OR pg_has_role('pg_read_all_stats', 'USAGE')) AS hidden
                                   FROM pg_stat_activity
                                  WHERE datname = current_database() AND pid <> pg_backend_pid()) AS others
                          WHERE hidden OR xact_start > now() - interval '11 minutes'), 'infinity')`;

/**
 * Whether an event lacks something that an external service is asked for: `$3` whether one is for questions and mood, `$4` whether
 * one is for memories. More events than need the second lane, since this looks neither at the bot type nor at the lines.
 */
const LACKS = `(($3 AND (user_initiated_questions IS NULL OR session_emotion IS NULL)) OR ($4 AND new_memories_count IS NULL))`;

/** `$5`: the events of this lane are those that lack something, or those that do not. */
const OF_LANE = `${LACKS} = $5`;

/**
 * Marks the events that the queue has passed and that nobody settled, in the order of their acceptance, and remembers how far
 * it came. One replica at a time does it: the others find the position locked and leave.
 */
const MARK_PASSED: Statement = {
  name: 'sweeper_mark_passed',
  text: `WITH position AS MATERIALIZED (
           SELECT reached FROM positions WHERE name = $6 FOR UPDATE SKIP LOCKED
         ), step AS MATERIALIZED (
           SELECT max(accepted_at) AS until, count(*) AS rows
             FROM (SELECT accepted_at FROM conversation_events
                    WHERE accepted_at > (SELECT reached FROM position) AND accepted_at <= least(${PASSED}, ${STORED})
                    ORDER BY accepted_at LIMIT ${ROWS_PER_STEP}) AS next
         ), marked AS (
           UPDATE conversation_events SET publish_due_at = '-infinity'
            WHERE accepted_at > (SELECT reached FROM position) AND accepted_at <= (SELECT until FROM step)
              AND status = 'PENDING' AND publish_due_at IS NULL AND ${OF_LANE}
        RETURNING 1
         ), moved AS (
           UPDATE positions SET reached = (SELECT until FROM step)
            WHERE name = $6 AND (SELECT until FROM step) IS NOT NULL
         )
         SELECT (SELECT count(*) FROM marked)::int AS marked, coalesce((SELECT rows FROM step), 0)::int AS rows`,
};

/**
 * Takes events that are due, oldest first, and moves their due time on, so that no other replica takes them and so that they are
 * looked at again if this one dies now. Due is what was never queued, and what the queue has passed since; among that, what is FAILED
 * and got no dead letter: its message is dead-lettered once more.
 */
const TAKE_DUE: Statement = {
  name: 'sweeper_take_due',
  text: `UPDATE conversation_events AS event SET
                publish_due_at = now() + make_interval(secs => least(${BACKOFF.first} * 2 ^ least(publish_count, 20), ${BACKOFF.last})),
                publish_count = publish_count + 1
          WHERE conversation_id IN (
                  SELECT conversation_id FROM conversation_events
                   WHERE publish_due_at <= ${PASSED} AND status IN ('PENDING', 'FAILED') AND ${OF_LANE}
                   ORDER BY publish_due_at, conversation_id LIMIT $6 FOR UPDATE SKIP LOCKED)
      RETURNING conversation_id, user_id, bot_id, now() AS enqueued_at, bot_type, user_initiated_questions, session_emotion,
                new_memories_count, analysis, substring(conversation_log::text from '"speaker":"user"') AS child_line`,
};

/**
 * These could not be published after all. A try in vain counts for nothing: else an hour's wait would follow a minute in which the
 * broker rejected everything, for those that cannot be put back because the database is away as well.
 */
const PUT_BACK: Statement = {
  name: 'sweeper_put_back',
  text: `UPDATE conversation_events SET publish_due_at = '-infinity', publish_count = greatest(publish_count - 1, 0)
          WHERE conversation_id = ANY ($1) AND status IN ('PENDING', 'FAILED')`,
};

/** The sweeper's SQL. */
@Injectable()
export class SweeperRepository {
  /** For clocks that differ, and for messages that overtake each other. Seconds. */
  private readonly graceSeconds: number;

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    private readonly queryRunners: QueryRunners,
  ) {
    this.graceSeconds = (2 * environment.DATABASE_STATEMENT_TIMEOUT) / 1000;
  }

  /** @returns how many events were marked, and whether there may be more to look at */
  async markPassed(lane: LaneName, passage: Passage): Promise<{ marked: number; more: boolean }> {
    const { rows } = await this.queryRunners.use((runner) =>
      execute<{ marked: number; rows: number }>(runner, MARK_PASSED, [
        ...this.parameters(lane, passage),
        lane === 'analysis' ? 'swept analysis' : 'swept',
      ]),
    );
    return { marked: rows[0].marked, more: rows[0].rows === ROWS_PER_STEP };
  }

  async takeDue(lane: LaneName, passage: Passage, limit: number): Promise<DueEvent[]> {
    const { rows } = await this.queryRunners.use((runner) =>
      execute<DueEvent>(runner, TAKE_DUE, [...this.parameters(lane, passage), limit]),
    );
    return rows;
  }

  private parameters(lane: LaneName, passage: Passage): unknown[] {
    const { ANALYSIS_LLM_URL, MEMORY_API_URL } = this.environment;
    return [
      toParameter(passage),
      this.graceSeconds,
      ANALYSIS_LLM_URL !== undefined,
      MEMORY_API_URL !== undefined,
      lane === 'analysis',
    ];
  }

  async putBack(conversationIds: readonly string[]): Promise<void> {
    await this.queryRunners.use((runner) => execute(runner, PUT_BACK, [conversationIds]));
  }
}

function toParameter(passage: Passage): Date | string | null {
  if (passage === 'unknown') return '-infinity';
  return passage === 'empty' ? null : passage;
}
