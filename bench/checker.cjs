// @ts-check
/**
 * Whether everything that was counted was counted right. The expected values come from the numbers of the conversations alone
 * (bench/workload.cjs); not a line of the programs that are measured takes part.
 */

/**
 * @typedef {object} Expectation
 * @property {string} number the number of an event, in SQL
 * @property {string} change what number i counts for, in SQL
 * @property {string} turns
 * @property {string} timeZone
 */

/**
 * @param {{ query: (text: string) => Promise<{ rows: any[] }> }} client
 * @param {Expectation} expectation
 * @param {{ settled?: number }} [options] settled: how many events must have been counted; without it, those that were
 * @returns {Promise<string[]>} what is wrong; empty: nothing
 */
async function findWrong(client, expectation, { settled } = {}) {
  const { number, change, turns, timeZone } = expectation;
  // The planner takes the table for what it was before the run, when nothing was PROCESSED, and would compare every child with every child.
  await client.query('SET enable_nestloop = off');
  /** @type {string[]} */
  const wrong = [];
  const { rows: counts } = await client.query(
    `SELECT count(*) FILTER (WHERE status = 'PROCESSED')::int AS counted, count(*) FILTER (WHERE status NOT IN ('PENDING', 'PROCESSED'))::int AS other
       FROM conversation_events`,
  );
  const { counted, other } = counts[0];
  if (settled !== undefined && counted !== settled) wrong.push(`expected ${settled} events PROCESSED, got ${counted}`);
  if (other > 0) wrong.push(`expected no event SKIPPED or FAILED, got ${other}`);

  const { rows: events } = await client.query(
    `SELECT conversation_id, ${change} AS expected, friendship_score_change AS got
       FROM (SELECT *, ${number} AS i FROM conversation_events WHERE status = 'PROCESSED') AS event
      WHERE friendship_score_change IS DISTINCT FROM ${change} LIMIT 1`,
  );
  for (const { conversation_id, expected, got } of events)
    wrong.push(`${conversation_id}: expected a change of ${expected}, got ${got}`);

  const { rows: statuses } = await client.query(
    `WITH event AS MATERIALIZED (
       SELECT user_id, bot_id, end_time, (end_time AT TIME ZONE '${timeZone}')::date AS day, topic_agents.topic_id, ${change} AS change, ${turns} AS turns
         FROM (SELECT *, ${number} AS i FROM conversation_events WHERE status = 'PROCESSED') AS numbered
         LEFT JOIN topic_agents USING (agent_tag)),
     topic AS (
       SELECT user_id, jsonb_object_agg(topic_id, jsonb_build_object('score', score, 'turns', turns, 'last_date', last_date, 'agents_used', agents)) AS topics
         FROM (SELECT event.user_id, event.topic_id, sum(change) AS score, sum(turns) AS turns,
                      to_char(max(end_time) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS last_date,
                      jsonb_agg(DISTINCT bot_id COLLATE "C") AS agents
                 FROM event WHERE event.topic_id IS NOT NULL GROUP BY 1, 2) AS each GROUP BY 1),
     expected AS (
       SELECT user_id, sum(change) AS score, max(end_time) AS last_end, range_agg(daterange(day, day, '[]')) AS days, coalesce(min(topics::text)::jsonb, '{}') AS topics
         FROM event LEFT JOIN topic USING (user_id) GROUP BY user_id)
     SELECT user_id, expected.score AS expected, status.friendship_score AS got,
            CASE WHEN expected.user_id IS NULL THEN 'a status without a counted event'
                 WHEN status.user_id IS NULL THEN 'no status'
                 WHEN friendship_score <> expected.score THEN 'another score'
                 WHEN last_interaction_date <> last_end THEN 'another last date'
                 WHEN interaction_days <> days THEN 'other days'
                 ELSE 'other topics' END AS problem,
            count(*) OVER () AS children
       FROM expected FULL JOIN friendship_status AS status USING (user_id)
      WHERE (friendship_score, last_interaction_date, interaction_days, topic_metrics) IS DISTINCT FROM (expected.score, last_end, days, topics)
      LIMIT 1`,
  );
  for (const { user_id, expected, got, problem, children } of statuses)
    wrong.push(`${children} children are wrong, such as ${user_id}: ${problem} (expected ${expected}, got ${got})`);
  return wrong;
}

module.exports = { findWrong };
