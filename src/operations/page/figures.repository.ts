import { Injectable } from '@nestjs/common';
import { QueryRunners } from '../../database/query-runners';
import { execute, type Statement } from '../../database/statement';

/** What the database alone knows and what takes it a moment to count. */
export interface StoredFigures {
  readonly open_dead_letters: number;
  /** Events whose dead letter is open or was discarded: FAILED, and settled as such. */
  readonly failed_events: number;
  /** Connections of everybody to the whole server, and of this service to this database. */
  readonly connections: number;
  readonly used_by_us: number;
  /** The last whole audit; null before the first. */
  readonly audited_at: Date | null;
  readonly audited_users: number | null;
  readonly audited_events: number | null;
  readonly audit_differences: number | null;
}

/** The first two are counted in partial indexes. Of others' connections a plain role sees little, but their name and database. */
const FIGURES: Statement = {
  name: 'operators_page_figures',
  text: `SELECT (SELECT count(*) FROM dead_letters WHERE state = 'OPEN')::int AS open_dead_letters,
                (SELECT count(*) FROM dead_letters WHERE settles_event AND state IN ('OPEN', 'DISCARDED'))::int AS failed_events,
                activity.*, audits.ended_at AS audited_at, audits.users::float8 AS audited_users,
                audits.events::float8 AS audited_events, audits.differences::float8 AS audit_differences
           FROM (SELECT count(*) FILTER (WHERE datid IS NOT NULL)::int AS connections,
                        count(*) FILTER (WHERE datname = current_database()
                                           AND application_name LIKE 'friendship-service %')::int AS used_by_us
                   FROM pg_stat_activity) AS activity
                LEFT JOIN (SELECT * FROM audits ORDER BY audit_id DESC LIMIT 1) AS audits ON true`,
};

/** Reads for the top of the page what is the same whichever process asks. */
@Injectable()
export class FiguresRepository {
  constructor(private readonly queryRunners: QueryRunners) {}

  async read(): Promise<StoredFigures> {
    const { rows } = await this.queryRunners.use((runner) =>
      execute<StoredFigures & Record<string, unknown>>(runner, FIGURES, []),
    );
    return rows[0];
  }
}
