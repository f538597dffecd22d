import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';
import { until } from '../support/until';

const CLI = join(__dirname, '..', '..', 'dist', 'cli.js');

describe('erasing a child', () => {
  let namespace: Namespace;
  let api: ServiceProcess;
  let worker: ServiceProcess;

  beforeAll(async () => {
    namespace = await createNamespace({ ERASURE_KEY: 'a key of the tests, long enough to be one' });
    [api, worker] = await Promise.all([
      ServiceProcess.start('api', namespace.variables),
      ServiceProcess.start('worker', namespace.variables),
    ]);
    await Promise.all([api.ready(), worker.ready()]);
  });
  afterAll(async () => {
    await Promise.all([api.stop(), worker.stop()]);
    await stopAll();
    await namespace.remove();
  });

  function cli(args: string[], variables: Record<string, string> = namespace.variables) {
    return new Promise<{ code: number; out: string; err: string }>((resolve) => {
      const child = execFile(
        process.execPath,
        [CLI, ...args],
        { env: { PATH: process.env.PATH, ...variables } },
        (_error, out, err) => resolve({ code: child.exitCode ?? -1, out, err }),
      );
    });
  }
  const erase = (user: string) => cli(['erase-user', '--user', user, '--yes', '--json']);

  /** Everything in the database that could still name the child, or hold its words. */
  async function traces(user: string): Promise<number> {
    const { rows } = await namespace.database.query(
      `SELECT (SELECT count(*) FROM conversation_events WHERE user_id = $1)
            + (SELECT count(*) FROM friendship_status WHERE user_id = $1)
            + (SELECT count(*) FROM dead_letters WHERE position($2::bytea IN body) > 0) AS found`,
      [user, Buffer.from(user)],
    );
    return Number((rows[0] as { found: string }).found);
  }
  const processed = (count: number, user: string) =>
    until(`${count} of ${user}`, async () => {
      const { rowCount } = await namespace.database.query(
        `SELECT FROM conversation_events WHERE user_id = $1 AND status = 'PROCESSED'`,
        [user],
      );
      return rowCount === count;
    });

  it('removes conversations, dead letters and status, and leaves other children alone', async () => {
    for (const user of ['child-gone', 'child-gone', 'child-stays']) {
      await api.post('/v1/conversations/end', conversation({ user_id: user }));
    }
    await namespace.broker.send(conversation({ user_id: 'child-gone', end_time: 'never' }));
    await Promise.all([processed(2, 'child-gone'), processed(1, 'child-stays')]);
    await until('the dead letter', async () => (await traces('child-gone')) === 4);

    const { code, out } = await erase('child-gone');
    expect({ code, result: JSON.parse(out) as unknown }).toMatchObject({
      code: 0,
      result: { conversations: 2, dead_letters_without_event: 1 },
    });
    expect(await traces('child-gone')).toBe(0);
    expect((await api.get('/v1/friendship/child-gone')).status).toBe(404);
    expect((await api.get('/v1/friendship/child-stays')).body).toMatchObject({ friendship_score: 3 });
  });

  it('answers 410 to a conversation from before, posted again or for the first time, and counts a later one afresh', async () => {
    const before = conversation({ user_id: 'child-again' });
    await api.post('/v1/conversations/end', before);
    await processed(1, 'child-again');
    await erase('child-again');

    for (const body of [before, conversation({ user_id: 'child-again' })]) {
      expect(await api.post('/v1/conversations/end', body)).toMatchObject({
        status: 410,
        body: { code: 'CONVERSATION_ERASED' },
      });
    }
    const later = new Date(Date.now() + 60_000);
    const after = conversation({
      user_id: 'child-again',
      start_time: new Date(later.getTime() - 120_000).toISOString(),
      end_time: later.toISOString(),
    });
    expect((await api.post('/v1/conversations/end', after)).status).toBe(202);
    await processed(1, 'child-again');
    expect((await api.get('/v1/friendship/child-again')).body).toMatchObject({ friendship_score: 3 });
  });

  it('counts nothing and dead-letters nothing when a message of an erased conversation comes late', async () => {
    const body = conversation({ user_id: 'child-late' });
    await api.post('/v1/conversations/end', body);
    await processed(1, 'child-late');
    await erase('child-late');
    for (const message of [{ conversation_id: body.conversation_id }, body]) await namespace.broker.send(message);
    await until(
      'both to be recognised',
      () =>
        worker.log.filter((line) => line.msg === 'erased' && line.conversation_id === body.conversation_id).length ===
        2,
    );
    expect(await traces('child-late')).toBe(0);
  });

  it('removes what is on its way in at that moment', async () => {
    const running = { go: true };
    const posting = (async () => {
      while (running.go) await api.post('/v1/conversations/end', conversation({ user_id: 'child-racing' }));
    })();
    await until('some to be counted', async () => (await traces('child-racing')) > 5);
    const { code } = await erase('child-racing');
    running.go = false;
    await posting;
    expect(code).toBe(0);
    await until('the queue to be empty', async () => (await namespace.broker.figures())?.ready === 0);
    expect(await traces('child-racing')).toBe(0);
  });

  it('keeps no id that could be read, and refuses to work without its key', async () => {
    const { rows } = await namespace.database.query('SELECT count(*)::int AS stones FROM tombstones');
    expect((rows[0] as { stones: number }).stones).toBeGreaterThan(0);
    const { ERASURE_KEY: _key, ...without } = namespace.variables as Record<string, string>;
    expect(await cli(['erase-user', '--user', 'child-gone', '--yes'], without)).toMatchObject({
      code: 2,
      err: expect.stringContaining('ERASURE_KEY') as string,
    });
    expect(await cli(['erase-user', '--yes'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('--user') as string,
    });
  });
});
