import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNamespace, type Namespace } from '../support/namespace';

const ROOT = join(__dirname, '..', '..');

describe('the CLI', () => {
  let namespace: Namespace;
  let folder: string;

  beforeAll(async () => {
    namespace = await createNamespace();
    folder = await mkdtemp(join(tmpdir(), 'friendship-cli-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
    await namespace.remove();
  });

  function cli(args: string[], variables: Record<string, string> = {}) {
    return new Promise<{ code: number; out: string; err: string }>((resolve) => {
      const child = execFile(
        process.execPath,
        [join(ROOT, 'dist', 'cli.js'), ...args],
        { env: { PATH: process.env.PATH, ...namespace.variables, ...variables } },
        (_error, out, err) => resolve({ code: child.exitCode ?? -1, out, err }),
      );
    });
  }

  it('imports topics from CSV and JSON, and updates what is there', async () => {
    expect(await cli(['topics', 'import', join(ROOT, 'samples', 'topic-agents.csv')])).toMatchObject({
      code: 0,
      out: '8 agent tags read, 8 new or changed\n',
    });
    const file = join(folder, 'topics.json');
    await writeFile(file, JSON.stringify([{ agent_tag: 'agent_dino_1', topic_id: 'lizards' }]));
    expect(await cli(['topics', 'import', file])).toMatchObject({
      code: 0,
      out: '1 agent tags read, 1 new or changed\n',
    });
    const { rows } = await namespace.database.query(
      `SELECT topic_id FROM topic_agents WHERE agent_tag = 'agent_dino_1'`,
    );
    expect(rows).toEqual([{ topic_id: 'lizards' }]);
  });

  it('imports nothing from a file with a mistake, and names the line', async () => {
    const file = join(folder, 'bad.csv');
    await writeFile(file, 'agent_tag,topic_id\ngood,topic\n,missing\n');
    const { code, err } = await cli(['topics', 'import', file]);
    expect(code).toBe(1);
    expect(err).toContain('line 3: agent_tag: expected 1 to 255 characters, got ""');
    const { rowCount } = await namespace.database.query(`SELECT FROM topic_agents WHERE agent_tag = 'good'`);
    expect(rowCount).toBe(0);
  });

  it('ends in peace when nobody reads on', async () => {
    const command = `"${process.execPath}" "${join(ROOT, 'dist', 'cli.js')}" --help | true`;
    const ended = await new Promise<unknown>((resolve) => {
      execFile('bash', ['-o', 'pipefail', '-c', command], (error, out, err) => resolve([error, out + err]));
    });
    expect(ended).toEqual([null, '']);
  });

  it('lists dead letters without their bodies', async () => {
    await namespace.database.query(
      `INSERT INTO dead_letters (delivery_key, settles_event, reason, attempts, last_failed_at, exchange, routing_key, body)
       VALUES ('key', false, 'INVALID_MESSAGE', 1, now(), '', 'queue', 'words of a child')`,
    );
    const text = await cli(['dead-letters', 'list']);
    const json = await cli(['dead-letters', 'list', '--json', '--reason', 'INVALID_MESSAGE', '--state', 'OPEN']);
    expect(text).toMatchObject({ code: 0, out: expect.stringContaining('INVALID_MESSAGE') as string });
    expect(JSON.parse(json.out)).toMatchObject([{ reason: 'INVALID_MESSAGE', conversation_id: null, bytes: 16 }]);
    expect(text.out + json.out).not.toContain('words');
  });

  it.each([
    [['nonsense'], 'expected one of: topics import'],
    [['topics', 'import'], 'expected one FILE, got 0 arguments'],
    [['topics', 'import', 'x.xml'], 'expected a file named .csv or .json, got x.xml'],
    [['topics', 'import', 'not-there.csv'], 'expected a file that can be read, got not-there.csv'],
    [['dead-letters', 'list', '--limit', 'many'], '--limit: expected an integer 1..10000, got many'],
    [
      ['dead-letters', 'list', '--state', 'GONE'],
      '--state: expected one of OPEN, REPLAYING, REPLAYED, DISCARDED, got "GONE"',
    ],
    [['dead-letters', 'list', '--colour'], '--colour'],
    [['plan', '--cores', '8', '--rate', '-5'], '--rate: expected a value, got -5'],
    [['plan', '--cores', '8', '--cores', '9', '--rate', '5/s'], '--cores: expected it once, got it more than once'],
    [['plan', '--cores', '8', '--rate', '5/s', '--measured', 'not-there.json'], 'got not-there.json (ENOENT)'],
    [['tune', '--service-time', '1h'], 'expected at most 20m together'],
    [['tune', '--out', '/proc/x'], '--out: expected a folder that can be written to, got /proc/x (ENOENT)'],
  ])('refuses %j and says what was expected', async (args, message) => {
    const { code, err } = await cli(args);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(message) as string });
  });

  it('prints its usage', async () => {
    expect(await cli([])).toMatchObject({ code: 0, out: expect.stringContaining('dead-letters list') as string });
  });
});
