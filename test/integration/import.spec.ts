import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { summaryOf, CliProcess } from '../support/cli-process';
import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { runCli } from '../support/run-cli';
import { ServiceProcess, stopAll } from '../support/service-process';
import { settledEvent } from '../support/stored';
import { until } from '../support/until';

/** What a former system knew of a child, in the shape of `GET /v1/friendship/{user_id}`. */
const MIA = {
  user_id: 'child-mia',
  friendship_score: 512.5,
  friendship_level: 'PHASE2_ACQUAINTANCE',
  last_interaction_date: '2026-10-30T18:30:00.000Z',
  streak_day: 3,
  topics: {
    dinosaurs: { score: 60, turns: 30, last_date: '2026-10-29T08:00:00.000Z', agents_used: ['bot-b', 'bot-a'] },
    space: { score: 4.5, turns: 2, last_date: '2026-10-30T18:30:00.000Z', agents_used: ['bot-c'] },
  },
};
const BEN = { user_id: 'child-ben', friendship_score: 7, last_interaction_date: '2026-10-01T00:00:00Z', streak_day: 1 };

describe('import', () => {
  let namespace: Namespace;
  const folder = mkdtempSync(join(tmpdir(), 'friendship-import-'));

  beforeEach(async () => (namespace = await createNamespace({ ERASURE_KEY: 'e'.repeat(32) })));
  afterEach(async () => {
    await stopAll();
    await namespace.remove();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const file = (name: string, lines: readonly string[]) => {
    writeFileSync(join(folder, name), lines.join('\n'));
    return join(folder, name);
  };
  const jsonLines = (name: string, children: readonly object[]) =>
    file(
      name,
      children.map((child) => JSON.stringify(child)),
    );
  const run = (...args: string[]) => runCli(namespace.variables, ...args);
  const auditOf = async () => summaryOf(await run('audit', '--json'));
  const statuses = async () =>
    (await namespace.database.query('SELECT * FROM friendship_status ORDER BY user_id')).rows as Record<
      string,
      unknown
    >[];

  it('gives every child its score, streak and topics, which an audit finds right and a rebuild keeps', async () => {
    const imported = await run('import', jsonLines('children.jsonl', [MIA, BEN]), '--json');
    expect(imported.stderr).toBe('');
    expect(summaryOf(imported)).toMatchObject({ children: 2, imported: 2, known: 0, conflicting: 0, other_levels: 0 });

    const api = await (await ServiceProcess.start('api', namespace.variables)).ready();
    const { body } = await api.get('/v1/friendship/child-mia');
    expect(body).toEqual({
      ...MIA,
      topics: {
        dinosaurs: {
          ...MIA.topics.dinosaurs,
          agents_used: ['bot-a', 'bot-b'],
          friendship_level: 'PHASE2_ACQUAINTANCE',
        },
        space: { ...MIA.topics.space, friendship_level: 'PHASE1_STRANGER' },
      },
    });
    expect(await auditOf()).toMatchObject({ users: 2, events: 2, differences: 0 });

    const before = await statuses();
    expect(summaryOf(await run('rebuild', '--json'))).toMatchObject({
      users: 2,
      events: 2,
      corrected: 0,
      created: 0,
      removed: 0,
    });
    await namespace.database.query('DELETE FROM friendship_status');
    expect(summaryOf(await run('rebuild', '--json'))).toMatchObject({ created: 2 });
    const without = (rows: Record<string, unknown>[]) => rows.map(({ updated_at: _, ...row }) => row);
    expect(without(await statuses())).toEqual(without(before));
  });

  it('adds up with conversations, whichever came first', async () => {
    const all = await (await ServiceProcess.start('all', namespace.variables)).ready();
    await namespace.database.query(`INSERT INTO topic_agents VALUES ('agent-dino', 'dinosaurs')`);
    // The day after the streak's last one, by Asia/Ho_Chi_Minh.
    const times = { start_time: '2026-10-31T18:00:00Z', end_time: '2026-10-31T18:10:00Z' };
    const posted = (fields: object) =>
      conversation({ ...times, user_id: 'child-mia', agent_tag: 'agent-dino', bot_id: 'bot-z', ...fields });
    const [before, after] = [posted({}), posted({})];
    await all.post('/v1/conversations/end', before);
    await settledEvent(namespace, before.conversation_id);
    expect((await run('import', jsonLines('mia.jsonl', [MIA]))).code).toBe(0);
    await all.post('/v1/conversations/end', after);
    await settledEvent(namespace, after.conversation_id);

    expect((await all.get('/v1/friendship/child-mia')).body).toMatchObject({
      friendship_score: 518.5,
      streak_day: 4,
      last_interaction_date: '2026-10-31T18:10:00.000Z',
      topics: { dinosaurs: { score: 66, turns: 36, agents_used: ['bot-a', 'bot-b', 'bot-z'] }, space: { score: 4.5 } },
    });
    expect(await auditOf()).toMatchObject({ users: 1, events: 3, differences: 0 });
  });

  it('may be repeated: what is there stays, and another balance for the same child is told', async () => {
    const path = jsonLines('again.jsonl', [MIA, BEN]);
    await run('import', path);
    const before = await statuses();
    // The same in other words: 7.0 for 7, no zone for UTC, topics in another order.
    const { dinosaurs, space } = MIA.topics;
    const reworded = [
      { ...MIA, topics: undefined, topic_metrics: { space, dinosaurs } },
      { ...BEN, friendship_score: '7.0', last_interaction_date: '2026-10-01 00:00' },
    ];
    expect(summaryOf(await run('import', jsonLines('reworded.jsonl', reworded), '--json'))).toMatchObject({
      imported: 0,
      known: 2,
    });
    const other = await run('import', jsonLines('other.jsonl', [MIA, { ...BEN, friendship_score: 8 }]));
    expect(other.code).toBe(1);
    expect(other.stdout).toContain('child-ben: expected the balance that was imported before, got another; it stays');
    expect(await statuses()).toEqual(before);
  });

  it('goes on where it was killed', async () => {
    const children = Array.from({ length: 6_000 }, (_, index) => ({
      ...BEN,
      user_id: `child-${index}`,
      streak_day: 1 + (index % 7),
    }));
    const path = jsonLines('many.jsonl', children);
    const first = new CliProcess(namespace.variables, 'import', path);
    await until('some to be imported', async () => (await statuses()).length > 0);
    await first.kill();
    expect((await statuses()).length).toBeLessThan(children.length);
    expect(summaryOf(await run('import', path, '--json'))).toMatchObject({ children: 6_000, conflicting: 0 });
    expect((await statuses()).length).toBe(children.length);
    expect(await auditOf()).toMatchObject({ users: 6_000, events: 6_000, differences: 0 });
  });

  it('reads CSV: quoted topics, any order of columns, empty topics', async () => {
    const topics = JSON.stringify(MIA.topics).replaceAll('"', '""');
    const path = file('children.csv', [
      '\uFEFFuser_id,streak_day,friendship_score,friendship_level,last_interaction_date,topics',
      `child-mia,3,512.5,PHASE2_ACQUAINTANCE,2026-10-30T18:30:00.000Z,"${topics}"`,
      'child-ben,1,7,,2026-10-01T00:00:00Z,',
      '',
    ]);
    expect(summaryOf(await run('import', path, '--json'))).toMatchObject({ imported: 2 });
    expect(summaryOf(await run('import', jsonLines('same.jsonl', [MIA, BEN]), '--json'))).toMatchObject({ known: 2 });
  });

  it('stores nothing in a dry run, and nothing of a file with a mistake: every mistake is told with its line', async () => {
    const dry = await run(
      'import',
      jsonLines('dry.jsonl', [MIA, { ...BEN, friendship_level: 'PHASE3_FRIEND' }]),
      '--dry-run',
      '--json',
    );
    expect(dry.code).toBe(0);
    expect(summaryOf(dry)).toMatchObject({ children: 2, other_levels: 1, imported: 0 });

    const wrong = await run(
      'import',
      file('wrong.jsonl', [
        JSON.stringify(BEN),
        'not json',
        JSON.stringify({
          ...BEN,
          user_id: 'x',
          friendship_score: -1,
          streak_day: 0,
          last_interaction_date: 'yesterday',
        }),
        JSON.stringify({
          ...MIA,
          topics: { dinosaurs: { score: 1, last_date: '2026-10-31T00:00:00Z', agents_used: [] } },
        }),
        JSON.stringify(BEN),
      ]),
    );
    expect(wrong.code).toBe(1);
    expect(wrong.stdout.split('\n').slice(0, -2)).toEqual([
      'line 2: expected a JSON object, got a line of 8 characters that is not JSON',
      'line 3: user_id: expected 3 to 255 visible ASCII characters, got a string of 1 characters',
      'line 3: friendship_score: expected a number from 0 on, not in exponents, got a number (-1)',
      expect.stringMatching(
        /^line 3: last_interaction_date: expected an ISO 8601 time, at most .*, got a string of 9 characters$/,
      ),
      'line 3: streak_day: expected an integer 1..36500, got a number (0)',
      'line 4: topics.dinosaurs.last_date: expected an ISO 8601 time, at most 2026-10-30T18:30:00.000Z, got a string of 20 characters',
      'line 4: topics.dinosaurs.agents_used: expected a list of one bot id or more, each of 1 to 255 characters, got an array of 0 items',
      'line 5: expected each user_id once, got the one of line 1 again',
    ]);
    expect(await statuses()).toEqual([]);

    expect(await run('import', join(folder, 'nowhere.csv'))).toMatchObject({ code: 2 });
    expect(await run('import', join(folder, 'children.txt'))).toMatchObject({ code: 2 });
    const headless = await run('import', file('headless.csv', ['child-ben,7']));
    expect(headless.stdout).toContain('line 1: expected a header with user_id');
  });

  it('brings nobody back who was erased', async () => {
    const path = jsonLines('erased.jsonl', [MIA, BEN]);
    await run('import', path);
    expect((await run('erase-user', '--user', 'child-mia', '--yes')).code).toBe(0);
    expect(summaryOf(await run('import', path, '--json'))).toMatchObject({ imported: 0, known: 1, erased: 1 });
    expect((await statuses()).map(({ user_id }) => user_id)).toEqual(['child-ben']);
  });
});
