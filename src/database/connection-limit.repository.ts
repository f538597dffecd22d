import { Injectable } from '@nestjs/common';
import { execute, type Statement } from './statement';
import { QueryRunners } from './query-runners';

/** -1 stands for no limit of this role or database; reserved_connections came with PostgreSQL 16. */
const CONNECTION_LIMIT: Statement = {
  name: 'connection_limit',
  text: `SELECT least(
                  current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                    - coalesce(current_setting('reserved_connections', true)::int, 0),
                  (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()),
                  (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user)) AS connections`,
};

/** What the server says of itself. */
@Injectable()
export class ConnectionLimitRepository {
  constructor(private readonly queryRunners: QueryRunners) {}

  /** Connections that the server leaves to this role in this database, all processes together. */
  async connectionLimit(): Promise<number> {
    const { rows } = await this.queryRunners.use((runner) =>
      execute<{ connections: number }>(runner, CONNECTION_LIMIT, []),
    );
    return rows[0].connections;
  }
}
