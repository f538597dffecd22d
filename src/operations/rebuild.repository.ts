import { Injectable } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';
import { QueryRunners } from '../database/query-runners';
import { execute, type Statement } from '../database/statement';
import { expectedStatuses } from './expected-statuses.sql';
import type { UserRange } from './user-ranges.repository';

/** What a rebuild did to one user's status. */
export interface RebuiltStatus {
  readonly user_id: string;
  readonly result: 'corrected' | 'created' | 'removed';
}

export interface RebuiltUsers {
  /** Those that have a counted event or a status. */
  readonly users: number;
  readonly events: number;
  readonly rebuilt: readonly RebuiltStatus[];
}

/** Who has a counted event or a status. Whoever gets the first one later needs no rebuild: the fold begins with nothing. */
const USERS: Statement = {
  name: 'rebuild_users',
  text: `SELECT user_id FROM conversation_events WHERE user_id > $1 AND user_id <= $2 AND status = 'PROCESSED'
         UNION
         SELECT user_id FROM friendship_status WHERE user_id > $1 AND user_id <= $2`,
};

/**
 * Locks the status of each user, in the order in which the fold takes such locks; where there is none, it inserts one that is
 * empty. In one statement, so that no status can vanish between the look and the lock: a row that the WHERE leaves alone is locked
 * nevertheless. (`ON CONFLICT DO NOTHING` would lock nothing.)
 */
const LOCK: Statement = {
  name: 'rebuild_lock',
  text: `INSERT INTO friendship_status (user_id, friendship_score, last_interaction_date, interaction_days, topic_metrics, updated_at)
         SELECT user_id, 0, '-infinity', '{}', '{}', '-infinity'
           FROM unnest($1::text[]) AS user_id ORDER BY user_id COLLATE "C"
         ON CONFLICT (user_id) DO UPDATE SET updated_at = excluded.updated_at WHERE false`,
};

/** Makes the locked statuses what the events say. What is right already is not written; what has no event is removed. */
const RESTORE: Statement = {
  name: 'rebuild_restore',
  text: `WITH ${expectedStatuses('user_id = ANY ($1)')}, before AS (
           SELECT user_id, updated_at = '-infinity' AS inserted FROM friendship_status WHERE user_id = ANY ($1)
         ), written AS (
           UPDATE friendship_status AS status SET
                  friendship_score = expected.friendship_score, last_interaction_date = expected.last_interaction_date,
                  interaction_days = expected.interaction_days, topic_metrics = expected.topic_metrics,
                  updated_at = clock_timestamp()
             FROM expected JOIN before USING (user_id)
            WHERE status.user_id = expected.user_id
              AND (status.friendship_score, status.last_interaction_date, status.interaction_days, status.topic_metrics)
                  IS DISTINCT FROM (expected.friendship_score, expected.last_interaction_date, expected.interaction_days,
                                    expected.topic_metrics)
        RETURNING status.user_id, CASE WHEN inserted THEN 'created' ELSE 'corrected' END AS result
         ), removed AS (
           DELETE FROM friendship_status AS status USING before
            WHERE status.user_id = before.user_id AND NOT EXISTS (SELECT FROM expected WHERE expected.user_id = before.user_id)
        RETURNING status.user_id, inserted
         ), rebuilt AS (
           SELECT user_id, result FROM written UNION ALL SELECT user_id, 'removed' FROM removed WHERE NOT inserted
         )
         SELECT (SELECT count(*) FROM before WHERE NOT inserted OR user_id IN (SELECT user_id FROM expected))::int AS users,
                (SELECT coalesce(sum(events), 0) FROM counted)::int AS events,
                coalesce((SELECT jsonb_agg(rebuilt ORDER BY user_id) FROM rebuilt), '[]') AS rebuilt`,
};

/**
 * Restores statuses from the events while workers go on. Why no update can be lost, and none counted twice:
 *
 * Let R be a rebuild of user u, and T a transaction that counts an event e of u: T makes e PROCESSED and adds it to the status of
 * u, for which it must hold the lock of that row (or the unique index entry, when it inserts the row) until it commits.
 * R takes the same lock in its first statement and holds it until it commits. So one of two holds:
 *
 * 1. T had the lock first. R gets it when T has committed; PostgreSQL makes a commit visible before it releases the locks.
 *    R reads the events in a later statement, and under READ COMMITTED each statement sees what was committed before it began:
 *    R sees e, and what R writes contains it. It replaces what T wrote, so e counts once.
 * 2. R had the lock first. T waits for it, so T commits after R. R cannot see e, and what R writes does not contain it. When T gets
 *    the lock, ON CONFLICT DO UPDATE works on the newest version of the row, which is R's: it adds e to that. Where R removed
 *    the row, or was rolled back after inserting it, T finds none and inserts it. So e counts once.
 *
 * One statement that locks and reads would be wrong: it would wait for the lock in case 1 with a snapshot from before T's commit,
 * and so miss e. So would REPEATABLE READ, whose snapshot is older than the lock, too. Both take these locks in the order of
 * `user_id`, and R waits for nothing while it holds them, so there is no deadlock.
 */
@Injectable()
export class RebuildRepository {
  constructor(private readonly queryRunners: QueryRunners) {}

  async users(runner: QueryRunner, { after, upTo }: UserRange): Promise<string[]> {
    const { rows } = await execute<{ user_id: string }>(runner, USERS, [after, upTo]);
    return rows.map(({ user_id }) => user_id);
  }

  /** One transaction, under READ COMMITTED whatever the database's default is: lock, then read and write. */
  rebuild(userIds: readonly string[]): Promise<RebuiltUsers> {
    return this.queryRunners.use(async (runner) => {
      await runner.startTransaction('READ COMMITTED');
      try {
        await execute(runner, LOCK, [userIds]);
        const { rows } = await execute<RebuiltUsers & Record<string, unknown>>(runner, RESTORE, [userIds]);
        await runner.commitTransaction();
        return rows[0];
      } catch (error) {
        await runner.rollbackTransaction().catch(() => undefined);
        throw error;
      }
    });
  }
}
