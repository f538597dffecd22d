import { Injectable } from '@nestjs/common';
import { QueryRunners } from '../database/query-runners';
import { execute, type Statement } from '../database/statement';

/** What the database alone knows, for all replicas. */
export interface Backlog {
  /** Age of the oldest conversation that is not settled, seconds; 0 if there is none. */
  readonly oldest_seconds: number;
  /** The last whole audit: its differences, and when it ended in Unix seconds. Null before the first. */
  readonly differences: number | null;
  readonly audited_at: number | null;
}

/**
 * What is not settled was accepted after the sweeper's position, or has a mark: so two indexes have it, and the first of them is read
 * over the sweeper's grace time, half a minute of conversations, at most. `$1`: whether there is a second lane, with a position of its own.
 */
const BACKLOG: Statement = {
  name: 'backlog',
  text: `SELECT coalesce(extract(epoch FROM clock_timestamp() - least(
                  (SELECT accepted_at FROM conversation_events
                    WHERE accepted_at > (SELECT min(reached) FROM positions
                                          WHERE name = 'swept' OR $1 AND name = 'swept analysis') AND status = 'PENDING'
                    ORDER BY accepted_at, conversation_id LIMIT 1),
                  (SELECT min(accepted_at) FROM (SELECT accepted_at FROM conversation_events
                    WHERE publish_due_at IS NOT NULL AND status = 'PENDING'
                    ORDER BY publish_due_at LIMIT 10000) AS marked))), 0)::float8 AS oldest_seconds,
                audits.differences::float8 AS differences, extract(epoch FROM audits.ended_at)::float8 AS audited_at
           FROM (SELECT) AS always
                LEFT JOIN (SELECT differences, ended_at FROM audits ORDER BY audit_id DESC LIMIT 1) AS audits ON true`,
};

/** Reads the state of the whole, which is the same whichever process asks. */
@Injectable()
export class BacklogRepository {
  constructor(private readonly queryRunners: QueryRunners) {}

  /** @param lanes how many there are */
  async read(lanes: number): Promise<Backlog> {
    const { rows } = await this.queryRunners.use((runner) =>
      execute<Backlog & Record<string, unknown>>(runner, BACKLOG, [lanes > 1]),
    );
    return rows[0];
  }
}
