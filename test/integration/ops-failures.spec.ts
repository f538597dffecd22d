import { conversation } from '../support/conversations';
import { insertEvent } from '../support/insert-event';
import { createNamespace, type Namespace } from '../support/namespace';
import { Operator, OPERATOR_KEY } from '../support/operator';
import { expectProblem } from '../support/problem';
import { ServiceProcess, stopAll } from '../support/service-process';
import { settledEvent } from '../support/stored';
import { until } from '../support/until';

/** What a child said; it must not come back anywhere. */
const CANARY = 'khủng-long-bạo-chúa';

describe('an operator', () => {
  let namespace: Namespace;
  let service: ServiceProcess;
  let operator: Operator;
  /** What the page answered, to look for the canary. */
  const answers: string[] = [];

  beforeAll(async () => {
    namespace = await createNamespace({ OPERATOR_KEY });
    service = await (await ServiceProcess.start('all', namespace.variables)).ready(30);
    operator = await Operator.logIn(service);
  }, 120_000);
  afterAll(async () => {
    const code = await service.stop();
    await stopAll();
    await namespace.remove();
    expect(code).toBe(0);
    expect(answers.length).toBeGreaterThan(3);
    expect([...answers, ...service.lines].join('\n')).not.toContain(CANARY);
  });

  const actionRows = async () =>
    (await namespace.database.query('SELECT * FROM operator_actions ORDER BY action_id')).rows as Record<
      string,
      unknown
    >[];

  async function failEvent(userId: string, code: string): Promise<string> {
    const id = await insertEvent(namespace, userId, { status: 'FAILED', attempt_count: 3, last_error_code: code });
    await namespace.database.query(
      `INSERT INTO dead_letters (delivery_key, conversation_id, settles_event, reason, error_code, attempts,
                                 first_failed_at, last_failed_at, exchange, routing_key, message_id, body)
       VALUES ($1, $1, true, 'ATTEMPTS_EXHAUSTED', $2, 3, now() - interval '1 minute', now(), '', 'q', $1, $3)`,
      [id, code, JSON.stringify({ conversation_id: id, conversation_log: [{ speaker: 'user', text: CANARY }] })],
    );
    return id;
  }

  describe('failures', () => {
    it('are grouped by cause, the largest group first, and listed without their bodies', async () => {
      await Promise.all([1, 2, 3].map((each) => namespace.broker.send(`${CANARY} ${each}, no JSON`)));
      await failEvent('child-grouped', '57014');
      const groups = await until('both groups', async () => {
        const answer = await operator.get<{ groups: { reason: string; count: number }[] }>('failures');
        answers.push(answer.text);
        return answer.body.groups.some(({ count }) => count === 3) && answer.body.groups;
      });
      expect(groups).toEqual([
        expect.objectContaining({ reason: 'INVALID_MESSAGE', error_code: 'INVALID_MESSAGE', count: 3, replayable: 3 }),
        expect.objectContaining({ reason: 'ATTEMPTS_EXHAUSTED', error_code: '57014', count: 1, replayable: 1 }),
      ]);
      const first = await operator.get<{ letters: object[]; next_cursor: string }>(
        'failures/letters?reason=INVALID_MESSAGE&error_code=INVALID_MESSAGE&limit=2',
      );
      const rest = await operator.get<{ letters: object[]; next_cursor: null }>(
        `failures/letters?reason=INVALID_MESSAGE&error_code=INVALID_MESSAGE&limit=2&cursor=${first.body.next_cursor}`,
      );
      answers.push(first.text, rest.text);
      expect([first.body.letters.length, rest.body.letters.length, rest.body.next_cursor]).toEqual([2, 1, null]);
      expect(first.body.letters[0]).not.toHaveProperty('body');
      expectProblem(await operator.get('failures/letters?reason=NONE&limit=0&cursor=x'), 'VALIDATION_FAILED');
    });

    it('are replayed by cause: the event is counted, and it is recorded who did it', async () => {
      const [mine, other] = [await failEvent('child-replayed', '40P01'), await failEvent('child-replayed', '40001')];
      const action = await operator.done('failures/replay', { reason: 'ATTEMPTS_EXHAUSTED', error_code: '40P01' });
      expect(action).toMatchObject({ operator: 'An', action: 'replay', state: 'done', done: 1, total: 1 });
      expect((await settledEvent(namespace, mine)).status).toBe('PROCESSED');
      const { rows } = await namespace.database.query(
        'SELECT status FROM conversation_events WHERE conversation_id = $1',
        [other],
      );
      expect(rows).toEqual([{ status: 'FAILED' }]);
      expect((await actionRows()).at(-1)).toMatchObject({
        operator: 'An',
        selected_reason: 'ATTEMPTS_EXHAUSTED',
        selected_error_code: '40P01',
        state: 'done',
        ended_at: expect.any(Date),
      });
    });

    it('are discarded one by one, with a note', async () => {
      const id = await failEvent('child-discarded', '57014');
      const { rows } = await namespace.database.query(
        'SELECT dead_letter_id FROM dead_letters WHERE conversation_id = $1',
        [id],
      );
      const order = { dead_letter_ids: [(rows[0] as { dead_letter_id: string }).dead_letter_id] };
      expect(expectProblem(await operator.post('failures/discard', order), 'VALIDATION_FAILED')).toMatchObject([
        { field: 'note' },
      ]);
      const action = await operator.done('failures/discard', { ...order, note: 'seen to by hand' });
      expect(action).toMatchObject({ action: 'discard', state: 'done', done: 1, total: 1, what: '1 chosen' });
      const letter = await namespace.database.query('SELECT state, note FROM dead_letters WHERE conversation_id = $1', [
        id,
      ]);
      expect(letter.rows).toEqual([{ state: 'DISCARDED', note: 'seen to by hand' }]);
      expect((await actionRows()).at(-1)).toMatchObject({
        action: 'discard',
        selected_ids: 1,
        note: 'seen to by hand',
      });
    });

    it.each([
      ['nothing', {}],
      ['a reason alone', { reason: 'INVALID_MESSAGE' }],
      ['an unknown reason', { reason: 'NONE', error_code: null }],
      ['both ways to choose', { dead_letter_ids: ['1'], reason: 'INVALID_MESSAGE' }],
      ['no ids', { dead_letter_ids: [] }],
      ['an id that is none', { dead_letter_ids: ['0; DROP TABLE'] }],
      ['an id that nobody has', { dead_letter_ids: ['999999999'] }],
    ])('are left alone by an order with %s', async (_what, order) => {
      const before = (await actionRows()).length;
      expectProblem(await operator.post('failures/replay', order), 'VALIDATION_FAILED');
      expect((await actionRows()).length).toBe(before);
    });

    it('are worked on by at most three orders at once, however many come', async () => {
      await Promise.all(Array.from({ length: 40 }, (_, index) => failEvent(`child-at-once-${index}`, 'AT_ONCE')));
      const order = { reason: 'ATTEMPTS_EXHAUSTED', error_code: 'AT_ONCE' };
      const answers = await Promise.all(Array.from({ length: 12 }, () => operator.post('failures/replay', order)));
      const statuses = answers.map(({ status }) => status);
      expect(new Set(statuses)).toEqual(new Set([202, 429]));
      await operator.shows('no order under way', ({ actions }) => actions.every(({ state }) => state !== 'running'));
      const { rows } = await namespace.database.query(
        `SELECT max(at_once)::int AS most FROM (
           SELECT (SELECT count(*) FROM operator_actions AS other WHERE other.at <= mine.at AND other.ended_at > mine.at) AS at_once
             FROM operator_actions AS mine WHERE selected_error_code = 'AT_ONCE') AS counted`,
      );
      expect((rows as { most: number }[])[0].most).toBeLessThanOrEqual(3);
    });

    it('of which somebody died who replayed them are told as not replayed', async () => {
      await namespace.database.query(
        `INSERT INTO operator_actions (operator, action, state, done, total, lease_until)
         VALUES ('Chi', 'replay', 'running', 500, 900, now() - interval '1 second')`,
      );
      const { body } = await operator.get<{ actions: object[] }>('actions');
      expect(body.actions[0]).toMatchObject({
        operator: 'Chi',
        state: 'failed',
        done: 500,
        total: 900,
        error_code: 'PROCESS_GONE',
      });
    });
  });

  describe('by id', () => {
    it('shows how an event came to its score, and never what was said', async () => {
      const posted = conversation({
        user_id: 'child-story',
        conversation_log: [{ character: 'USER', content: CANARY }],
      });
      await service.post('/v1/conversations/end', posted);
      await settledEvent(namespace, posted.conversation_id);
      const story = await operator.get<{ timeline: { what: string }[] }>(`conversations/${posted.conversation_id}`);
      answers.push(story.text);
      expect(story.body).toMatchObject({
        event: { status: 'PROCESSED', attempt_count: 1, score_breakdown: { friendship_score_change: 0 } },
        dead_letters: [],
        suspect_count: 0,
      });
      expect(story.body.timeline.map(({ what }) => what)).toEqual(
        expect.arrayContaining(['conversation began', 'conversation ended', 'accepted', 'counted']),
      );
      const child = await operator.get('children/child-story');
      answers.push(child.text);
      expect(child.body).toMatchObject({
        friendship: { friendship_score: 0, friendship_level: 'PHASE1_STRANGER' },
        events: [{ conversation_id: posted.conversation_id, status: 'PROCESSED' }],
      });
    });

    it('tells of one that failed what happened when', async () => {
      const id = await failEvent('child-failed', '57014');
      const { body } = await operator.get<{ timeline: { what: string }[] }>(`conversations/${id}`);
      expect(body).toMatchObject({
        event: { status: 'FAILED', error_code: '57014' },
        dead_letters: [{ attempts: 3, state: 'OPEN' }],
      });
      expect(body.timeline.map(({ what }) => what)).toEqual(
        expect.arrayContaining(['first failed attempt', 'attempt 3 failed', 'dead-lettered']),
      );
      expect((await operator.get('children/child-failed')).body).toMatchObject({
        friendship: null,
        events: [{ status: 'FAILED' }],
      });
    });

    it('knows nobody that there is not', async () => {
      expectProblem(await operator.get('conversations/nobody-posted-this'), 'CONVERSATION_NOT_FOUND');
      expectProblem(await operator.get('children/nobody'), 'FRIENDSHIP_NOT_FOUND');
      expectProblem(await operator.get('children/%00%00%00'), 'VALIDATION_FAILED');
    });
  });
});
