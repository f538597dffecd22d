// @ts-check
/**
 * The business transaction as scripts for pgbench, made from the statements that the service itself runs. `npm run docs` writes them to
 * bench/pgbench/, and its check fails when they are not what the service runs any more.
 */
import { EXPECTED_CHANGE, EXPECTED_TURNS } from './workload.cjs';

/** @typedef {{ name: string, text: string }} Statement */
/** @typedef {{ load: Statement, apply: Statement, fold: (counted: string) => string }} Statements what the build exports */

/** How pgbench names what stands at $1 to $6 of `apply`; $1 is `load`'s as well. */
const VALUES = [
  `'bench-' || lpad((:i)::text, 8, '0')`,
  ':change',
  ':breakdown',
  ':rule_version',
  ':turns',
  ':time_zone',
];

const HEAD = `-- Made by \`npm run docs\` from the service's own statements.
-- Each client takes every :clients-th conversation; n counts its transactions.
\\set n :n + 1
\\set i (:n - 1) * :clients + :client_id + 1
\\set turns ${inPgbench(EXPECTED_TURNS)}
\\set change ${inPgbench(EXPECTED_CHANGE)}
`;

/** Two statements, each a transaction of its own. @param {Statements} statements */
export function loadAndApply({ load, apply }) {
  return `${HEAD}${inScript(load.text)};\n${inScript(apply.text)};\n`;
}

/** The second of them alone. @param {Statements} statements */
export function applyOnly({ apply }) {
  return `${HEAD}${inScript(apply.text)};\n`;
}

/** The same work statement by statement, as most programs send it. @param {Statements} statements */
export function explicitStatements({ load, fold }) {
  const statements = [
    'BEGIN',
    load.text,
    'SELECT topic_id FROM topic_agents WHERE agent_tag = (SELECT agent_tag FROM conversation_events WHERE conversation_id = $1)',
    `UPDATE conversation_events AS event SET
       status = 'PROCESSED', attempt_count = attempt_count + 1, processed_at = clock_timestamp(),
       friendship_score_change = $2::numeric, score_breakdown = $3::jsonb, rule_version = $4,
       topic_id = (SELECT topic_id FROM topic_agents WHERE topic_agents.agent_tag = event.agent_tag),
       business_day = (end_time AT TIME ZONE $6)::date
 WHERE conversation_id = $1 AND status = 'PENDING'`,
    `WITH counted AS (
  SELECT user_id, bot_id, end_time, business_day, topic_id, friendship_score_change AS change, $5::bigint AS turns
    FROM conversation_events WHERE conversation_id = $1)
${fold('counted')}`,
    'COMMIT',
  ];
  return `${HEAD}${statements.map((text) => `${inScript(text)};\n`).join('')}`;
}

/** @param {string} text SQL with $1 … @returns {string} with pgbench's variables, on the lines that it had */
function inScript(text) {
  const lines = text
    // pgbench takes any colon with a word behind it for a variable, in a literal too.
    .replaceAll(/'(?:[^']|'')*'/g, (literal) => {
      const parts = literal.split(/:(?=[A-Za-z_])/);
      return parts.length === 1 ? literal : `(${parts.join(`' || chr(58) || '`)})`;
    })
    .replaceAll(/\$(\d)/g, (_, number) => VALUES[number - 1] ?? '');
  const [, indent = ''] = /\n( *)\S/.exec(lines.trim()) ?? [];
  return lines.trim().replaceAll(`\n${indent}`, '\n  ');
}

/** @param {string} expression of a number i */
function inPgbench(expression) {
  return expression.replaceAll(/\bi\b/g, ':i');
}
