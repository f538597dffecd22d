import { Injectable } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';
import { QueryRunners } from '../database/query-runners';
import { execute, type Statement } from '../database/statement';

const STARTS: Statement = {
  name: 'suspect_messages_starts',
  text: 'SELECT starts FROM suspect_messages WHERE message_key = $1',
};

const START: Statement = {
  name: 'suspect_messages_start',
  text: `INSERT INTO suspect_messages (message_key, starts, last_started_at) VALUES ($1, 1, now())
         ON CONFLICT (message_key) DO UPDATE SET starts = suspect_messages.starts + 1, last_started_at = now()`,
};

const CLEAR: Statement = {
  name: 'suspect_messages_clear',
  text: 'DELETE FROM suspect_messages WHERE message_key = $1',
};

const FORGET: Statement = {
  name: 'suspect_messages_forget',
  text: 'DELETE FROM suspect_messages WHERE message_key = ANY ($1)',
};

/** How often work on a redelivered message was started without ever coming to an end: our own count, whatever the broker counts. */
@Injectable()
export class SuspectsRepository {
  constructor(private readonly queryRunners: QueryRunners) {}

  async starts(messageKey: string): Promise<number> {
    const { rows } = await this.queryRunners.use((runner) => execute<{ starts: number }>(runner, STARTS, [messageKey]));
    return rows[0]?.starts ?? 0;
  }

  /** Committed before the work begins, so that it outlives the process. */
  async start(messageKey: string): Promise<void> {
    await this.queryRunners.use((runner) => execute(runner, START, [messageKey]));
  }

  /** The work came to an end, good or bad: the message kills nobody. */
  async clear(messageKey: string): Promise<void> {
    await this.queryRunners.use((runner) => execute(runner, CLEAR, [messageKey]));
  }
  /** Somebody vouches for these messages: their next start counts as the first. */
  async forget(runner: QueryRunner, messageKeys: readonly string[]): Promise<void> {
    await execute(runner, FORGET, [messageKeys]);
  }
}
