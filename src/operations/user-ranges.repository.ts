import { Injectable } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';
import { execute, type Statement } from '../database/statement';

/** Users after `after`, up to and including `upTo`, in the order of their bytes. */
export interface UserRange {
  readonly after: string;
  readonly upTo: string;
}

/** Before every id, and after every id. */
const FIRST = '';
const LAST = '\u{10FFFF}';

/** The user with whom a step is large enough, by events or by statuses. Two reads of an index, whatever the table's size. */
const NEXT_BOUNDARY: Statement = {
  name: 'user_ranges_next_boundary',
  text: `SELECT least(
           (SELECT user_id FROM conversation_events WHERE user_id > $1 ORDER BY user_id OFFSET $2 LIMIT 1),
           (SELECT user_id FROM friendship_status WHERE user_id > $1 ORDER BY user_id OFFSET $2 LIMIT 1)) AS up_to`,
};

/** Cuts the users into ranges of about as many events each: a user is never cut, so one with more of them is a range alone. */
@Injectable()
export class UserRangesRepository {
  /** @returns undefined after the last range */
  async next(runner: QueryRunner, before: UserRange | undefined, events: number): Promise<UserRange | undefined> {
    if (before?.upTo === LAST) return undefined;
    const after = before?.upTo ?? FIRST;
    const { rows } = await execute<{ up_to: string | null }>(runner, NEXT_BOUNDARY, [after, events - 1]);
    return { after, upTo: rows[0].up_to ?? LAST };
  }
}
