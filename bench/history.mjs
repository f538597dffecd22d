// @ts-check
/** What years leave behind: events that were counted long ago, and the statuses that they add up to. */
import { EVENT_COLUMNS, EXPECTED_CHANGE, EXPECTED_TURNS, LOGS, TIME_ZONE } from './workload.cjs';

/** Numbers from here on belong to the history; those of the runs stay far below. */
const FIRST = 50_000_001;

/** In one statement; more of them would only hold more memory. */
const STEP = 100_000;

const CHANGE = EXPECTED_CHANGE;

const PROCESSED_COLUMNS = {
  ...EVENT_COLUMNS,
  status: `'PROCESSED'`,
  attempt_count: '1',
  processed_at: 'now()',
  friendship_score_change: CHANGE,
  score_breakdown: `jsonb_build_object('rule_version', 'friendship-1', 'total_turns', ${EXPECTED_TURNS}, 'friendship_score_change', ${CHANGE})`,
  rule_version: `'friendship-1'`,
  topic_id: `(SELECT topic_id FROM topic_agents WHERE topic_agents.agent_tag = ${EVENT_COLUMNS.agent_tag})`,
  business_day: `((${EVENT_COLUMNS.end_time}) AT TIME ZONE '${TIME_ZONE}')::date`,
};

/**
 * @param {import('./arena.mjs').Arena} arena
 * @param {{ events: number, children: number, fold: (counted: string) => string, signal: AbortSignal }} options fold: the service's own
 */
export async function loadHistory({ database }, { events, children, fold, signal }) {
  for (let done = 0; done < events; done += STEP) {
    signal.throwIfAborted();
    await database.query(
      `WITH event AS (
         INSERT INTO conversation_events (${Object.keys(PROCESSED_COLUMNS).join(', ')})
         SELECT ${Object.values(PROCESSED_COLUMNS).join(', ')}
           FROM generate_series($1::bigint, $3::bigint) AS i JOIN bench.logs ON logs.variant = i % ${LOGS.length}
         RETURNING user_id, bot_id, end_time, business_day, topic_id, friendship_score_change AS change, (score_breakdown ->> 'total_turns')::bigint AS turns)
       ${fold('event')}`,
      [FIRST + done, children, FIRST + Math.min(done + STEP, events) - 1],
    );
  }
  await database.query('VACUUM ANALYZE conversation_events, friendship_status');
}
