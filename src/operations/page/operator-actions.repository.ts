import { Injectable } from '@nestjs/common';
import { QueryRunners } from '../../database/query-runners';
import { execute, type Statement } from '../../database/statement';

/** What operators do. */
export type ActionName = 'login' | 'failed_login' | 'replay' | 'discard';

export interface NewAction {
  readonly operator: string;
  readonly action: ActionName;
  readonly reason?: string;
  readonly error_code?: string | null;
  /** How many dead letters were named one by one. */
  readonly ids?: number;
  readonly note?: string;
  readonly total: number;
}

/** An action as it is recorded. Times are the database's. */
export interface RecordedAction {
  readonly action_id: string;
  readonly at: Date;
  readonly operator: string;
  readonly action: ActionName;
  readonly selected_reason: string | null;
  readonly selected_error_code: string | null;
  readonly selected_ids: number | null;
  readonly state: 'running' | 'done' | 'failed';
  readonly done: number;
  readonly total: number;
  readonly ended_at: Date | null;
  readonly error_code: string | null;
}

/** How long an action is believed to run without a word of the process that works on it, seconds. */
const LEASE = 30;

const COLUMNS = '(operator, action, selected_reason, selected_error_code, selected_ids, note, total,';

/** `$8` is done already, as a login is, or begins to run. */
const ADD: Statement = {
  name: 'operator_actions_add',
  text: `INSERT INTO operator_actions ${COLUMNS} state, ended_at, lease_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7,
                 CASE WHEN $8 THEN 'done' ELSE 'running' END, CASE WHEN $8 THEN now() END,
                 CASE WHEN NOT $8 THEN now() + make_interval(secs => ${LEASE}) END)
      RETURNING action_id`,
};

const ADVANCE: Statement = {
  name: 'operator_actions_advance',
  text: `UPDATE operator_actions SET done = $2, lease_until = now() + make_interval(secs => ${LEASE})
          WHERE action_id = $1 AND state = 'running'`,
};

const END: Statement = {
  name: 'operator_actions_end',
  text: `UPDATE operator_actions
            SET done = $2, error_code = $3::text, ended_at = now(), lease_until = NULL,
                state = CASE WHEN $3::text IS NULL THEN 'done' ELSE 'failed' END
          WHERE action_id = $1 AND state = 'running'`,
};

/** Whoever died while it worked has no more to say: what it left running is told as failed from the end of its lease on. */
const LIST: Statement = {
  name: 'operator_actions_list',
  text: `SELECT action_id, at, operator, action, selected_reason, selected_error_code, selected_ids, done, total,
                CASE WHEN state = 'running' AND lease_until < now() THEN 'failed' ELSE state END AS state,
                CASE WHEN state = 'running' AND lease_until < now() THEN lease_until ELSE ended_at END AS ended_at,
                CASE WHEN state = 'running' AND lease_until < now() THEN 'PROCESS_GONE' ELSE error_code END AS error_code
           FROM operator_actions WHERE NOT $2 OR action IN ('replay', 'discard') ORDER BY action_id DESC LIMIT $1`,
};

/** SQL on `operator_actions`. Nothing is ever deleted from it. */
@Injectable()
export class OperatorActionsRepository {
  constructor(private readonly queryRunners: QueryRunners) {}

  /** @param isDone false: it begins to run @returns its id */
  async add(action: NewAction, isDone: boolean): Promise<string> {
    const { operator, action: name, reason, error_code, ids, note, total } = action;
    const values = [operator, name, reason, error_code, ids, note, total, isDone];
    const { rows } = await this.queryRunners.use((runner) => execute<{ action_id: string }>(runner, ADD, values));
    return rows[0].action_id;
  }

  /** It runs on: others may believe it for another while. */
  async advance(actionId: string, done: number): Promise<void> {
    await this.queryRunners.use((runner) => execute(runner, ADVANCE, [actionId, done]));
  }

  /** @param errorCode why it failed; undefined: it did not */
  async end(actionId: string, done: number, errorCode?: string): Promise<void> {
    await this.queryRunners.use((runner) => execute(runner, END, [actionId, done, errorCode]));
  }

  /** Newest first. @param onlyWork leaves logins out */
  async list(limit: number, onlyWork: boolean): Promise<RecordedAction[]> {
    const { rows } = await this.queryRunners.use((runner) =>
      execute<RecordedAction & Record<string, unknown>>(runner, LIST, [limit, onlyWork]),
    );
    return rows;
  }
}
