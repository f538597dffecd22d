import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { Operator, OPERATOR_KEY } from '../support/operator';
import { expectProblem } from '../support/problem';
import { ServiceProcess, stopAll } from '../support/service-process';
import { TcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';

describe("the operators' page", () => {
  let namespace: Namespace;
  let api: ServiceProcess;
  let workers: ServiceProcess[];
  let operator: Operator;

  beforeAll(async () => {
    namespace = await createNamespace({ OPERATOR_KEY, MESSAGE_CONCURRENCY_PER_WORKER: '2', WORKER_REPLICAS: '2' });
    const start = async (role: 'api' | 'worker') => (await ServiceProcess.start(role, namespace.variables)).ready(30);
    api = await start('api');
    workers = [await start('worker'), await start('worker')];
    operator = await Operator.logIn(api);
  }, 120_000);
  afterAll(async () => {
    const codes = await Promise.all([api, ...workers].map((each) => each.stop()));
    await stopAll();
    await namespace.remove();
    expect(codes).toEqual([0, 0, 0]);
  });

  const actionRows = async () =>
    (await namespace.database.query('SELECT * FROM operator_actions ORDER BY action_id')).rows as Record<
      string,
      unknown
    >[];

  describe('the login', () => {
    const logIn = (body: unknown, headers: Record<string, string> = Operator.headers(api)) =>
      api.post('/ops/api/session', body, headers);

    it('gives a cookie that only the page gets, and is recorded', async () => {
      const answer = await logIn({ key: OPERATOR_KEY, operator: ' Bình ' });
      expect(answer.status).toBe(204);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(answer.headers.get('set-cookie')).toMatch(
        /^friendship_ops=[\w.-]+; Path=\/ops; Max-Age=43200; HttpOnly; SameSite=Strict$/,
      );
      const encrypted = { ...Operator.headers(api), 'x-forwarded-proto': 'https' };
      expect((await logIn({ key: OPERATOR_KEY, operator: 'Bình' }, encrypted)).headers.get('set-cookie')).toMatch(
        /; Secure$/,
      );
      expect(await actionRows()).toContainEqual(
        expect.objectContaining({ operator: 'Bình', action: 'login', state: 'done' }),
      );
    });

    it('refuses a wrong key, records it, and makes the address wait after the fifth', async () => {
      const other = await (await ServiceProcess.start('api', namespace.variables)).ready(30);
      const wrong = { key: `${OPERATOR_KEY}x`, operator: 'Mallory' };
      const guess = () => other.post('/ops/api/session', wrong, Operator.headers(other));
      const guesses = await Promise.all(Array.from({ length: 5 }, guess));
      for (const answer of guesses) {
        expectProblem(answer, 'UNAUTHORIZED');
        expect(answer.headers.get('set-cookie')).toBeNull();
        expect(answer.text).not.toContain(OPERATOR_KEY);
      }
      const late = await guess();
      expectProblem(late, 'TOO_MANY_REQUESTS');
      expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await other.stop()).toBe(0);
      const failed = (await actionRows()).filter(({ action }) => action === 'failed_login');
      expect(failed).toHaveLength(5);
      expect(failed[0]).toMatchObject({ operator: 'Mallory', state: 'done' });
    });

    it.each([
      ['nothing', undefined],
      ['a key alone', { key: OPERATOR_KEY }],
      ['an empty name', { key: OPERATOR_KEY, operator: ' ' }],
      ['a name with a line break', { key: OPERATOR_KEY, operator: 'a\nb' }],
      ['a number', { key: 7, operator: 'An' }],
    ])('names what is not as expected of %s', async (_what, body) => {
      expect(expectProblem(await logIn(body), 'VALIDATION_FAILED')).not.toHaveLength(0);
    });

    it('is refused where the request does not come from the page, or is far too large', async () => {
      const body = { key: OPERATOR_KEY, operator: 'An' };
      expectProblem(await logIn(body, {}), 'FORBIDDEN');
      expectProblem(await logIn(body, { 'x-ops': '1', origin: 'https://elsewhere.example' }), 'FORBIDDEN');
      expectProblem(await logIn({ ...body, more: 'x'.repeat(70_000) }), 'BODY_TOO_LARGE');
    });

    it('is taken back by logging out', async () => {
      const headers = { ...Operator.headers(api), cookie: operator.cookie };
      const answer = await api.request('DELETE', '/ops/api/session', undefined, headers);
      expect(answer.status).toBe(204);
      expect(answer.headers.get('set-cookie')).toMatch(/^friendship_ops=; Path=\/ops; Max-Age=0/);
    });
  });

  it('is not there where no key is set, and on a worker', async () => {
    const { OPERATOR_KEY: _, ...without } = namespace.variables;
    const other = await ServiceProcess.start('api', without);
    for (const service of [other, workers[0]]) {
      for (const path of ['/ops', '/ops/', '/ops/api/state', '/ops/api/stream']) {
        expectProblem(await service.get(path), 'ROUTE_NOT_FOUND');
      }
      expectProblem(await service.post('/ops/api/session', {}), 'ROUTE_NOT_FOUND');
    }
    expect(await other.stop()).toBe(0);
  });

  it('is served with nothing inline and nothing from elsewhere, or says that it was not built', async () => {
    const page = await api.get('/ops');
    if (page.status === 404) expect(page.body.detail).toContain('was not built');
    else {
      expect(page.headers.get('content-type')).toMatch(/^text\/html/);
      expect(page.headers.get('content-security-policy')).not.toMatch(/unsafe|\*|https?:/);
    }
    for (const path of ['/ops/assets/none.js', '/ops/%2e%2e/main.js', '/ops/..%2fmain.js', '/ops/api/none']) {
      expectProblem(await api.get(path), 'ROUTE_NOT_FOUND', 'BAD_REQUEST');
    }
  });

  it('shows what all processes did, whichever of them did it', async () => {
    await operator.shows('two workers', ({ workers: { ready } }) => ready === 2);
    const posted = Array.from({ length: 40 }, () => conversation({ user_id: 'child-many' }));
    await Promise.all(posted.map((each) => api.post('/v1/conversations/end', each)));
    await api.post('/v1/conversations/end', posted[0]);
    await namespace.broker.send({ conversation_id: posted[1].conversation_id });
    const state = await operator.shows(
      'all that was posted',
      ({ critical_time, totals }) => critical_time.count >= 40 && totals.duplicates_suppressed >= 2,
    );
    expect(state).toMatchObject({
      interval_seconds: 2,
      unavailable: [],
      backlog: { oldest_unsettled_seconds: 0, retry_waiting: 0, dead_letters_arriving: 0, growing: false },
      workers: { expected: 2, concurrency: 4 },
      external: [],
    });
    expect(state.critical_time.count).toBe(40);
    expect(state.totals.duplicates_suppressed).toBe(2);
    expect(state.backlog.lanes).toEqual([{ name: 'main', queue: namespace.queue, ready: 0, consumers: 2 }]);
    expect(state.workers.list.map(({ role }) => role).sort()).toEqual(['api', 'worker', 'worker']);
    const { p50, p95, p99, split } = state.critical_time;
    expect(p50! <= p95! && p95! <= p99!).toBe(true);
    const means = Object.fromEntries(split.map(({ part, mean }) => [part, mean]));
    expect(means).toEqual({
      queue: expect.any(Number),
      slot: expect.any(Number),
      external: 0,
      database: expect.any(Number),
      ack: expect.any(Number),
    });
    expect(means.database).toBeGreaterThan(0);
    expect(state.database.budget).toBeGreaterThan(0);
    expect(state.database.used_by_us).toBeGreaterThanOrEqual(3);
    expect(state.database.connections).toBeGreaterThanOrEqual(state.database.used_by_us!);
    // A point for each interval: the one with all this comes after it.
    await operator.shows('it in the charts', ({ history }) =>
      history.some(({ accepted, settled, p50: half }) => accepted > 0 && settled > 0 && half !== null),
    );
  });

  it('forgets a worker that was killed, and sees the one that takes its place', async () => {
    await operator.shows('two workers', ({ workers: { ready } }) => ready === 2);
    expect(await workers[1].stop('SIGKILL')).toBe('SIGKILL');
    await operator.shows('one worker', ({ workers: { ready } }) => ready === 1);
    workers[1] = await ServiceProcess.start('worker', namespace.variables);
    const state = await operator.shows('two workers again', ({ workers: { ready } }) => ready === 2);
    expect(state.workers.list).toHaveLength(3);
  });

  it('sends the state again and again, to whoever is logged in', async () => {
    expectProblem(await api.get('/ops/api/stream'), 'UNAUTHORIZED');
    const events = await operator.stream(3);
    expect(events.map(({ event }) => event)).toEqual(['state', 'state', 'state']);
    const ids = events.map(({ id }) => Number(id));
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    const times = events.map(({ state }) => state.at);
    expect(new Set(times).size).toBe(3);
  });

  it('ends its streams when its process stops, which they do not hold up', async () => {
    const other = await ServiceProcess.start('api', namespace.variables);
    const looking = await Operator.logIn(other);
    let events = 0;
    const streams = [1, 2].map(() => looking.stream(Infinity, () => events++));
    await until('both streams to have begun', () => events >= 2);
    expect(await other.stop()).toBe(0);
    // Each came to its end, and was not cut off: that would be an error.
    for (const seen of await Promise.all(streams)) expect(seen.length).toBeGreaterThan(0);
  });

  describe('while something is away', () => {
    it('shows without the broker what the database and the process itself know, and says so', async () => {
      const proxy = await TcpProxy.to(namespace.variables.RABBITMQ_URL);
      const other = await ServiceProcess.start('api', {
        ...namespace.variables,
        RABBITMQ_URL: proxy.urlThrough(namespace.variables.RABBITMQ_URL),
      });
      const looking = await Operator.logIn(await other.ready(30));
      await looking.shows('the workers', ({ workers: { ready } }) => ready === 2);
      await proxy.down();
      const state = await looking.shows('that the broker is away', ({ unavailable }) => unavailable.length > 0);
      expect(state.unavailable).toEqual([{ part: 'broker', since: expect.any(String), reason: expect.any(String) }]);
      expect(state).toMatchObject({
        backlog: { retry_waiting: null, lanes: [{ ready: null }] },
        binds: { resource: 'broker' },
      });
      expect(state.backlog.oldest_unsettled_seconds).not.toBeNull();
      expect(state.workers.list.map(({ role }) => role)).toContain('api');
      await proxy.up();
      await looking.shows(
        'everything again',
        ({ unavailable, workers: { ready } }) => unavailable.length === 0 && ready === 2,
      );
      expect(await other.stop()).toBe(0);
      await proxy.down();
    });

    it('shows without the database how the processes are, and says so; operators can still log in', async () => {
      const proxy = await TcpProxy.to(namespace.variables.DATABASE_URL);
      const other = await ServiceProcess.start('api', {
        ...namespace.variables,
        DATABASE_URL: proxy.urlThrough(namespace.variables.DATABASE_URL),
      });
      await other.ready(30);
      await proxy.down();
      const looking = await Operator.logIn(other);
      const state = await looking.shows(
        'the workers, and that the database is away',
        ({ unavailable, workers: { ready }, backlog }) =>
          unavailable.length > 0 && ready === 2 && backlog.lanes[0].ready !== null,
      );
      expect(state.unavailable).toEqual([{ part: 'database', since: expect.any(String), reason: expect.any(String) }]);
      expect(state).toMatchObject({
        backlog: { oldest_unsettled_seconds: null },
        database: { connections: null },
        totals: { open_dead_letters: null },
        actions: [],
        binds: { resource: 'database' },
      });
      expectProblem(await looking.get('failures'), 'DATABASE_UNAVAILABLE');
      await proxy.up();
      await looking.shows(
        'everything again',
        ({ unavailable, totals }) => unavailable.length === 0 && totals.open_dead_letters !== null,
      );
      expect(await other.stop()).toBe(0);
      await proxy.down();
    });
  });
});
