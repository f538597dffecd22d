import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * For the operators' page: what they did, and a way for the api to give failed events back without being allowed to change any
 * other. The index has open dead letters only, so nothing that goes well pays for it.
 */
export class OperatorsPage1790000001000 implements MigrationInterface {
  readonly name = OperatorsPage1790000001000.name;

  async up(runner: QueryRunner): Promise<void> {
    const [{ schema }] = (await runner.query('SELECT quote_ident(current_schema()) AS schema')) as { schema: string }[];
    await runner.query(`
      CREATE TABLE operator_actions (
        action_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz(3) NOT NULL DEFAULT now(),
        operator varchar(64) NOT NULL CHECK (operator <> ''),
        action varchar(16) NOT NULL CHECK (action IN ('login', 'failed_login', 'replay', 'discard')),
        selected_reason varchar(64),
        selected_error_code varchar(64),
        selected_ids integer CHECK (selected_ids > 0),
        note varchar(1000),
        state varchar(16) NOT NULL CHECK (state IN ('running', 'done', 'failed')),
        done integer NOT NULL DEFAULT 0 CHECK (done >= 0),
        total integer NOT NULL DEFAULT 0 CHECK (total >= 0),
        ended_at timestamptz(3),
        error_code varchar(64),
        lease_until timestamptz(3),
        CHECK ((state = 'running') = (ended_at IS NULL)),
        CHECK (state <> 'running' OR lease_until IS NOT NULL),
        CHECK ((state = 'failed') = (error_code IS NOT NULL))
      );
      CREATE INDEX dead_letters_open ON dead_letters (reason, error_code, dead_letter_id) WHERE state = 'OPEN';

      CREATE FUNCTION reopen_failed_events(ids text[]) RETURNS SETOF text
      LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = ${schema}, pg_temp
      AS $$
        UPDATE conversation_events
           SET status = 'PENDING', attempt_count = 0, publish_due_at = '-infinity', publish_count = 0
         WHERE conversation_id = ANY (ids) AND status = 'FAILED'
     RETURNING conversation_id::text
      $$;
      REVOKE ALL ON FUNCTION reopen_failed_events(text[]) FROM PUBLIC;
      COMMENT ON FUNCTION reopen_failed_events(text[]) IS
        'Failed events are PENDING again, as if they had just been stored. With the rights of its owner, so that who replays need not be able to change a status otherwise';
    `);
    for (const [column, comment] of Object.entries(COMMENTS)) {
      await runner.query(`COMMENT ON COLUMN operator_actions.${column} IS '${comment.replaceAll("'", "''")}'`);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'DROP FUNCTION reopen_failed_events(text[]); DROP INDEX dead_letters_open; DROP TABLE operator_actions',
    );
  }
}

const COMMENTS: Record<string, string> = {
  operator: 'The name that the operator gave at login',
  selected_reason: 'Only dead letters with this reason',
  selected_error_code: 'Of that reason, only those with this code; null: those without one',
  selected_ids: 'How many dead letters were named one by one; null: they were chosen by reason and code',
  note: 'Why they were discarded, as the operator put it',
  state: 'running counts as failed once lease_until has passed',
  done: 'Dead letters settled so far',
  total: 'Dead letters that were open when it began',
  error_code: 'Why it failed',
  lease_until: 'The process that works on it moves this on; whoever dies does not',
};
