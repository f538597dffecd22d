// @ts-check
/** Mutant: nobody asks whether an event was counted already. What is delivered twice counts twice. */
const { mutate, replaced } = require('./statements.cjs');

const LOG = {
  name: 'mutant_log',
  text: 'SELECT conversation_log FROM conversation_events WHERE conversation_id = $1',
};

for (const load of ['conversation_events_load', 'conversation_events_load_group']) {
  mutate(load, async (run, runner, statement, values) => {
    const result = await run(runner, statement, values);
    for (const row of result.rows) {
      if (row.status !== 'PROCESSED') continue;
      const { rows } = await run(runner, LOG, [row.conversation_id]);
      Object.assign(row, { status: 'PENDING', conversation_log: rows[0].conversation_log });
    }
    return result;
  });
}

mutate('conversation_events_apply_score', (run, runner, statement, values) =>
  run(runner, replaced(statement, "AND status = 'PENDING'", ''), values),
);
mutate('conversation_events_apply_scores', (run, runner, statement, values) =>
  run(runner, replaced(statement, "AND event.status = 'PENDING'", ''), values),
);
