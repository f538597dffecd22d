/**
 * The fold of conversations into friendship statuses, written once.
 *
 * It reads a CTE with one row per counted conversation
 * (`user_id, bot_id, end_time, business_day, topic_id, change, turns`) and adds it to `friendship_status`.
 * Sums, maxima and sets commute, so conversations may come in any order and in any grouping.
 * Rows are written in the order of `user_id`, so that two groups cannot lock each other's users crosswise.
 */
export function foldIntoFriendshipStatus(counted: string): string {
  return addToFriendshipStatus(`
    SELECT per_user.user_id, per_user.score, per_user.last_end, per_user.days, coalesce(by_topic.metrics, '{}'), clock_timestamp()
      FROM (SELECT user_id, sum(change) AS score, max(end_time) AS last_end,
                   range_agg(daterange(business_day, business_day, '[]')) AS days
              FROM ${counted} GROUP BY user_id) AS per_user
      LEFT JOIN (SELECT user_id, jsonb_object_agg(topic_id, metrics) AS metrics
                   FROM (SELECT user_id, topic_id, jsonb_build_object(
                                  'score', sum(change), 'turns', sum(turns),
                                  'last_date', ${isoTime('max(end_time)')},
                                  'agents_used', jsonb_agg(DISTINCT bot_id COLLATE "C")) AS metrics
                           FROM ${counted} WHERE topic_id IS NOT NULL GROUP BY user_id, topic_id) AS of_topic
                  GROUP BY user_id) AS by_topic USING (user_id)
     ORDER BY per_user.user_id`);
}

/**
 * The same for a CTE with at most one row, without grouping, sorting and joining: load and apply of a message together cost
 * PostgreSQL 0.89 (0.84–0.96) of the CPU, at 1.12 (1.04–1.21) of the rate (pgbench, ten clients, nine rounds of 10,000 in turns).
 */
export function foldOneIntoFriendshipStatus(counted: string): string {
  return addToFriendshipStatus(`
    SELECT user_id, change, end_time, datemultirange(daterange(business_day, business_day, '[]')),
           CASE WHEN topic_id IS NULL THEN '{}' ELSE jsonb_build_object(topic_id, jsonb_build_object(
             'score', change, 'turns', turns, 'last_date', ${isoTime('end_time')}, 'agents_used', jsonb_build_array(bot_id))) END,
           clock_timestamp()
      FROM ${counted}`);
}

/** @param additions a SELECT: for each user what is to be added, in the order of the columns below */
function addToFriendshipStatus(additions: string): string {
  return `
    INSERT INTO friendship_status AS status
           (user_id, friendship_score, last_interaction_date, interaction_days, topic_metrics, updated_at)${additions}
    ON CONFLICT (user_id) DO UPDATE SET
           friendship_score = status.friendship_score + excluded.friendship_score,
           last_interaction_date = greatest(status.last_interaction_date, excluded.last_interaction_date),
           interaction_days = status.interaction_days + excluded.interaction_days,
           topic_metrics = CASE WHEN excluded.topic_metrics = '{}' THEN status.topic_metrics
             ELSE status.topic_metrics || (
               SELECT jsonb_object_agg(added.key, CASE WHEN status.topic_metrics ? added.key THEN jsonb_build_object(
                        'score', (status.topic_metrics -> added.key ->> 'score')::numeric + (added.value ->> 'score')::numeric,
                        'turns', (status.topic_metrics -> added.key ->> 'turns')::bigint + (added.value ->> 'turns')::bigint,
                        'last_date', greatest(status.topic_metrics -> added.key ->> 'last_date', added.value ->> 'last_date'),
                        'agents_used', (SELECT jsonb_agg(DISTINCT agent COLLATE "C")
                                          FROM jsonb_array_elements_text((status.topic_metrics -> added.key -> 'agents_used')
                                                                         || (added.value -> 'agents_used')) AS agent))
                      ELSE added.value END)
                 FROM jsonb_each(excluded.topic_metrics) AS added) END,
           updated_at = excluded.updated_at`;
}

/** As `Date.toISOString()` writes it. */
function isoTime(instant: string): string {
  return `to_char(${instant} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}
