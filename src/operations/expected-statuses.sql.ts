import { OPENING_BALANCE, openingBalanceRows } from '../friendship-status/opening-balance.sql';

/**
 * What the friendship statuses of some users should be: a plain sum of all their counted events. Written apart from the fold of
 * friendship-status/, which adds one conversation to what is there, so that each of the two checks the other.
 *
 * CTEs: `counted` has the events (an opening balance is several rows, one of which counts as the event), `expected` a row for each user that has one.
 * @param users a condition on `user_id`
 */
export function expectedStatuses(users: string): string {
  return `
    events AS (
      SELECT user_id, bot_id, end_time, business_day, topic_id, friendship_score_change, score_breakdown, rule_version
        FROM conversation_events WHERE (${users}) AND status = 'PROCESSED'
    ), counted AS (
      SELECT user_id, bot_id, end_time, business_day, topic_id, friendship_score_change AS change,
             (score_breakdown ->> 'total_turns')::bigint AS turns, 1 AS events
        FROM events WHERE rule_version <> '${OPENING_BALANCE}'
      UNION ALL
      SELECT *, (topic_id IS NULL AND row_number() OVER (PARTITION BY user_id, topic_id ORDER BY business_day DESC) = 1)::int
        FROM (${openingBalanceRows(`(SELECT * FROM events WHERE rule_version = '${OPENING_BALANCE}')`)}) AS rows
    ), expected_topics AS (
      SELECT user_id, jsonb_object_agg(topic_id, jsonb_build_object(
               'score', score, 'turns', turns, 'agents_used', agents,
               'last_date', to_char(last_end AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))) AS topic_metrics
        FROM (SELECT user_id, topic_id, sum(change) AS score, sum(turns) AS turns, max(end_time) AS last_end,
                     to_jsonb(array_agg(DISTINCT bot_id COLLATE "C" ORDER BY bot_id COLLATE "C")) AS agents
                FROM counted WHERE topic_id IS NOT NULL GROUP BY user_id, topic_id) AS by_topic
       GROUP BY user_id
    ), expected AS (
      SELECT by_user.*, coalesce(topic_metrics, '{}') AS topic_metrics
        FROM (SELECT user_id, sum(events) AS events, sum(change) AS friendship_score, max(end_time) AS last_interaction_date,
                     range_agg(daterange(business_day, business_day + 1)) AS interaction_days
                FROM counted GROUP BY user_id) AS by_user
             LEFT JOIN expected_topics USING (user_id)
    )`;
}
