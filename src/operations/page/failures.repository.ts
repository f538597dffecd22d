import { Injectable } from '@nestjs/common';
import { QueryRunners } from '../../database/query-runners';
import { execute, type Statement } from '../../database/statement';

/** Open dead letters with the same cause. */
export interface FailureGroup {
  readonly reason: string;
  readonly error_code: string | null;
  readonly count: number;
  readonly first_at: Date;
  readonly last_at: Date;
  /** Those of which there is something to queue: an event that failed, or a body that was not purged. */
  readonly replayable: number;
  readonly example_conversation_ids: string[];
}

/** One dead letter, without its body. */
export interface Letter {
  readonly dead_letter_id: string;
  readonly conversation_id: string | null;
  readonly reason: string;
  readonly error_code: string | null;
  readonly attempts: number;
  readonly first_failed_at: Date | null;
  readonly last_failed_at: Date;
  readonly recorded_at: Date;
  readonly settled_at: Date | null;
  readonly state: string;
  readonly note: string | null;
}

const MOST_GROUPS = 200;

const GROUPS: Statement = {
  name: 'failures_groups',
  text: `SELECT reason, error_code, count(*)::int AS count, min(recorded_at) AS first_at, max(recorded_at) AS last_at,
                count(*) FILTER (WHERE settles_event OR body IS NOT NULL)::int AS replayable,
                coalesce((array_agg(conversation_id::text ORDER BY dead_letter_id DESC)
                           FILTER (WHERE conversation_id IS NOT NULL))[1:3], '{}') AS example_conversation_ids
           FROM dead_letters WHERE state = 'OPEN' GROUP BY reason, error_code
          ORDER BY count(*) DESC, reason, error_code LIMIT ${MOST_GROUPS}`,
};

const LETTER = `dead_letter_id, conversation_id, reason, error_code, attempts, first_failed_at, last_failed_at, recorded_at,
                settled_at, state, note`;

/** Newest first, from the index of open ones. */
const LETTERS: Statement = {
  name: 'failures_letters',
  text: `SELECT ${LETTER} FROM dead_letters
          WHERE state = 'OPEN' AND reason = $1 AND error_code IS NOT DISTINCT FROM $2 AND dead_letter_id < $3
          ORDER BY dead_letter_id DESC LIMIT $4`,
};

/** Has no index of its own: an operator asks, now and then, and the dead letters are few beside the events. */
const OF_CONVERSATION: Statement = {
  name: 'failures_of_conversation',
  text: `SELECT ${LETTER} FROM dead_letters WHERE conversation_id = $1 ORDER BY dead_letter_id LIMIT 100`,
};

/** Reads dead letters for the page, never a body. */
@Injectable()
export class FailuresRepository {
  constructor(private readonly queryRunners: QueryRunners) {}

  /** The largest first. */
  async groups(): Promise<FailureGroup[]> {
    const { rows } = await this.queryRunners.use((runner) =>
      execute<FailureGroup & Record<string, unknown>>(runner, GROUPS, []),
    );
    return rows;
  }

  /** Open ones, newest first. @param before only older ones than this number */
  async letters(reason: string, errorCode: string | null, before: string, limit: number): Promise<Letter[]> {
    const { rows } = await this.queryRunners.use((runner) =>
      execute<Letter & Record<string, unknown>>(runner, LETTERS, [reason, errorCode, before, limit]),
    );
    return rows;
  }

  /** In whatever state, oldest first. */
  async ofConversation(conversationId: string): Promise<Letter[]> {
    const { rows } = await this.queryRunners.use((runner) =>
      execute<Letter & Record<string, unknown>>(runner, OF_CONVERSATION, [conversationId]),
    );
    return rows;
  }
}
