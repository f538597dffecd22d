import { randomInt } from 'node:crypto';
import { CliProcess, summaryOf } from '../support/cli-process';
import { conversation, turns } from '../support/conversations';
import { insertEvent } from '../support/insert-event';
import { createNamespace, type Namespace } from '../support/namespace';
import { runCli } from '../support/run-cli';
import { ServiceProcess, stopAll } from '../support/service-process';
import { until } from '../support/until';

const TAGS = ['agent_movie_1', 'agent_movie_2', 'agent_moon_1', 'agent_unknown', undefined];
const CHILDREN = Array.from({ length: 40 }, (_, index) => `child-${index}`);

/** The statuses against the events, before and after somebody meddled, and while workers write both. */
describe('audit and rebuild', () => {
  let namespace: Namespace;
  let workers: ServiceProcess[];

  beforeAll(async () => {
    namespace = await createNamespace({ MESSAGE_CONCURRENCY_PER_WORKER: '10' });
    await namespace.database.query(
      `INSERT INTO topic_agents VALUES ('agent_movie_1', 'movie'), ('agent_movie_2', 'movie'), ('agent_moon_1', 'moon')`,
    );
    workers = await Promise.all([1, 2].map(() => ServiceProcess.start('worker', namespace.variables)));
    await Promise.all(workers.map((worker) => worker.ready()));
    // A random load, every fourth message twice.
    const bodies = Array.from({ length: 400 }, () => randomConversation());
    for (const body of bodies) await namespace.broker.send(body);
    for (const body of bodies.filter((_, index) => index % 4 === 0)) await namespace.broker.send(body);
    await allProcessed();
  });
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.stop()));
    await stopAll();
    await namespace.remove();
  });

  const cli = (...args: string[]) => runCli(namespace.variables, ...args);
  const sql = (text: string, values: unknown[] = []) => namespace.database.query(text, values);

  function randomConversation(child = CHILDREN[randomInt(CHILDREN.length)]) {
    const day = String(randomInt(1, 21)).padStart(2, '0');
    return conversation({
      user_id: child,
      bot_id: ['bot-a', 'Bot-ü', 'bot "c"'][randomInt(3)],
      agent_tag: TAGS[randomInt(TAGS.length)],
      start_time: `2026-11-${day}T10:00:00Z`,
      end_time: `2026-11-${day}T1${randomInt(1, 10)}:10:00Z`,
      conversation_log: turns(randomInt(6)),
      metadata: {
        user_initiated_questions: randomInt(4),
        session_emotion: 'interesting',
        new_memories_count: randomInt(3),
      },
    });
  }
  const allProcessed = () =>
    until(
      'all events to be processed',
      async () => {
        const figures = await namespace.broker.figures();
        const { rows } = await sql(`SELECT count(*)::int AS open FROM conversation_events WHERE status = 'PENDING'`);
        return figures?.ready === 0 && (rows[0] as { open: number }).open === 0;
      },
      60,
    );
  /** The statuses without the time at which they were written. */
  async function statuses() {
    const { rows } = await sql(
      `SELECT user_id, friendship_score, last_interaction_date, interaction_days::text, topic_metrics FROM friendship_status ORDER BY user_id`,
    );
    return rows as Record<string, unknown>[];
  }
  async function auditIsClean() {
    const { code, stdout, stderr } = await cli('audit', '--json');
    expect({ code, stdout, stderr }).toMatchObject({ code: 0 });
    return summaryOf({ stdout });
  }

  it('finds no difference after a random load with duplicates', async () => {
    const summary = await auditIsClean();
    const { rows } = await sql(
      `SELECT count(*)::int AS events, count(DISTINCT user_id)::int AS users FROM conversation_events`,
    );
    expect(summary).toEqual({ ...rows[0], differences: 0, seconds: expect.any(Number) as number });
    expect((await cli('audit')).stdout).toBe('no differences\n');
  });

  it('finds no difference, and changes nothing, where there is nothing to do', async () => {
    const before = await sql('SELECT *, xmin FROM friendship_status ORDER BY user_id');
    const { code, stdout } = await cli('rebuild', '--json');
    expect(code).toBe(0);
    expect(summaryOf({ stdout })).toMatchObject({ users: before.rowCount, corrected: 0, created: 0, removed: 0 });
    expect((await sql('SELECT *, xmin FROM friendship_status ORDER BY user_id')).rows).toEqual(before.rows);
  });

  it('rebuilds nobody for an id that has no counted conversation and no status, and says so', async () => {
    expect(await cli('rebuild', '--user', 'nobody')).toMatchObject({
      code: 0,
      stdout: 'nobody  has no counted conversation and no status\n',
    });
    const { stdout } = await cli('rebuild', '--user', 'nobody', '--json');
    expect(summaryOf({ stdout })).toMatchObject({ users: 0, events: 0, corrected: 0, created: 0, removed: 0 });
    expect((await sql(`SELECT FROM friendship_status WHERE user_id = 'nobody'`)).rowCount).toBe(0);
  });

  const tamperings = [
    ['the score', `friendship_score = friendship_score + 1`, 'friendship_score'],
    ['the latest time', `last_interaction_date = last_interaction_date + interval '1 ms'`, 'last_interaction_date'],
    ['the days', `interaction_days = interaction_days - '{[2026-11-01,2026-12-01)}'`, 'interaction_days'],
    [
      'a topic’s score',
      `topic_metrics = jsonb_set(topic_metrics, '{movie,score}', '9999')`,
      'topic_metrics.movie.score',
    ],
    [
      'a topic’s turns',
      `topic_metrics = jsonb_set(topic_metrics, '{movie,turns}', '9999')`,
      'topic_metrics.movie.turns',
    ],
    [
      'a topic’s date',
      `topic_metrics = jsonb_set(topic_metrics, '{movie,last_date}', '"x"')`,
      'topic_metrics.movie.last_date',
    ],
    [
      'a topic’s agents',
      `topic_metrics = jsonb_set(topic_metrics, '{movie,agents_used}', '[]')`,
      'topic_metrics.movie.agents_used',
    ],
    ['a topic too many', `topic_metrics = topic_metrics || '{"sea": {}}'`, 'topic_metrics.sea'],
    ['a topic too few', `topic_metrics = topic_metrics - 'movie'`, 'topic_metrics.movie'],
  ];

  it.each(tamperings)('finds a change of %s, names both values, and rebuilds it', async (_what, change, named) => {
    const right = await statuses();
    const { user_id } = right.find(({ topic_metrics }) => 'movie' in (topic_metrics as object))!;
    await sql(`UPDATE friendship_status SET ${change} WHERE user_id = $1`, [user_id]);
    const { code, stdout } = await cli('audit', '--json');
    expect(code).toBe(1);
    const [difference, ...rest] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(difference).toMatchObject({ user_id, what: named });
    expect(difference.expected).not.toEqual(difference.got);
    expect(rest).toEqual([expect.objectContaining({ differences: 1 })]);
    expect((await cli('audit', '--user', String(user_id))).stdout).toContain(`${String(user_id)}  ${named}: expected `);

    const rebuilt = await cli('rebuild', '--user', String(user_id));
    expect(rebuilt).toMatchObject({
      code: 0,
      stdout: `${String(user_id)}  corrected\ncorrected: 1, created: 0, removed: 0\n`,
    });
    expect(await statuses()).toEqual(right);
    await auditIsClean();
  });

  it('finds a status that is missing, one that should not be, and an event that was changed; rebuilds all', async () => {
    const right = await statuses();
    await sql(`DELETE FROM friendship_status WHERE user_id = 'child-1'`);
    await sql(`INSERT INTO friendship_status VALUES ('child-nobody', 5, now(), '{}', '{}', now())`);
    await insertEvent(namespace, 'child-pending-only', { publish_due_at: '3000-01-01' });
    const { rows } = await sql(
      `UPDATE conversation_events SET friendship_score_change = friendship_score_change + 7
        WHERE conversation_id = (SELECT conversation_id FROM conversation_events WHERE user_id = 'child-2' AND topic_id IS NULL LIMIT 1)
       RETURNING conversation_id`,
    );
    const { code, stdout } = await cli('audit', '--json');
    expect(code).toBe(1);
    const found = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(found).toEqual([
      { user_id: 'child-1', what: 'row', expected: expect.any(String) as string, got: null },
      expect.objectContaining({ user_id: 'child-2', what: 'friendship_score' }),
      { user_id: 'child-nobody', what: 'row', expected: null, got: expect.any(String) as string },
      expect.objectContaining({ differences: 3 }),
    ]);
    await sql(
      `UPDATE conversation_events SET friendship_score_change = friendship_score_change - 7 WHERE conversation_id = $1`,
      [(rows[0] as { conversation_id: string }).conversation_id],
    );
    const rebuilt = await cli('rebuild', '--json');
    expect(summaryOf(rebuilt)).toMatchObject({ corrected: 0, created: 1, removed: 1 });
    expect(await statuses()).toEqual(right);
    await sql(`DELETE FROM conversation_events WHERE user_id = 'child-pending-only'`);
    await auditIsClean();
  });

  it('restores every status from nothing', async () => {
    const right = await statuses();
    await sql('TRUNCATE friendship_status');
    const rebuilt = await cli('rebuild', '--json');
    expect(summaryOf(rebuilt)).toMatchObject({ created: right.length, corrected: 0, removed: 0 });
    expect(await statuses()).toEqual(right);
  });

  /** Sends conversations while `others` run, which look at `live.on` to know when to end. */
  async function underLoad(count: number, ...others: ((live: { on: boolean; sent: number }) => Promise<void>)[]) {
    // One child gets a fifth of everything, so that its row is always in somebody's hands; some children are new.
    const children = [...CHILDREN.slice(0, 4), `child-new-${count}`, `child-newer-${count}`];
    const live = { on: true, sent: 0 };
    const sending = (async () => {
      for (; live.sent < count; live.sent += 50) {
        const bodies = Array.from({ length: 50 }, (_, index) =>
          randomConversation(index % 5 === 0 ? 'child-busy' : children[index % children.length]),
        );
        await Promise.all(bodies.map((body) => namespace.broker.send(body)));
      }
      await allProcessed();
    })().finally(() => (live.on = false));
    await Promise.all([sending, ...others.map((other) => other(live))]);
  }

  it('shows no false difference while workers count and statuses are rebuilt', async () => {
    const before = (await auditIsClean()).events;
    let [audits, rebuilds] = [0, 0];
    await underLoad(
      2_000,
      async (live) => {
        for (; live.on; audits++) await auditIsClean();
      },
      async (live) => {
        for (; live.on; rebuilds++) expect((await cli('rebuild')).code).toBe(0);
      },
    );
    expect(audits).toBeGreaterThan(1);
    expect(rebuilds).toBeGreaterThan(1);
    expect((await auditIsClean()).events).toBe(before + 2_000);
  }, 120_000);

  it('loses no update that arrives while it restores what was lost and changed', async () => {
    const before = (await cli('audit', '--json').then(summaryOf)).events;
    let [tampered, rebuilds] = [0, 0];
    await underLoad(
      2_000,
      async (live) => {
        for (; live.sent < 1_500; tampered++) {
          await sql(`DELETE FROM friendship_status WHERE user_id = 'child-busy' OR random() < 0.3`);
          await sql(`UPDATE friendship_status SET friendship_score = 1 WHERE random() < 0.3`);
        }
      },
      async (live) => {
        for (; live.on; rebuilds++) expect((await cli('rebuild')).code).toBe(0);
      },
      async (live) => {
        while (live.on) expect((await cli('rebuild', '--user', 'child-busy')).code).toBe(0);
      },
    );
    expect(tampered).toBeGreaterThan(1);
    expect(rebuilds).toBeGreaterThan(1);
    expect((await cli('rebuild')).code).toBe(0);
    expect((await auditIsClean()).events).toBe(before + 2_000);
  }, 120_000);

  const waiting = async (count: number) => {
    const { rowCount } = await sql(
      `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
    );
    return rowCount === count;
  };

  it('contains an event whose transaction had the status first and commits while the rebuild waits', async () => {
    const first = await insertEvent(namespace, 'child-race-1');
    await namespace.broker.send({ conversation_id: first });
    await allProcessed();
    const counting = await namespace.database.connect();
    await counting.query('BEGIN');
    await counting.query(
      `CREATE TEMP TABLE copy ON COMMIT DROP AS SELECT * FROM conversation_events WHERE conversation_id = '${first}'`,
    );
    await counting.query(
      `UPDATE copy SET conversation_id = 'conv-race-1'; INSERT INTO conversation_events SELECT * FROM copy`,
    );
    await counting.query(
      `UPDATE friendship_status SET friendship_score = friendship_score + 1 WHERE user_id = 'child-race-1'`,
    );
    const rebuilding = cli('rebuild', '--user', 'child-race-1');
    await until('the rebuild to wait', () => waiting(1));
    await counting.query('COMMIT');
    counting.release();
    expect(await rebuilding).toMatchObject({ code: 0, stdout: 'corrected: 0, created: 0, removed: 0\n' });
    expect((await auditIsClean()).differences).toBe(0);
    expect((await statuses()).find(({ user_id }) => user_id === 'child-race-1')).toMatchObject({
      friendship_score: '2',
    });
  });

  it.each([
    ['corrects', `UPDATE friendship_status SET friendship_score = 99 WHERE user_id = 'child-race-2'`],
    ['creates', `DELETE FROM friendship_status WHERE user_id = 'child-race-2'`],
    ['removes', `DELETE FROM conversation_events WHERE user_id = 'child-race-2'`],
  ])('lets an event be added to the row that it %s, when it had the row first', async (_what, tamper) => {
    const earlier = await insertEvent(namespace, 'child-race-2');
    await namespace.broker.send({ conversation_id: earlier });
    await allProcessed();
    await sql(tamper);
    // The rebuild stands still between its lock and its commit, until the test lets it go on.
    await sql(`
      CREATE FUNCTION stand_still() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN PERFORM pg_advisory_xact_lock(1); RETURN coalesce(NEW, OLD); END$$;
      CREATE TRIGGER stand_still BEFORE UPDATE OR DELETE ON friendship_status FOR EACH ROW
        WHEN (OLD.user_id = 'child-race-2') EXECUTE FUNCTION stand_still()`);
    const gate = await namespace.database.connect();
    await gate.query('SELECT pg_advisory_lock(1)');
    const rebuilding = cli('rebuild', '--user', 'child-race-2');
    await until('the rebuild to stand still', () => waiting(1));
    const late = await insertEvent(namespace, 'child-race-2');
    await namespace.broker.send({ conversation_id: late });
    await until('the worker to wait for the row', () => waiting(2));
    await gate.query('SELECT pg_advisory_unlock(1)');
    gate.release();
    expect((await rebuilding).code).toBe(0);
    await allProcessed();
    await sql('DROP TRIGGER stand_still ON friendship_status; DROP FUNCTION stand_still');
    expect((await auditIsClean()).differences).toBe(0);
    const { rows } = await sql(
      `SELECT friendship_score::int AS score, (SELECT count(*)::int FROM conversation_events AS event WHERE event.user_id = status.user_id) AS events
         FROM friendship_status AS status WHERE user_id = 'child-race-2'`,
    );
    expect(rows).toEqual([{ score: (rows[0] as { events: number }).events, events: expect.any(Number) as number }]);
  });

  it('loses nothing when it is killed on the way', async () => {
    const right = await statuses();
    await sql(`UPDATE friendship_status SET friendship_score = friendship_score + 1`);
    const lock = await namespace.database.connect();
    await lock.query('BEGIN');
    await lock.query(`SELECT FROM friendship_status WHERE user_id = 'child-9' FOR UPDATE`);
    const process = new CliProcess(namespace.variables, 'rebuild');
    await until('it to wait', async () => {
      const { rowCount } = await sql(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
      );
      return rowCount === 1;
    });
    expect(await process.kill()).toBe('SIGKILL');
    await lock.query('ROLLBACK');
    lock.release();
    expect((await cli('rebuild')).code).toBe(0);
    expect(await statuses()).toEqual(right);
  });

  it.each([
    [['audit', '--user', 'ü'], '--user: expected 3 to 255 visible ASCII characters, got a string of 1 characters'],
    [['rebuild', '--user', ''], '--user: expected 3 to 255 visible ASCII characters, got a string of 0 characters'],
    [['audit', 'all'], 'expected no argument of this kind, got "all"'],
    [['rebuild', '--fast'], "Unknown option '--fast'; expected: --user, --json"],
  ])('refuses %j and says what was expected', async (args, message) => {
    const { code, stderr } = await cli(...args);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) as string });
  });
});
