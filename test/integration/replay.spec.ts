import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CliProcess, summaryOf } from '../support/cli-process';
import { conversation } from '../support/conversations';
import { insertEvent } from '../support/insert-event';
import { createNamespace, type Namespace } from '../support/namespace';
import { runCli } from '../support/run-cli';
import { ServiceProcess, stopAll } from '../support/service-process';
import { settledEvent, storedEvent, type Row } from '../support/stored';
import { Tap } from '../support/tap';
import { until } from '../support/until';

const CANARY = 'my dog ran away';

describe('dead letters, shown, replayed and discarded', () => {
  let namespace: Namespace;

  beforeAll(async () => {
    namespace = await createNamespace();
    await namespace.database.query(`
      CREATE TABLE refused (user_id text PRIMARY KEY);
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
        IF EXISTS (SELECT FROM refused WHERE refused.user_id = NEW.user_id) THEN RAISE EXCEPTION 'no' USING ERRCODE = '40P01'; END IF;
        RETURN NEW; END$$;
      CREATE TRIGGER refuse BEFORE UPDATE ON conversation_events FOR EACH ROW
        WHEN (NEW.status = 'PROCESSED') EXECUTE FUNCTION refuse()`);
  });
  afterEach(async () => {
    await stopAll();
    await namespace.database
      .query(`UPDATE dead_letters SET state = 'DISCARDED', settled_at = now(), publish_due_at = NULL
                                     WHERE state IN ('OPEN', 'REPLAYING')`);
  });
  afterAll(() => namespace.remove());

  const cli = (...args: string[]) => runCli(namespace.variables, ...args);
  const worker = (variables: Record<string, string> = {}) =>
    ServiceProcess.start('worker', { ...namespace.variables, ...variables }).then((service) => service.ready());
  const mend = (userId: string) => namespace.database.query('DELETE FROM refused WHERE user_id = $1', [userId]);
  const refuse = (userId: string) => namespace.database.query('INSERT INTO refused VALUES ($1)', [userId]);

  async function rows(sql: string, values: unknown[] = []): Promise<Row[]> {
    return (await namespace.database.query(sql, values)).rows as Row[];
  }
  const lettersOf = (conversationId: string) =>
    rows('SELECT * FROM dead_letters WHERE conversation_id = $1 ORDER BY dead_letter_id', [conversationId]);
  const letterOf = (conversationId: string, state: string) =>
    until(`an entry of ${conversationId} that is ${state}`, async () =>
      (await lettersOf(conversationId)).find((letter) => letter.state === state),
    );
  async function scoreOf(userId: string): Promise<number | undefined> {
    const [row] = await rows('SELECT friendship_score FROM friendship_status WHERE user_id = $1', [userId]);
    return row && Number(row.friendship_score);
  }
  /** An event that failed for good, with its entry. */
  async function failedEvent(userId: string): Promise<{ conversationId: string; entry: string }> {
    const conversationId = await insertEvent(namespace, userId, { status: 'FAILED', attempt_count: 3 });
    return { conversationId, entry: await insertLetter(conversationId, true) };
  }
  async function insertLetter(conversationId: string | null, settles: boolean, body = '{}'): Promise<string> {
    const [row] = await rows(
      `INSERT INTO dead_letters (delivery_key, conversation_id, settles_event, reason, attempts, last_failed_at, exchange, routing_key, body)
       VALUES (gen_random_uuid(), $1, $2, $3, 1, now(), '', 'queue', $4) RETURNING dead_letter_id`,
      [conversationId, settles, settles ? 'ATTEMPTS_EXHAUSTED' : 'CONVERSATION_NOT_FOUND', Buffer.from(body)],
    );
    return String(row.dead_letter_id);
  }
  /** As the sweeper or an old publisher put it there. */
  const queue = (conversationId: string) =>
    namespace.broker.send({ conversation_id: conversationId }, { messageId: conversationId });

  it('counts a failed event once when its cause is mended, and says so on the entry', async () => {
    await refuse('child-mended');
    const service = await worker();
    const id = await insertEvent(namespace, 'child-mended');
    await queue(id);
    const { dead_letter_id: entry } = await letterOf(id, 'OPEN');
    await mend('child-mended');
    const replayed = await cli('dead-letters', 'replay', '--id', String(entry), '--json');
    expect(replayed.code).toBe(0);
    expect(summaryOf(replayed)).toMatchObject({ replayed: 1, events: 1, messages: 0, left_open: 0 });
    expect(replayed.stderr).toContain('replayed 1/1');
    expect(await settledEvent(namespace, id)).toMatchObject({ status: 'PROCESSED', attempt_count: 1 });
    expect(await scoreOf('child-mended')).toBe(1);
    expect(await lettersOf(id)).toMatchObject([{ state: 'REPLAYED', settled_at: expect.any(Date) as Date }]);
    // The very same again changes nothing.
    const again = await cli('dead-letters', 'replay', '--id', String(entry), '--json');
    expect(summaryOf(again)).toMatchObject({ replayed: 0, left_open: 0 });
    expect(again.code).toBe(0);
    await service.stop();
    expect(await scoreOf('child-mended')).toBe(1);
  });

  it('gives a new entry to an event that fails again, and counts it when that one is replayed', async () => {
    await refuse('child-twice');
    await worker();
    const id = await insertEvent(namespace, 'child-twice');
    await queue(id);
    await letterOf(id, 'OPEN');
    await cli('dead-letters', 'replay', '--reason', 'ATTEMPTS_EXHAUSTED');
    await until('a second entry', async () => (await lettersOf(id)).length === 2);
    expect(await lettersOf(id)).toMatchObject([{ state: 'REPLAYED' }, { state: 'OPEN', attempts: 3 }]);
    expect(await storedEvent(namespace, id)).toMatchObject({ status: 'FAILED', attempt_count: 3 });
    await mend('child-twice');
    await cli('dead-letters', 'replay', '--all', '--yes');
    expect(await settledEvent(namespace, id)).toMatchObject({ status: 'PROCESSED' });
    expect(await scoreOf('child-twice')).toBe(1);
  });

  it('publishes what has no row byte for byte, and what was refused for its size is stored and counted once', async () => {
    const small = await worker({ HTTP_BODY_LIMIT: '1KiB' });
    const body = ` ${JSON.stringify(conversation({ user_id: 'child-large', extra: 'x'.repeat(2_000) }), null, 2)}\n`;
    await namespace.broker.send(body, { messageId: 'message-large' });
    const [letter] = await until('the entry', async () => {
      const found = await rows(`SELECT * FROM dead_letters WHERE message_id = 'message-large' AND state = 'OPEN'`);
      return found.length === 1 && found;
    });
    expect(letter).toMatchObject({ reason: 'INVALID_MESSAGE', settles_event: false });
    await small.stop();

    const tap = await Tap.open(namespace);
    const queued = await cli('dead-letters', 'replay', '--id', String(letter.dead_letter_id), '--json');
    expect(summaryOf(queued)).toMatchObject({ replayed: 1, events: 0, messages: 1 });
    expect(await rows(`SELECT state FROM dead_letters WHERE message_id = 'message-large'`)).toEqual([
      { state: 'REPLAYING' },
    ]);
    await worker();
    await until('it to be counted', async () => (await scoreOf('child-large')) === 3);
    await until('the entry to be confirmed', async () => {
      const [row] = await rows(`SELECT state, body FROM dead_letters WHERE message_id = 'message-large'`);
      return row.state === 'REPLAYED' && (row.body as Buffer).equals(Buffer.from(body));
    });
    // Nobody else who listens on the exchange hears of it.
    expect(tap.messages).toEqual([]);
    await tap.close();
  });

  it('reaches the queue byte for byte, with its id and with where it came from', async () => {
    const body = ' { "conversation_id" : "conv-bytes" , "ü": "\\u0000" }\n';
    const entry = await insertLetter(null, false, body);
    await rows(
      `UPDATE dead_letters SET message_id = 'message-1', exchange = 'ex', routing_key = 'key' WHERE dead_letter_id = $1`,
      [entry],
    );
    await cli('dead-letters', 'replay', '--id', entry);
    const api = await ServiceProcess.start('api', namespace.variables);
    await until('the confirm', async () => {
      const [row] = await rows('SELECT state FROM dead_letters WHERE dead_letter_id = $1', [entry]);
      return row.state === 'REPLAYED';
    });
    await api.stop();
    await worker();
    const { reason, ...again } = await letterOf('conv-bytes', 'OPEN');
    expect({ reason, ...again }).toMatchObject({
      reason: 'CONVERSATION_NOT_FOUND',
      message_id: 'message-1',
      exchange: 'ex',
      routing_key: 'key',
      body: Buffer.from(body),
    });
  });

  it('keeps an entry open for the broker’s confirm: without one it is published again', async () => {
    const id = await insertEvent(namespace, 'child-unconfirmed');
    const entry = await insertLetter(id, false, JSON.stringify({ conversation_id: id }));
    await cli('dead-letters', 'replay', '--id', entry);
    // Another replica took it, and died before the confirm.
    await rows(`UPDATE dead_letters SET publish_due_at = now() + interval '1 second' WHERE dead_letter_id = $1`, [
      entry,
    ]);
    await worker();
    await letterOf(id, 'REPLAYED');
    expect(await settledEvent(namespace, id)).toMatchObject({ status: 'PROCESSED' });
    expect(await scoreOf('child-unconfirmed')).toBe(1);
  });

  it('waits for a worker that is down', async () => {
    const { conversationId } = await failedEvent('child-down');
    const { code } = await cli('dead-letters', 'replay', '--all', '--yes');
    expect(code).toBe(0);
    expect(await storedEvent(namespace, conversationId)).toMatchObject({ status: 'PENDING', attempt_count: 0 });
    await worker();
    expect(await settledEvent(namespace, conversationId)).toMatchObject({ status: 'PROCESSED' });
    expect(await scoreOf('child-down')).toBe(1);
  });

  it('counts each once when several operators replay everything at the same time', async () => {
    const events: string[] = [];
    for (let index = 0; index < 700; index++) events.push((await failedEvent('child-many')).conversationId);
    await worker({ MESSAGE_CONCURRENCY_PER_WORKER: '10' });
    const runs = await Promise.all([1, 2, 3].map(() => cli('dead-letters', 'replay', '--all', '--yes', '--json')));
    const replayed = runs.map((run) => summaryOf(run).replayed);
    expect(replayed.reduce((total, count) => total + count)).toBe(700);
    await until('all to be counted', async () => (await scoreOf('child-many')) === 700, 30);
    const [{ attempts, letters }] = await rows(
      `SELECT (SELECT sum(attempt_count)::int FROM conversation_events WHERE user_id = 'child-many') AS attempts,
              (SELECT count(*)::int FROM dead_letters WHERE conversation_id = ANY ($1)) AS letters`,
      [events],
    );
    expect({ attempts, letters }).toEqual({ attempts: 700, letters: 700 });
  });

  it('loses nothing and repeats nothing when it is killed in the middle of a batch', async () => {
    const events: string[] = [];
    for (let index = 0; index < 600; index++) events.push((await failedEvent('child-killed')).conversationId);
    // The first batch of 500 goes through; the second waits for this row.
    const lock = await namespace.database.connect();
    await lock.query('BEGIN');
    await lock.query('SELECT FROM conversation_events WHERE conversation_id = $1 FOR UPDATE', [events[550]]);
    const process = new CliProcess(namespace.variables, 'dead-letters', 'replay', '--all', '--yes');
    await until('it to wait in its second batch', async () => {
      const waiting = await rows(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
      );
      return waiting.length === 1;
    });
    expect(await process.kill()).toBe('SIGKILL');
    await lock.query('ROLLBACK');
    lock.release();
    await until('PostgreSQL to notice', async () => {
      const left = await rows(
        `SELECT FROM pg_stat_activity WHERE application_name LIKE 'friendship-service%' AND datname = current_database()`,
      );
      return left.length === 0;
    });
    const counts = () =>
      rows(`SELECT letter.state, event.status, count(*)::int FROM dead_letters AS letter
              JOIN conversation_events AS event USING (conversation_id)
             WHERE user_id = 'child-killed' GROUP BY 1, 2 ORDER BY 1, 2`);
    expect(await counts()).toEqual([
      { state: 'OPEN', status: 'FAILED', count: 100 },
      { state: 'REPLAYED', status: 'PENDING', count: 500 },
    ]);
    const again = await cli('dead-letters', 'replay', '--all', '--yes', '--json');
    expect(summaryOf(again)).toMatchObject({ replayed: 100, events: 100, left_open: 0 });
    await worker({ MESSAGE_CONCURRENCY_PER_WORKER: '10' });
    await until('all to be counted', async () => (await scoreOf('child-killed')) === 600, 30);
  });

  it('leaves alone what another run holds, and says that it is still open', async () => {
    const { entry } = await failedEvent('child-held');
    const lock = await namespace.database.connect();
    await lock.query('BEGIN');
    await lock.query('SELECT FROM dead_letters WHERE dead_letter_id = $1 FOR UPDATE', [entry]);
    const run = await cli('dead-letters', 'replay', '--id', entry, '--json');
    await lock.query('ROLLBACK');
    lock.release();
    expect(run.code).toBe(1);
    expect(summaryOf(run)).toMatchObject({ replayed: 0, left_open: 1 });
    expect(run.stderr).toContain('1 are still open');
  });

  it('gives another chance to a message that killed its workers', async () => {
    const { conversationId } = await failedEvent('child-killer');
    const { createHash } = await import('node:crypto');
    const key = createHash('sha256').update(conversationId).digest('base64url');
    await rows('INSERT INTO suspect_messages VALUES ($1, 4, now())', [key]);
    await cli('dead-letters', 'replay', '--all', '--yes');
    await worker();
    expect(await settledEvent(namespace, conversationId)).toMatchObject({ status: 'PROCESSED' });
  });

  it('cannot replay a message whose body was purged, and says so', async () => {
    const entry = await insertLetter(null, false);
    await rows('UPDATE dead_letters SET body = NULL WHERE dead_letter_id = $1', [entry]);
    const run = await cli('dead-letters', 'replay', '--id', entry, '--json');
    expect(run.code).toBe(1);
    expect(summaryOf(run)).toMatchObject({ replayed: 0, left_open: 1 });
  });

  it('discards with a note; the event stays FAILED, and a late copy of its message opens no new entry', async () => {
    const { conversationId, entry } = await failedEvent('child-discarded');
    const run = await cli('dead-letters', 'discard', '--id', entry, '--note', 'a test robot', '--json');
    expect(run.code).toBe(0);
    expect(summaryOf(run)).toMatchObject({ discarded: 1, left_open: 0 });
    const service = await worker();
    await queue(conversationId);
    await service.logged('the copy', (line) => line.conversation_id === conversationId && line.msg === 'duplicate');
    expect(await storedEvent(namespace, conversationId)).toMatchObject({ status: 'FAILED' });
    expect(await lettersOf(conversationId)).toMatchObject([
      { state: 'DISCARDED', note: 'a test robot', settled_at: expect.any(Date) as Date },
    ]);
    // What is discarded is no longer replayed.
    expect(summaryOf(await cli('dead-letters', 'replay', '--id', entry, '--json'))).toMatchObject({ replayed: 0 });
    expect(await storedEvent(namespace, conversationId)).toMatchObject({ status: 'FAILED' });
  });

  it('discards by reason, and only that', async () => {
    const { entry } = await failedEvent('child-reason');
    const other = await insertLetter(null, false);
    await cli('dead-letters', 'discard', '--reason', 'ATTEMPTS_EXHAUSTED');
    expect(
      await rows('SELECT dead_letter_id, state FROM dead_letters WHERE dead_letter_id = ANY ($1) ORDER BY 1', [
        [entry, other],
      ]),
    ).toEqual([
      { dead_letter_id: entry, state: 'DISCARDED' },
      { dead_letter_id: other, state: 'OPEN' },
    ]);
  });

  describe('shown', () => {
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'friendship-show-'));
    });
    afterAll(() => rm(folder, { recursive: true }));

    it('tells everything but the text, which goes to a file that only its owner can read', async () => {
      const body = JSON.stringify({
        conversation_id: 'conv-shown',
        conversation_log: [{ text: CANARY }],
        [CANARY]: CANARY,
      });
      const entry = await insertLetter('conv-shown', false, body);
      const file = join(folder, 'body.json');
      const text = await cli('dead-letters', 'show', entry, '--body-to', file);
      const json = await cli('dead-letters', 'show', entry, '--json');
      expect(text.code).toBe(0);
      expect(text.stdout).toMatch(/^state +OPEN$/m);
      expect(text.stdout).toMatch(/^reason +CONVERSATION_NOT_FOUND$/m);
      expect(text.stdout).toMatch(/^body +JSON, an object of 3 fields$/m);
      expect(text.stdout).toMatch(/^ +conversation_log: an array of 1 items$/m);
      expect(JSON.parse(json.stdout)).toMatchObject({
        dead_letter_id: entry,
        routing_key: 'queue',
        attempts: 1,
        bytes: Buffer.byteLength(body),
        event_status: null,
      });
      for (const output of [text, json]) expect(output.stdout + output.stderr).not.toContain('dog');
      expect(await readFile(file, 'utf8')).toBe(body);
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      const second = await cli('dead-letters', 'show', entry, '--body-to', file);
      expect(second.code).toBe(2);
      expect(second.stderr).toContain('--body-to: expected a new file that can be written');
    });

    it('tells nothing of a body that is not JSON but its size', async () => {
      const entry = await insertLetter(null, false, CANARY);
      const { stdout } = await cli('dead-letters', 'show', entry);
      expect(stdout).toMatch(/^body +not JSON$/m);
      expect(stdout).toMatch(/^bytes +15$/m);
      expect(stdout).not.toContain('dog');
    });
  });

  it.each([
    [['show'], 'expected the ID of a dead letter, got nothing'],
    [['show', 'seven'], 'ID: expected the number of a dead letter, got "seven"'],
    [['show', '9223372036854775808'], 'ID: expected the number of a dead letter'],
    [['show', '999999999'], 'ID: expected the number of a dead letter, got 999999999, which is none'],
    [['show', '1', '2'], 'expected no argument of this kind, got "2"'],
    [['replay'], 'expected one of --id N…, --reason REASON, --all; got none of them'],
    [['replay', '--all', '--id', '1'], 'got --id and --all'],
    [['replay', '--all', '7'], 'expected no argument of this kind, got "7"'],
    [['replay', '--all'], '--all: expected --yes as well, since there is no terminal to ask on'],
    [['discard', '--all'], '--all: expected --yes as well, since there is no terminal to ask on'],
    [['replay', '--id', '0'], '--id: expected the number of a dead letter, got "0"'],
    [['replay', '--id', '999999999'], '--id: expected numbers of dead letters, got 999999999'],
    [['replay', '--reason', 'BORED'], '--reason: expected one of INVALID_MESSAGE'],
    [['replay', '--note', 'x', '--all'], '--note'],
    [['discard', '--all', '--note', 'long'], '--note: expected at most 1000 characters, got 1001'],
  ])('refuses dead-letters %j and says what was expected', async (words, message) => {
    const args = words.map((word) => (word === 'long' ? 'x'.repeat(1_001) : word));
    const { code, stderr } = await cli('dead-letters', ...args);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) as string });
  });
});
