import { conversation, turns } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { expectProblem } from '../support/problem';
import { ServiceProcess, stopAll } from '../support/service-process';
import { settledEvent, type Row } from '../support/stored';

interface Page {
  items: (Row & { conversation_id: string; accepted_at: string })[];
  next_cursor: string | null;
}

const UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('asking for conversations and friendships', () => {
  let namespace: Namespace;
  let api: ServiceProcess;
  let worker: ServiceProcess;

  beforeAll(async () => {
    namespace = await createNamespace({ TZ: 'America/Los_Angeles', MESSAGE_CONCURRENCY_PER_WORKER: '10' });
    await namespace.database.query(
      `INSERT INTO topic_agents VALUES ('agent_dino', 'dinosaurs'), ('agent_star', 'stars')`,
    );
    [api, worker] = await Promise.all([
      ServiceProcess.start('api', namespace.variables),
      ServiceProcess.start('worker', namespace.variables),
    ]);
    await Promise.all([api.ready(), worker.ready()]);
  });
  afterAll(async () => {
    const codes = await Promise.all([api.stop(), worker.stop()]);
    await stopAll();
    await namespace.remove();
    expect(codes).toEqual([0, 0]);
  });

  /** Posts a conversation and waits until it is settled. @returns its id */
  async function settled(fields: Record<string, unknown> = {}): Promise<string> {
    const body = conversation(fields);
    expect((await api.post('/v1/conversations/end', body)).status).toBe(202);
    await settledEvent(namespace, body.conversation_id);
    return body.conversation_id;
  }
  /** The row with the transaction that wrote it last. */
  async function rowVersion(id: string): Promise<unknown> {
    const { rows } = await namespace.database.query(
      'SELECT to_jsonb(event) AS row, xmin, ctid FROM conversation_events AS event WHERE conversation_id = $1',
      [id],
    );
    return rows[0];
  }

  describe('GET /v1/conversations/{conversation_id}', () => {
    it('answers status, attempts, score and breakdown, times in UTC with milliseconds, and no log', async () => {
      const id = await settled({
        user_id: 'child-one',
        agent_tag: 'agent_dino',
        end_time: '2026-11-20T17:10:00+07:00',
        metadata: { user_initiated_questions: 2, session_emotion: 'Interesting', new_memories_count: 1 },
      });
      const { status, body } = await api.get(`/v1/conversations/${id}`);
      expect(status).toBe(200);
      expect(body).toEqual({
        conversation_id: id,
        user_id: 'child-one',
        bot_id: 'bot-1',
        bot_name: 'Dino',
        bot_type: 'TALK',
        agent_tag: 'agent_dino',
        start_time: '2026-11-20T10:00:00.000Z',
        end_time: '2026-11-20T10:10:00.000Z',
        status: 'PROCESSED',
        attempt_count: 1,
        error_code: null,
        accepted_at: expect.stringMatching(UTC),
        processed_at: expect.stringMatching(UTC),
        friendship_score_change: 29,
        topic_id: 'dinosaurs',
        business_day: '2026-11-20',
        rule_version: expect.stringMatching(/./),
        score_breakdown: {
          rule_version: body.rule_version,
          total_turns: 3,
          user_initiated_questions: 2,
          session_emotion: 'interesting',
          new_memories_count: 1,
          turns_score: 3,
          questions_score: 6,
          emotion_score: 15,
          memories_score: 5,
          friendship_score_change: 29,
          sources: {
            user_initiated_questions: 'metadata',
            session_emotion: 'metadata',
            new_memories_count: 'metadata',
          },
        },
      });
    });

    it('answers the log too when it is asked for', async () => {
      const id = await settled({ conversation_log: turns(1) });
      const { body } = await api.get(`/v1/conversations/${id}?include=conversation_log`);
      expect(body.conversation_log).toEqual([
        { speaker: 'pika', turn_id: 1, text: '<happy/> Question 0?', timestamp: '2026-11-20T10:00:00.000Z' },
        { speaker: 'user', turn_id: 2, text: 'Answer 0.', timestamp: '2026-11-20T10:05:00.000Z' },
      ]);
    });

    it('shows a skipped conversation as stored and not scored', async () => {
      const id = await settled({ bot_type: 'NEXT_LESSON' });
      const { body } = await api.get(`/v1/conversations/${id}`);
      expect(body).toMatchObject({ status: 'SKIPPED', friendship_score_change: null, score_breakdown: null });
    });

    it.each([
      'conv-unknown',
      'ab',
      'x'.repeat(120),
      'x%00y%00z',
      encodeURIComponent('conv-ü'),
      encodeURIComponent("conv'; DROP TABLE conversation_events; --"),
      'conv%2Fslash',
      '__proto__',
    ])('answers 404 for %s', async (id) => {
      expectProblem(await api.get(`/v1/conversations/${id}`), 'CONVERSATION_NOT_FOUND');
      expectProblem(await api.post(`/v1/conversations/${id}/score`, {}), 'CONVERSATION_NOT_FOUND');
    });
  });

  describe('GET /v1/conversations', () => {
    const list = async (query: Record<string, string>): Promise<Page> => {
      const answer = await api.get<Page>(`/v1/conversations?${new URLSearchParams(query).toString()}`);
      expect(answer.status).toBe(200);
      return answer.body;
    };

    it('lists a child’s conversations, newest first, without logs', async () => {
      const first = await settled({ user_id: 'child-list' });
      const second = await settled({ user_id: 'child-list' });
      const { items, next_cursor } = await list({ user_id: 'child-list' });
      expect(items.map(({ conversation_id }) => conversation_id)).toEqual([second, first]);
      expect(next_cursor).toBeNull();
      for (const item of items) {
        expect(item).not.toHaveProperty('conversation_log');
        for (const time of ['start_time', 'end_time', 'accepted_at', 'processed_at']) {
          expect(item[time]).toMatch(UTC);
        }
      }
    });

    it.each(['userid=child-list', 'user_id[]=child-list', 'user_id=child-list&include=conversation_log'])(
      'is refused with a parameter that there is not: %s would show what nobody asked for',
      async (query) => {
        expect(await api.get(`/v1/conversations?${query}`)).toMatchObject({
          status: 422,
          body: { errors: [{ expected: 'only user_id, status, cursor, limit', got: '1 other parameter(s)' }] },
        });
      },
    );

    it('lists conversations of one status', async () => {
      const processed = await settled({ user_id: 'child-status' });
      const skipped = await settled({ user_id: 'child-status', bot_type: 'NEXT_LESSON' });
      const ids = async (status: string) =>
        (await list({ user_id: 'child-status', status })).items.map(({ conversation_id }) => conversation_id);
      expect(await ids('PROCESSED')).toEqual([processed]);
      expect(await ids('SKIPPED')).toEqual([skipped]);
      expect(await ids('PENDING')).toEqual([]);
      expect(await ids('FAILED')).toEqual([]);
      const everyones = await list({ status: 'SKIPPED', limit: '200' });
      expect(everyones.items.map(({ conversation_id }) => conversation_id)).toContain(skipped);
      expect(new Set(everyones.items.map(({ status }) => status))).toEqual(new Set(['SKIPPED']));
    });

    it('answers an empty page for a child without conversations', async () => {
      expect(await list({ user_id: 'child-nobody' })).toEqual({ items: [], next_cursor: null });
    });

    it.each([1, 5, 7, 25, 26])('pages of %i pass every event once while new ones come in', async (limit) => {
      const user_id = `child-pages-${limit}`;
      const bodies = Array.from({ length: 25 }, () => conversation({ user_id, conversation_log: [] }));
      await Promise.all(bodies.map((body) => api.post('/v1/conversations/end', body)));
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const page: Page = await list({ user_id, limit: String(limit), ...(cursor ? { cursor } : {}) });
        expect(page.items.length).toBeLessThanOrEqual(limit);
        seen.push(...page.items.map(({ conversation_id }) => conversation_id));
        cursor = page.next_cursor;
        await api.post('/v1/conversations/end', conversation({ user_id, conversation_log: [] }));
      } while (cursor !== null);
      expect([...seen].sort()).toEqual(bodies.map(({ conversation_id }) => conversation_id).sort());
    });

    it('answers 50 without a limit', async () => {
      const bodies = Array.from({ length: 51 }, () => conversation({ user_id: 'child-default', conversation_log: [] }));
      await Promise.all(bodies.map((body) => api.post('/v1/conversations/end', body)));
      const { items, next_cursor } = await list({ user_id: 'child-default' });
      expect(items).toHaveLength(50);
      expect((await list({ user_id: 'child-default', cursor: next_cursor! })).items).toHaveLength(1);
    });

    it.each([
      ['limit', 'limit=0'],
      ['limit', 'limit=201'],
      ['limit', 'limit=-1'],
      ['limit', 'limit=1e1'],
      ['limit', 'limit=ten'],
      ['limit', 'limit=5&limit=6'],
      ['status', 'status=DONE'],
      ['status', 'status=PENDING&status=FAILED'],
      ['user_id', 'user_id=ab'],
      ['user_id', 'user_id=child%00x'],
      ['user_id', 'user_id=a&user_id=b'],
      ['cursor', 'cursor=abc'],
      ['cursor', `cursor=${Buffer.from('not a cursor').toString('base64url')}`],
      ['cursor', `cursor=${Buffer.from('999999999999999 conv-1').toString('base64url')}x%F0`],
    ])('answers 422 that names %s for ?%s', async (field, query) => {
      const answer = await api.get(`/v1/conversations?${query}`);
      if (answer.status === 400) return void expectProblem(answer, 'BAD_REQUEST');
      expect(expectProblem(answer, 'VALIDATION_FAILED')).toMatchObject([{ field }]);
    });

    it.each([0, 999_999_999_999_999])('survives a cursor with the forged time %i', async (time) => {
      const cursor = Buffer.from(`${time} conv-1`).toString('base64url');
      const answer = await api.get(`/v1/conversations?cursor=${cursor}`);
      expect([200, 422]).toContain(answer.status);
    });

    it('names every bad parameter at once', async () => {
      const problems = expectProblem(
        await api.get('/v1/conversations?limit=0&status=x&user_id=x'),
        'VALIDATION_FAILED',
      );
      expect(problems.map(({ field }) => field).sort()).toEqual(['limit', 'status', 'user_id']);
    });
  });

  describe('POST /v1/conversations/{conversation_id}/score', () => {
    /** Without a body, and so without a content type. */
    const dryRun = (id: string) => api.request<Row>('POST', `/v1/conversations/${id}/score`, undefined, {});

    it.each<[string, Record<string, unknown>]>([
      [
        'with metadata',
        { metadata: { user_initiated_questions: 4, session_emotion: 'boring', new_memories_count: 3 } },
      ],
      ['without', {}],
      ['with an emotion that the rules do not know', { metadata: { emotion: 'wistful' } }],
      ['that ends below zero', { conversation_log: [], metadata: { session_emotion: 'boring' } }],
    ])('of a conversation %s equals the stored breakdown, and stores nothing', async (_what, fields) => {
      const id = await settled({ user_id: 'child-dry', ...fields });
      const before = await rowVersion(id);
      const friendship = (await api.get('/v1/friendship/child-dry')).body;
      const { status, body } = await dryRun(id);
      expect(status).toBe(200);
      const stored = (await api.get(`/v1/conversations/${id}`)).body.score_breakdown as object;
      expect(body).toEqual({ conversation_id: id, ...stored });
      expect(await rowVersion(id)).toEqual(before);
      expect((await api.get('/v1/friendship/child-dry')).body).toEqual(friendship);
    });

    it('of a conversation that was skipped leaves it skipped', async () => {
      const id = await settled({ bot_type: 'NEXT_LESSON' });
      const before = await rowVersion(id);
      expect((await api.post(`/v1/conversations/${id}/score`, {})).body).toMatchObject({ total_turns: 3 });
      expect(await rowVersion(id)).toEqual(before);
    });

    it('works from the stored components when the text was purged', async () => {
      const id = await settled({ metadata: { user_initiated_questions: 1 } });
      const before = (await api.get(`/v1/conversations/${id}`)).body.score_breakdown as object;
      await namespace.database.query(
        'UPDATE conversation_events SET conversation_log = NULL WHERE conversation_id = $1',
        [id],
      );
      expect((await dryRun(id)).body).toEqual({ conversation_id: id, ...before });
      expect((await api.get(`/v1/conversations/${id}?include=conversation_log`)).body.conversation_log).toBeNull();
    });
  });

  it('finds ids of 255 characters, by every route', async () => {
    const user_id = 'u'.repeat(255);
    const conversation_id = await settled({ user_id, conversation_id: 'c'.repeat(255) });
    const answers = await Promise.all([
      api.get(`/v1/conversations/${conversation_id}`),
      api.post(`/v1/conversations/${conversation_id}/score`, {}),
      api.get(`/v1/conversations?user_id=${user_id}`),
      api.post('/v1/friendship/status', { user_id }),
      api.get(`/v1/friendship/${user_id}`),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  });

  it('finds ids of any visible characters', async () => {
    const user_id = 'child/?#%&+"<>\\|';
    const conversation_id = await settled({ user_id, conversation_id: `conv/?#%&+"<>\\|${process.pid}` });
    const inPath = encodeURIComponent(conversation_id);
    expect((await api.get(`/v1/conversations/${inPath}`)).body).toMatchObject({ conversation_id });
    expect((await api.post(`/v1/conversations/${inPath}/score`, {})).body).toMatchObject({ conversation_id });
    expect((await api.get(`/v1/friendship/${encodeURIComponent(user_id)}`)).body).toMatchObject({ user_id });
  });

  describe('a friendship', () => {
    it('is answered by GET and by POST alike', async () => {
      const day = (number: number, fields: Record<string, unknown>) =>
        settled({
          user_id: 'child-friend',
          start_time: `2026-11-${number}T10:00:00Z`,
          end_time: `2026-11-${number}T10:10:00Z`,
          ...fields,
        });
      await day(19, { agent_tag: 'agent_dino', bot_id: 'bot-b', conversation_log: turns(60) });
      await day(20, { agent_tag: 'agent_dino', bot_id: 'bot-a', conversation_log: turns(440) });
      await day(17, { agent_tag: 'agent_star', conversation_log: turns(10) });
      await day(18, { agent_tag: 'agent_of_nothing', conversation_log: turns(1) });
      const expected = {
        user_id: 'child-friend',
        friendship_score: 511,
        friendship_level: 'PHASE2_ACQUAINTANCE',
        streak_day: 4,
        last_interaction_date: '2026-11-20T10:10:00.000Z',
        topics: {
          dinosaurs: {
            score: 500,
            turns: 500,
            last_date: '2026-11-20T10:10:00.000Z',
            agents_used: ['bot-a', 'bot-b'],
            friendship_level: 'PHASE2_ACQUAINTANCE',
          },
          stars: {
            score: 10,
            turns: 10,
            last_date: '2026-11-17T10:10:00.000Z',
            agents_used: ['bot-1'],
            friendship_level: 'PHASE1_STRANGER',
          },
        },
      };
      const got = await api.get('/v1/friendship/child-friend');
      expect(got).toMatchObject({ status: 200 });
      expect(got.body).toEqual(expected);
      const posted = await api.post('/v1/friendship/status', { user_id: 'child-friend' });
      expect(posted).toMatchObject({ status: 200 });
      expect(posted.body).toEqual(expected);
    });

    it.each(['child-unknown', 'ab', 'x'.repeat(120), 'child%00', encodeURIComponent('bé-an')])(
      'with %s is a 404',
      async (id) => {
        expectProblem(await api.get(`/v1/friendship/${id}`), 'FRIENDSHIP_NOT_FOUND');
      },
    );

    it('with an unknown child is a 404 by POST, too', async () => {
      expectProblem(await api.post('/v1/friendship/status', { user_id: 'child-unknown' }), 'FRIENDSHIP_NOT_FOUND');
    });

    it.each<[string, unknown]>([
      ['no user_id', {}],
      ['a short one', { user_id: 'ab' }],
      ['a number', { user_id: 12345 }],
      ['null', { user_id: null }],
      ['an array', { user_id: ['child-1'] }],
      ['U+0000', { user_id: 'child\0' }],
      ['an array as body', ['child-1']],
      ['null as body', null],
      ['a text as body', '"child-1"'],
    ])('asked for by POST with %s is a 422 that names the field', async (_what, body) => {
      const problems = expectProblem(await api.post('/v1/friendship/status', body === null ? 'null' : body));
      expect(problems).toMatchObject([{ field: 'user_id' }]);
    });
  });
});
