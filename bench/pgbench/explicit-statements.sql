-- Made by `npm run docs` from the service's own statements.
-- Each client takes every :clients-th conversation; n counts its transactions.
\set n :n + 1
\set i (:n - 1) * :clients + :client_id + 1
\set turns (10 - :i % 4)
\set change (10 - :i % 4 + 3 * (:i % 3) + 5 * (:i % 2) + CASE WHEN :i % 5 = 0 THEN 15 ELSE 0 END)
BEGIN;
SELECT conversation_id, user_id, bot_type, status, attempt_count, last_error_code, accepted_at,
  CASE WHEN status = 'PENDING' THEN conversation_log::text END AS conversation_log,
  analysis, user_initiated_questions, session_emotion, new_memories_count
           FROM conversation_events WHERE conversation_id = 'bench-' || lpad((:i)::text, 8, '0');
SELECT topic_id FROM topic_agents WHERE agent_tag = (SELECT agent_tag FROM conversation_events WHERE conversation_id = 'bench-' || lpad((:i)::text, 8, '0'));
UPDATE conversation_events AS event SET
  status = 'PROCESSED', attempt_count = attempt_count + 1, processed_at = clock_timestamp(),
  friendship_score_change = :change::numeric, score_breakdown = :breakdown::jsonb, rule_version = :rule_version,
  topic_id = (SELECT topic_id FROM topic_agents WHERE topic_agents.agent_tag = event.agent_tag),
  business_day = (end_time AT TIME ZONE :time_zone)::date
 WHERE conversation_id = 'bench-' || lpad((:i)::text, 8, '0') AND status = 'PENDING';
WITH counted AS (
  SELECT user_id, bot_id, end_time, business_day, topic_id, friendship_score_change AS change, :turns::bigint AS turns
    FROM conversation_events WHERE conversation_id = 'bench-' || lpad((:i)::text, 8, '0'))

    INSERT INTO friendship_status AS status
           (user_id, friendship_score, last_interaction_date, interaction_days, topic_metrics, updated_at)
    SELECT per_user.user_id, per_user.score, per_user.last_end, per_user.days, coalesce(by_topic.metrics, '{}'), clock_timestamp()
      FROM (SELECT user_id, sum(change) AS score, max(end_time) AS last_end,
                   range_agg(daterange(business_day, business_day, '[]')) AS days
              FROM counted GROUP BY user_id) AS per_user
      LEFT JOIN (SELECT user_id, jsonb_object_agg(topic_id, metrics) AS metrics
                   FROM (SELECT user_id, topic_id, jsonb_build_object(
                                  'score', sum(change), 'turns', sum(turns),
                                  'last_date', to_char(max(end_time) AT TIME ZONE 'UTC', ('YYYY-MM-DD"T"HH24' || chr(58) || 'MI' || chr(58) || 'SS.MS"Z"')),
                                  'agents_used', jsonb_agg(DISTINCT bot_id COLLATE "C")) AS metrics
                           FROM counted WHERE topic_id IS NOT NULL GROUP BY user_id, topic_id) AS of_topic
                  GROUP BY user_id) AS by_topic USING (user_id)
     ORDER BY per_user.user_id
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
           updated_at = excluded.updated_at;
COMMIT;
