// @ts-check
/** Mutant: the score is read, added to, and written back, as an entity's save() does. Of two at once, one is overwritten. */
const { setTimeout: delay } = require('node:timers/promises');
const { mutate, replaced } = require('./statements.cjs');

/** Between reading and writing, milliseconds. */
const THINKING = 5;

const READ = {
  name: 'mutant_read_score',
  text: `SELECT friendship_score FROM friendship_status
          WHERE user_id = (SELECT user_id FROM conversation_events WHERE conversation_id = $1)`,
};

mutate('conversation_events_apply_score', async (run, runner, statement, values) => {
  const { rows } = await run(runner, READ, [values[0]]);
  await delay(THINKING);
  const written = replaced(
    statement,
    'status.friendship_score + excluded',
    `$${values.length + 1}::numeric + excluded`,
  );
  return run(runner, written, [...values, rows[0]?.friendship_score ?? 0]);
});
