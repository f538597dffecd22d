/** The rule version of events that carry over what a former system had counted. Their breakdown holds it. */
export const OPENING_BALANCE = 'OPENING_BALANCE';

/**
 * An opening balance as rows of the fold: what is in no topic, a row for each agent of each topic (the first has the topic's score
 * and turns), and a row for each day of the streak. Their sums, maxima and sets are the balance.
 *
 * Gives a SELECT with `user_id, bot_id, end_time, business_day, topic_id, change, turns`.
 * @param events a FROM item with `user_id, end_time, business_day, friendship_score_change, score_breakdown` of opening balances only
 */
export function openingBalanceRows(events: string): string {
  return `
    SELECT user_id, '${OPENING_BALANCE}'::varchar AS bot_id, end_time, business_day, NULL::varchar AS topic_id,
           friendship_score_change - coalesce((SELECT sum((topic.value ->> 'score')::numeric)
                                                 FROM jsonb_each(score_breakdown -> 'topics') AS topic), 0) AS change,
           0::bigint AS turns
      FROM ${events} AS balances
    UNION ALL
    SELECT user_id, agent.value, (topic.value ->> 'last_date')::timestamptz, business_day, topic.key,
           CASE WHEN agent.ordinality = 1 THEN (topic.value ->> 'score')::numeric ELSE 0 END,
           CASE WHEN agent.ordinality = 1 THEN (topic.value ->> 'turns')::bigint ELSE 0 END
      FROM ${events} AS balances, jsonb_each(score_breakdown -> 'topics') AS topic,
           jsonb_array_elements_text(topic.value -> 'agents_used') WITH ORDINALITY AS agent
    UNION ALL
    SELECT user_id, '${OPENING_BALANCE}', end_time, business_day - day, NULL, 0, 0
      FROM ${events} AS balances, generate_series(1, (score_breakdown ->> 'streak_day')::int - 1) AS day`;
}
