import { conversation, turns } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { expectProblem } from '../support/problem';
import { ServiceProcess, stopAll } from '../support/service-process';
import { storedEvent, type Row } from '../support/stored';
import { Tap } from '../support/tap';
import { until } from '../support/until';

interface Accepted {
  success: boolean;
  message: string;
  data: Row & { duplicate: boolean };
}

const MiB = 1024 ** 2;

describe('taking conversations in', () => {
  let namespace: Namespace;
  let api: ServiceProcess;
  let small: ServiceProcess;
  let tap: Tap;
  /** What PostgreSQL showed to others at the moment a message arrived. */
  const visibleAtDelivery = new Map<string, Promise<Row | undefined>>();

  beforeAll(async () => {
    // A zone far from UTC: nothing may depend on where the process runs.
    // And a confirm may take its time: what a late one leads to is tested elsewhere.
    namespace = await createNamespace({ TZ: 'America/Los_Angeles', PUBLISH_TIMEOUT: '20s' });
    tap = await Tap.open(namespace, ({ properties }) => {
      const id = String(properties.messageId);
      visibleAtDelivery.set(id, storedEvent(namespace, id));
    });
    [api, small] = await Promise.all([
      ServiceProcess.start('api', namespace.variables),
      ServiceProcess.start('api', { ...namespace.variables, HTTP_BODY_LIMIT: '64KiB' }),
    ]);
    await Promise.all([api.ready(), small.ready()]);
  });
  afterAll(async () => {
    await tap.close();
    const codes = await Promise.all([api.stop(), small.stop()]);
    await stopAll();
    await namespace.remove();
    expect(codes).toEqual([0, 0]);
  });

  const post = (body: unknown) => api.post<Accepted>('/v1/conversations/end', body);
  const eventOf = (body: { conversation_id: string }) => storedEvent(namespace, body.conversation_id);
  async function storedLog(body: { conversation_id: string }): Promise<unknown> {
    return (await eventOf(body))!.conversation_log;
  }

  describe('a valid conversation', () => {
    it('is answered 202 with the stored event, PENDING', async () => {
      const body = conversation({ agent_tag: 'agent_dino_1', metadata: { user_initiated_questions: 2 } });
      const answer = await post(body);
      expect(answer.status).toBe(202);
      expect(answer.body).toMatchObject({ success: true, message: expect.stringMatching(/./) });
      expect(answer.body.data).toEqual({
        conversation_id: body.conversation_id,
        user_id: 'child-1',
        bot_id: 'bot-1',
        bot_name: 'Dino',
        bot_type: 'TALK',
        agent_tag: 'agent_dino_1',
        start_time: '2026-11-20T10:00:00.000Z',
        end_time: '2026-11-20T10:10:00.000Z',
        status: 'PENDING',
        attempt_count: 0,
        error_code: null,
        accepted_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        processed_at: null,
        friendship_score_change: null,
        score_breakdown: null,
        topic_id: null,
        business_day: null,
        rule_version: null,
        duplicate: false,
      });
      expect(await eventOf(body)).toMatchObject({
        status: 'PENDING',
        attempt_count: 0,
        user_initiated_questions: 2,
        session_emotion: null,
        new_memories_count: null,
        publish_due_at: null,
      });
    });

    it('is on the exchange as a persistent reference, after its insert was committed', async () => {
      const body = conversation();
      const { data } = (await post(body)).body;
      const message = await until('the message', () => tap.of(body.conversation_id)[0]);
      expect(message.fields).toMatchObject({
        exchange: namespace.variables.RABBITMQ_EXCHANGE,
        routingKey: 'conversation.end',
      });
      expect(message.properties).toMatchObject({
        deliveryMode: 2,
        messageId: body.conversation_id,
        contentType: 'application/json',
      });
      expect(JSON.parse(message.content.toString())).toEqual({
        conversation_id: body.conversation_id,
        user_id: body.user_id,
        bot_id: body.bot_id,
        enqueued_at: data.accepted_at,
      });
      expect(await visibleAtDelivery.get(body.conversation_id)).toMatchObject({ status: 'PENDING' });
    });

    it('lies in the work queue', async () => {
      const before = (await namespace.broker.figures())!.ready;
      await post(conversation());
      await until('one more message', async () => (await namespace.broker.figures())!.ready > before);
    });

    it('is taken at the limits of every field', async () => {
      const answer = await post(
        conversation({
          conversation_id: `${'~'.repeat(243)}!limits-3-255`.slice(-255),
          user_id: '!'.repeat(255),
          bot_id: '🦖'.repeat(255),
          bot_name: 'ü'.repeat(255),
          bot_type: '',
          agent_tag: '🦖'.repeat(255),
          start_time: '2020-01-01T00:00:00Z',
          end_time: '2020-01-02T00:00:00Z',
          metadata: { user_initiated_questions: 1000, session_emotion: '🦖'.repeat(50), new_memories_count: 0 },
        }),
      );
      expect(answer.status).toBe(202);
      expect(answer.body.data).toMatchObject({ bot_id: '🦖'.repeat(255), agent_tag: '🦖'.repeat(255), bot_type: '' });
    });

    it('may end up to 10 minutes ahead of now', async () => {
      const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();
      const start_time = inMinutes(-5);
      expect((await post(conversation({ start_time, end_time: inMinutes(9) }))).status).toBe(202);
      expectProblem(await post(conversation({ start_time, end_time: inMinutes(11) })), 'VALIDATION_FAILED');
    });

    it('may hold 50,000 log items', async () => {
      const body = conversation({ conversation_log: turns(25_000) });
      expect((await post(body)).status).toBe(202);
      expect(await storedLog(body)).toHaveLength(50_000);
    });
  });

  describe('without the /v1 prefix', () => {
    const known = conversation({ user_id: 'child-alias' });

    beforeAll(async () => {
      await post(known);
      await namespace.database.query(
        `INSERT INTO friendship_status (user_id, friendship_score, last_interaction_date, interaction_days, topic_metrics, updated_at)
         VALUES ('child-alias', 7, '2026-11-20T10:10Z', '{[2026-11-20,2026-11-21)}', '{}', now())`,
      );
    });

    it.each([
      ['POST', '/conversations/end', known, 202],
      ['GET', `/conversations/${known.conversation_id}`, undefined, 200],
      ['GET', '/conversations?user_id=child-alias', undefined, 200],
      ['POST', `/conversations/${known.conversation_id}/score`, {}, 200],
      ['GET', '/friendship/child-alias', undefined, 200],
      ['POST', '/friendship/status', { user_id: 'child-alias' }, 200],
    ])('%s %s answers the same', async (method, path, body, status) => {
      const headers: Record<string, string> = body ? { 'content-type': 'application/json' } : {};
      const [versioned, plain] = await Promise.all([
        api.request(method, `/v1${path}`, body, headers),
        api.request(method, path, body, headers),
      ]);
      expect(versioned.status).toBe(status);
      expect(plain.status).toBe(status);
      expect(plain.body).toEqual(versioned.body);
    });
  });

  describe('the same conversation again', () => {
    it('is answered 202 as a duplicate with the stored event, and is published once', async () => {
      const body = conversation();
      const first = await post(body);
      const again = await post(body);
      expect(again.status).toBe(202);
      expect(again.body).toMatchObject({ success: true });
      expect(again.body.data).toEqual({ ...first.body.data, duplicate: true });
      await until('the message', () => tap.of(body.conversation_id)[0]);
      // Messages of one publisher keep their order: after this one, a second one would have come.
      const next = conversation();
      await post(next);
      await until('the next message', () => tap.of(next.conversation_id)[0]);
      expect(tap.of(body.conversation_id)).toHaveLength(1);
    });

    const first = {
      agent_tag: null,
      start_time: '2026-11-20T10:00:00Z',
      end_time: '2026-11-20T10:10:00Z',
      conversation_log: [
        { character: 'BOT_RESPONSE_CONVERSATION', content: 'Hello?' },
        { character: 'USER', content: 'Hello.' },
      ],
      metadata: { session_emotion: 'happy', new_memories_count: 2, user_initiated_questions: null },
    };

    it.each<[string, Record<string, unknown>]>([
      [
        'in the other log shape',
        {
          conversation_log: [
            { speaker: 'pika', text: 'Hello?', turn_id: 9 },
            { speaker: 'user', text: 'Hello.', turn_id: 9 },
          ],
        },
      ],
      [
        'with the timestamps that it gets by default, and with blanks around its texts',
        {
          conversation_log: [
            { speaker: 'BOT', text: ' Hello?\n', timestamp: '2026-11-20T10:00:00Z' },
            { character: 'the user', content: '\tHello.', timestamp: '2026-11-20T17:05:00+07:00' },
          ],
        },
      ],
      ['under the alias conversation_logs', { conversation_log: undefined, conversation_logs: first.conversation_log }],
      ['under aliases in the metadata', { metadata: { emotion: 'happy', new_memories_created: 2 } }],
      [
        'with its times in another zone and more digits',
        { start_time: '2026-11-20T17:00:00.000+07:00', end_time: '2026-11-20 10:10' },
      ],
      ['with unknown fields and no agent_tag', { agent_tag: undefined, status: 'FAILED', colour: 'blue' }],
    ])('%s is the same', async (_how, change) => {
      const body = conversation(first);
      expect((await post(body)).body.data.duplicate).toBe(false);
      const again = await post({ ...body, ...change });
      expect(again).toMatchObject({ status: 202, body: { data: { duplicate: true } } });
    });
  });

  describe('another conversation under a known id', () => {
    it.each<[string, Record<string, unknown>]>([
      ['another child', { user_id: 'child-2' }],
      ['another bot', { bot_id: 'bot-2' }],
      ['another end', { end_time: '2026-11-20T10:10:00.001Z' }],
      ['another tag', { agent_tag: 'agent' }],
      ['another text', { conversation_log: [...turns(2), { character: 'USER', content: 'More.' }] }],
      ['another emotion', { metadata: { session_emotion: 'boring' } }],
      ['a zero where nothing was said', { metadata: { new_memories_count: 0 } }],
    ])('with %s is a 409 and leaves the stored one as it is', async (_what, change) => {
      const body = conversation();
      await post(body);
      const stored = await eventOf(body);
      expectProblem(await post({ ...body, ...change }), 'CONVERSATION_CONFLICT');
      expect(await eventOf(body)).toEqual(stored);
    });
  });

  describe('posts at the same time', () => {
    it('of one conversation store one event, and exactly one is not a duplicate', async () => {
      const body = conversation();
      const answers = await Promise.all(Array.from({ length: 20 }, () => post(body)));
      expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(202));
      expect(answers.filter((answer) => !answer.body.data.duplicate)).toHaveLength(1);
      expect(new Set(answers.map((answer) => answer.body.data.accepted_at)).size).toBe(1);
      await until('the message', () => tap.of(body.conversation_id)[0]);
      const next = conversation();
      await post(next);
      await until('the next message', () => tap.of(next.conversation_id)[0]);
      expect(tap.of(body.conversation_id)).toHaveLength(1);
    });

    it('of different conversations with one id store one, and the others are 409', async () => {
      const { conversation_id } = conversation();
      const names = Array.from({ length: 20 }, (_, index) => `Bot ${index}`);
      const answers = await Promise.all(names.map((bot_name) => post(conversation({ conversation_id, bot_name }))));
      const winners = answers.filter(({ status }) => status === 202);
      expect(winners).toHaveLength(1);
      for (const answer of answers) {
        if (answer !== winners[0]) expectProblem(answer, 'CONVERSATION_CONFLICT');
      }
      expect(await storedEvent(namespace, conversation_id)).toMatchObject({ bot_name: winners[0].body.data.bot_name });
    });
  });

  describe('many posts at the same time', () => {
    it('share a transaction, and each is stored as it was sent and has its own answer', async () => {
      const known = conversation({ bot_name: 'as it was' });
      await post(known);
      const bodies = Array.from({ length: 60 }, (_, index) =>
        conversation({
          user_id: `child-among-many-${index}`,
          bot_name: `Bot "${index}" \\ {a,b}, 'c'`,
          agent_tag: index % 2 === 0 ? `agent_${index}` : null,
          end_time: `2026-11-20T10:10:${String(index).padStart(2, '0')}Z`,
          conversation_log: [{ speaker: 'user', text: `Line of "${index}", {x} \\ NULL` }],
          metadata: index % 3 === 0 ? null : { new_memories_count: index, session_emotion: index % 2 ? 'sad' : null },
        }),
      );
      const answers = await Promise.all([
        ...bodies.map(post),
        post(known),
        post({ ...known, bot_name: 'changed' }),
        post({ ...known, start_time: 'yesterday' }),
      ]);
      expect(answers.splice(bodies.length).map(({ status }) => status)).toEqual([202, 409, 422]);
      expect(answers.map(({ status, body }) => [status, body.data.duplicate])).toEqual(bodies.map(() => [202, false]));
      const rows = await Promise.all(bodies.map(eventOf));
      expect(rows).toEqual(
        bodies.map((body, index) =>
          expect.objectContaining({
            conversation_id: body.conversation_id,
            user_id: body.user_id,
            bot_name: body.bot_name,
            agent_tag: body.agent_tag,
            end_time: new Date(String(body.end_time)),
            conversation_log: [expect.objectContaining({ speaker: 'user', text: `Line of "${index}", {x} \\ NULL` })],
            new_memories_count: index % 3 === 0 ? null : index,
            session_emotion: index % 3 === 0 || index % 2 === 0 ? null : 'sad',
          }),
        ),
      );
      const { rows: transactions } = await namespace.database.query(
        `SELECT DISTINCT xmin::text FROM conversation_events WHERE user_id LIKE 'child-among-many-%'`,
      );
      expect(transactions.length).toBeLessThan(bodies.length);
    });
  });

  describe('what is stored', () => {
    it('is never a result that the client sent', async () => {
      const body = conversation({
        status: 'PROCESSED',
        attempt_count: 7,
        error_code: 'X',
        first_error_code: 'X',
        last_error_code: 'X',
        accepted_at: '2020-01-01T00:00:00Z',
        processed_at: '2020-01-01T00:00:00Z',
        friendship_score_change: 5000,
        score_breakdown: { total_turns: 5000 },
        rule_version: 'x',
        topic_id: 'x',
        business_day: '2020-01-01',
        fingerprint: 'x',
        publish_due_at: '2020-01-01T00:00:00Z',
        publish_count: 7,
        duplicate: true,
      });
      const { data } = (await post(body)).body;
      expect(data).toMatchObject({ status: 'PENDING', attempt_count: 0, friendship_score_change: null });
      expect(data.duplicate).toBe(false);
      const row = (await eventOf(body))!;
      expect(row).toMatchObject({
        status: 'PENDING',
        attempt_count: 0,
        first_error_code: null,
        last_error_code: null,
        processed_at: null,
        friendship_score_change: null,
        score_breakdown: null,
        rule_version: null,
        topic_id: null,
        business_day: null,
        publish_due_at: null,
        publish_count: 0,
      });
      expect((row.accepted_at as Date).getUTCFullYear()).toBeGreaterThan(2020);
    });

    it.each<[string, Record<string, unknown>]>([
      ['no log', { conversation_log: undefined }],
      ['a null log', { conversation_log: null }],
      ['an empty log', { conversation_log: [] }],
    ])('with %s is an empty log', async (_what, fields) => {
      const body = conversation(fields);
      expect((await post(body)).status).toBe(202);
      expect(await storedLog(body)).toEqual([]);
    });

    it('is the first of the two names of a field when both are sent', async () => {
      const body = conversation({
        conversation_log: [{ speaker: 'user', text: 'first' }],
        conversation_logs: [{ speaker: 'user', text: 'second' }],
        metadata: { session_emotion: 'sad', emotion: 'angry', new_memories_count: 1, new_memories_created: 2 },
      });
      await post(body);
      expect(await storedLog(body)).toMatchObject([{ text: 'first' }]);
      expect(await eventOf(body)).toMatchObject({ session_emotion: 'sad', new_memories_count: 1 });
    });

    it('has trimmed texts, no empty lines, turns numbered from 1, and speakers by their names', async () => {
      const body = conversation({
        conversation_log: [
          { character: 'BOT_USER', content: ' a ' },
          { character: 'uSeR_1', content: 'b' },
          { speaker: 'user', text: '   ' },
          { speaker: 'USER', text: null, turn_id: 1 },
          { speaker: 'Pika the user', text: 'c', turn_id: 77 },
          { speaker: 'nobody', text: 'd' },
          { text: 'e' },
          { speaker: 'user' },
          {},
        ],
      });
      await post(body);
      expect(await storedLog(body)).toMatchObject([
        { speaker: 'pika', turn_id: 1, text: 'a' },
        { speaker: 'user', turn_id: 2, text: 'b' },
        { speaker: 'pika', turn_id: 3, text: 'c' },
        { speaker: 'pika', turn_id: 4, text: 'd' },
        { speaker: 'pika', turn_id: 5, text: 'e' },
      ]);
    });

    it('has a timestamp for each line: its share of the time, by its place among the items that were sent', async () => {
      const text = 'x';
      const body = conversation({
        conversation_log: [
          { text },
          { text: '' },
          { text },
          { text, timestamp: '2026-11-20T12:34:56.789+02:30' },
          { text, timestamp: null },
          { text },
          { text },
        ],
      });
      await post(body);
      const log = (await storedLog(body)) as { timestamp: string }[];
      // 10 minutes among 7 items: 85.7 s each, cut to seconds.
      expect(log.map(({ timestamp }) => timestamp)).toEqual([
        '2026-11-20T10:00:00.000Z',
        '2026-11-20T10:02:51.000Z',
        '2026-11-20T10:04:56.789Z',
        '2026-11-20T10:05:42.000Z',
        '2026-11-20T10:07:08.000Z',
        '2026-11-20T10:08:34.000Z',
      ]);
    });

    it.each([
      ['2026-11-20T10:00:00', '2026-11-20T10:00:00.000Z'],
      ['2026-11-20 10:00', '2026-11-20T10:00:00.000Z'],
      ['2026-11-20T17:00:00+07:00', '2026-11-20T10:00:00.000Z'],
      ['2026-11-20T17:00:00+07', '2026-11-20T10:00:00.000Z'],
      ['2026-11-20T05:30:00-0430', '2026-11-20T10:00:00.000Z'],
      ['2026-11-20T10:00:00.123456z', '2026-11-20T10:00:00.123Z'],
      ['2026-03-08T02:30:00', '2026-03-08T02:30:00.000Z'],
    ])('of a start at %s is %s, wherever the process runs', async (start_time, stored) => {
      const end_time = new Date(Date.parse(stored) + 60_000).toISOString();
      const body = conversation({ start_time, end_time });
      expect((await post(body)).body.data).toMatchObject({ start_time: stored, end_time });
      expect((await eventOf(body))!.start_time).toEqual(new Date(stored));
    });

    it('has U+FFFD for what PostgreSQL cannot store', async () => {
      const raw = JSON.stringify(conversation({ bot_name: 'N', conversation_log: [{ text: 'T' }] }))
        .replace('"N"', '"a\\u0000b\\ud800"')
        .replace('"T"', '"\\udc00\\u0000😀"');
      const body = JSON.parse(raw) as { conversation_id: string };
      expect((await post(raw)).status).toBe(202);
      expect(await eventOf(body)).toMatchObject({ bot_name: 'a\uFFFDb\uFFFD' });
      expect(await storedLog(body)).toMatchObject([{ text: '\uFFFD\uFFFD😀' }]);
    });
  });

  describe('the size of a body', () => {
    /** A body of exactly this many bytes. */
    function bodyOf(size: number): { conversation_id: string; raw: string } {
      const body = conversation({ conversation_log: [{ speaker: 'user', text: '' }] });
      const empty = JSON.stringify(body);
      return {
        conversation_id: body.conversation_id,
        raw: empty.replace(
          '"text":""',
          () => `"text":"${'ü'.repeat(Math.floor((size - empty.length) / 2))}${(size - empty.length) % 2 ? 'x' : ''}"`,
        ),
      };
    }
    const postSmall = (body: string) => small.post('/v1/conversations/end', body);

    it.each([
      ['just under the limit is taken', 64 * 1024 - 1, 202],
      ['at the limit is taken', 64 * 1024, 202],
      ['one byte above the limit is a 413', 64 * 1024 + 1, 413],
    ])('%s', async (_what, size, status) => {
      const { raw, conversation_id } = bodyOf(size);
      expect(Buffer.byteLength(raw)).toBe(size);
      const answer = await postSmall(raw);
      expect(answer.status).toBe(status);
      if (status === 413) expectProblem(answer, 'BODY_TOO_LARGE');
      expect((await storedEvent(namespace, conversation_id)) !== undefined).toBe(status === 202);
    });

    it('may be 8 MiB by default, and not a byte more', async () => {
      const body = bodyOf(8 * MiB);
      expect((await post(body.raw)).status).toBe(202);
      expect(await storedLog(body)).toHaveLength(1);
      expectProblem(await post(bodyOf(8 * MiB + 1).raw), 'BODY_TOO_LARGE');
    });
  });
});
