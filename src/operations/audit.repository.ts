import { Injectable } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';
import { QueryRunners } from '../database/query-runners';
import { execute, type Statement } from '../database/statement';
import { expectedStatuses } from './expected-statuses.sql';
import type { UserRange } from './user-ranges.repository';

/** The columns that are a function of the events. */
export const STATUS_COLUMNS = [
  'friendship_score',
  'last_interaction_date',
  'interaction_days',
  'topic_metrics',
] as const;
export type StatusColumn = (typeof STATUS_COLUMNS)[number];

/** A user whose status is not what the events say; every value as PostgreSQL writes it. */
export interface WrongStatus {
  readonly user_id: string;
  /** Null: no event of the user was counted, so there should be no status. */
  readonly expected: Readonly<Record<StatusColumn, string>> | null;
  readonly differing: readonly StatusColumn[];
  /** Null: there is no status. */
  readonly stored: Readonly<Record<StatusColumn, string>> | null;
}

/** What was found among some users. */
export interface AuditedUsers {
  readonly users: number;
  readonly events: number;
  readonly wrong: readonly WrongStatus[];
}

const columns = (of: string) =>
  `jsonb_build_object(${STATUS_COLUMNS.map((name) => `'${name}', ${of}.${name}::text`).join(', ')})`;

/** Compared as values: 12.0 is 12. */
const whereDiffers = (column: StatusColumn) =>
  `CASE WHEN expected.${column} IS DISTINCT FROM stored.${column} THEN '${column}' END`;

/** Only wrong statuses leave the database. Takes no lock. */
const compare = (name: string, users: string): Statement => ({
  name,
  text: `WITH ${expectedStatuses(users)}, stored AS (
           SELECT * FROM friendship_status WHERE ${users}
         ), compared AS (
           SELECT user_id, expected.events, expected IS NOT DISTINCT FROM NULL AS unexpected,
                  stored IS NOT DISTINCT FROM NULL AS missing,
                  ${columns('expected')} AS expected_columns, ${columns('stored')} AS stored_columns,
                  array_remove(ARRAY[${STATUS_COLUMNS.map(whereDiffers).join(', ')}], NULL) AS differing
             FROM expected FULL JOIN stored USING (user_id)
         )
         SELECT count(*)::int AS users, coalesce(sum(events), 0)::int AS events,
                coalesce(jsonb_agg(jsonb_build_object(
                  'user_id', user_id, 'differing', differing, 'expected', CASE WHEN NOT unexpected THEN expected_columns END,
                  'stored', CASE WHEN NOT missing THEN stored_columns END) ORDER BY user_id) FILTER (WHERE differing <> '{}'), '[]') AS wrong
           FROM compared`,
});

const COMPARE_RANGE = compare('audit_compare_range', 'user_id > $1 AND user_id <= $2');
const COMPARE_USER = compare('audit_compare_user', 'user_id = $1');

/** How many events there are, roughly: for progress, which must not cost a scan. -1 or 0: nobody knows. */
const ESTIMATE_EVENTS: Statement = {
  name: 'audit_estimate_events',
  text: `SELECT reltuples::bigint::int AS events FROM pg_class WHERE oid = 'conversation_events'::regclass`,
};

/** The verdict of a whole audit, for those who ask later: metrics and the page. */
const RECORD: Statement = {
  name: 'audit_record',
  text: 'INSERT INTO audits (users, events, differences) VALUES ($1, $2, $3)',
};

/** Compares the stored statuses with the events. */
@Injectable()
export class AuditRepository {
  constructor(private readonly queryRunners: QueryRunners) {}

  /**
   * Everything that `work` reads is of one moment: a claim and its fold commit together, so a running system shows no difference.
   * As long as it lasts, vacuum leaves alone what was deleted since.
   */
  inSnapshot<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    return this.queryRunners.use(async (runner) => {
      await runner.startTransaction('REPEATABLE READ');
      try {
        return await work(runner);
      } finally {
        await runner.rollbackTransaction().catch(() => undefined);
      }
    });
  }

  async compareRange(runner: QueryRunner, { after, upTo }: UserRange): Promise<AuditedUsers> {
    const { rows } = await execute<AuditedUsers & Record<string, unknown>>(runner, COMPARE_RANGE, [after, upTo]);
    return rows[0];
  }

  async compareUser(runner: QueryRunner, userId: string): Promise<AuditedUsers> {
    const { rows } = await execute<AuditedUsers & Record<string, unknown>>(runner, COMPARE_USER, [userId]);
    return rows[0];
  }

  async record({ users, events, differences }: { users: number; events: number; differences: number }): Promise<void> {
    await this.queryRunners.use((runner) => execute(runner, RECORD, [users, events, differences]));
  }

  async estimateEvents(runner: QueryRunner): Promise<number> {
    const { rows } = await execute<{ events: number }>(runner, ESTIMATE_EVENTS, []);
    return rows[0].events;
  }
}
