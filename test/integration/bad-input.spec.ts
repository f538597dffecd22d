import { gzipSync } from 'node:zlib';
import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { OPERATOR_KEY } from '../support/operator';
import { expectProblem } from '../support/problem';
import { rawHttp } from '../support/raw-http';
import { runCli } from '../support/run-cli';
import { ServiceProcess, stopAll, type Answer } from '../support/service-process';
import { settledEvent, storedEvent } from '../support/stored';
import { until } from '../support/until';

const END = '/v1/conversations/end';

describe('bad input over HTTP', () => {
  let namespace: Namespace;
  let api: ServiceProcess;

  beforeAll(async () => {
    // With the operators' page, whose routes and files hang on the same server. fuzz.spec.ts has none.
    namespace = await createNamespace({ OPERATOR_KEY });
    api = await ServiceProcess.start('api', namespace.variables);
    await api.ready();
  });
  afterAll(async () => {
    const code = await api.stop();
    await stopAll();
    await namespace.remove();
    expect(code).toBe(0);
  });
  afterEach(async () => {
    // Whatever came, the service goes on.
    expect((await api.post(END, conversation())).status).toBe(202);
    expect(api.log.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  });

  const post = (body: unknown, headers?: Record<string, string>) => api.post(END, body, headers);
  /** A valid body as JSON text, with the JSON text of one field replaced. */
  function withField(path: string, json: string): { conversation_id: string; raw: string } {
    const body = conversation({ metadata: {} });
    const [field, inner] = path.split('.');
    const value = inner === undefined ? '@' : { [inner]: '@' };
    return {
      conversation_id: body.conversation_id,
      raw: JSON.stringify({ ...body, [field]: value }).replace('"@"', () => json),
    };
  }

  /** JSON texts that some field or other cannot be. */
  const HOSTILE: Record<string, string> = {
    null: 'null',
    true: 'true',
    false: 'false',
    zero: '0',
    'a negative number': '-1',
    'a fraction': '1.5',
    'a huge number': '1e308',
    'a number beyond all bounds': '1e999',
    'a number with too many digits': '9007199254740993',
    'an empty array': '[]',
    'an array of null': '[null]',
    'an array of arrays': '[[]]',
    'an empty object': '{}',
    'a nested object': '{"a":{"b":[{"c":1}]}}',
    'an object that looks like text': '{"length":5,"toString":"x"}',
    'an empty text': '""',
    'a blank text': '" "',
    NaN: '"NaN"',
    Infinity: '"-Infinity"',
    'a number as text': '"12"',
    'U+0000': '"abc\\u0000"',
    'a lone surrogate': '"abc\\ud800"',
    emoji: '"🦖🦖🦖"',
    'a line break': '"abc\\r\\nX-Header: 1"',
    SQL: '"\'; DROP TABLE conversation_events; --"',
    'a long text': JSON.stringify('x'.repeat(256)),
    'a very long text': JSON.stringify('x'.repeat(200_000)),
  };
  const TEXTS = [
    'a blank text',
    'NaN',
    'Infinity',
    'a number as text',
    'U+0000',
    'a lone surrogate',
    'emoji',
    'a line break',
    'SQL',
  ];
  /** What each field takes all the same. */
  const TAKES: Record<string, string[]> = {
    conversation_id: ['NaN', 'Infinity'],
    user_id: ['NaN', 'Infinity'],
    bot_id: TEXTS,
    bot_name: TEXTS,
    bot_type: [...TEXTS, 'an empty text'],
    agent_tag: [...TEXTS, 'an empty text', 'null'],
    start_time: [],
    end_time: [],
    conversation_log: ['null', 'an empty array'],
    metadata: ['null', 'an empty object', 'a nested object', 'an object that looks like text'],
    'metadata.user_initiated_questions': ['null', 'zero'],
    'metadata.new_memories_count': ['null', 'zero'],
    'metadata.session_emotion': [...TEXTS, 'an empty text', 'null'],
  };
  const ALIASES: Record<string, string> = {
    conversation_logs: 'conversation_log',
    'metadata.emotion': 'metadata.session_emotion',
    'metadata.new_memories_created': 'metadata.new_memories_count',
  };

  it.each(Object.keys(TAKES))('in %s is a 422 that names it, with what was expected and got', async (path) => {
    for (const [name, json] of Object.entries(HOSTILE)) {
      const { raw, conversation_id } = withField(path, json);
      const answer = await post(raw);
      if (TAKES[path].includes(name)) {
        expect({ name, status: answer.status, text: answer.text }).toMatchObject({ status: 202 });
        continue;
      }
      expect({ name, status: answer.status }).toEqual({ name, status: 422 });
      const problems = expectProblem(answer, 'VALIDATION_FAILED');
      expect(problems.map(({ field }) => field.replace(/\[\d+\].*/, ''))).toEqual([path]);
      if (path !== 'conversation_id') expect(await storedEvent(namespace, conversation_id)).toBeUndefined();
    }
  });

  it.each(Object.keys(ALIASES))('in the alias %s is judged like in the field itself', async (alias) => {
    for (const [name, json] of Object.entries(HOSTILE)) {
      const given = withField(alias, json);
      const raw = alias === 'conversation_logs' ? given.raw.replace(/"conversation_log":\[.*?\],/, '') : given.raw;
      const answer = await post(raw);
      const taken = TAKES[ALIASES[alias]].includes(name);
      expect({ name, status: answer.status }).toEqual({ name, status: taken ? 202 : 422 });
      if (!taken) expectProblem(answer, 'VALIDATION_FAILED');
    }
  });

  it.each(['conversation_id', 'user_id', 'bot_id', 'bot_name', 'bot_type', 'start_time', 'end_time'])(
    'without %s is a 422 that names it',
    async (field) => {
      const problems = expectProblem(await post(conversation({ [field]: undefined })), 'VALIDATION_FAILED');
      expect(problems).toEqual([{ field, expected: expect.any(String), got: 'nothing' }]);
    },
  );

  it('names every bad field at once', async () => {
    const problems = expectProblem(await post({ conversation_log: [1], metadata: { new_memories_count: 1001 } }));
    expect(problems.map(({ field }) => field)).toEqual(
      expect.arrayContaining([
        'conversation_id',
        'user_id',
        'bot_id',
        'bot_name',
        'bot_type',
        'start_time',
        'end_time',
        'conversation_log[0]',
        'metadata.new_memories_count',
      ]),
    );
  });

  const item = { speaker: 'user', text: 'Hello.' };
  it.each<[string, unknown, string]>([
    ['null', null, '[1]'],
    ['a text', 'Hello.', '[1]'],
    ['a number', 7, '[1]'],
    ['an array', ['user', 'Hello.'], '[1]'],
    ['one with a number as speaker', { ...item, speaker: 1 }, '[1].speaker'],
    ['one with an object as character', { character: {}, content: 'x' }, '[1].character'],
    ['one with an array as text', { ...item, text: ['x'] }, '[1].text'],
    ['one with false as text', { ...item, text: false }, '[1].text'],
    ['one with a number as content', { character: 'USER', content: 5 }, '[1].content'],
    ['one with a word as timestamp', { ...item, timestamp: 'noon' }, '[1].timestamp'],
    ['one with a number as timestamp', { ...item, timestamp: 1763632800 }, '[1].timestamp'],
    ['one of 30 February', { ...item, timestamp: '2026-02-30T10:00:00Z' }, '[1].timestamp'],
  ])('in a log, an item that is %s is a 422 that tells where', async (_what, bad, where) => {
    const problems = expectProblem(await post(conversation({ conversation_log: [item, bad, item] })));
    expect(problems).toEqual([
      {
        field: `conversation_log${where}`,
        expected: expect.any(String),
        got: expect.stringMatching(
          /^(null|nothing|a number|a boolean|an object|an array of \d+ items|a string of \d+ characters)$/,
        ),
      },
    ]);
  });

  it('in a log is counted but not repeated for thousands of items', async () => {
    const answer = await post(conversation({ conversation_log: Array(40_000).fill(1) }));
    expect(expectProblem(answer, 'VALIDATION_FAILED').length).toBeLessThanOrEqual(100);
  });

  it('in a log, more than 50,000 items are a 422', async () => {
    for (const field of ['conversation_log', 'conversation_logs']) {
      const answer = await post({
        ...conversation({ conversation_log: undefined }),
        [field]: Array(60_000).fill({ speaker: 'user', text: 'x' }),
      });
      expect(expectProblem(answer, 'VALIDATION_FAILED')).toMatchObject([
        { field: 'conversation_log', got: 'an array of 60000 items' },
      ]);
    }
  });

  it.each<[string, Record<string, string>, string]>([
    ['an end before the start', { end_time: '2026-11-20T09:59:59Z' }, 'end_time'],
    ['an end at the start', { end_time: '2026-11-20T10:00:00Z' }, 'end_time'],
    ['a start before 2020', { start_time: '2019-12-31T23:59:59Z', end_time: '2020-01-01T00:10:00Z' }, 'start_time'],
    ['more than 24 hours', { end_time: '2026-11-21T10:00:00.001Z' }, 'end_time'],
    ['an end in 2099', { start_time: '2099-01-01T00:00:00Z', end_time: '2099-01-01T00:10:00Z' }, 'end_time'],
    ['30 February', { start_time: '2026-02-30T10:00:00Z' }, 'start_time'],
    ['a date only', { start_time: '2026-11-20' }, 'start_time'],
    ['an impossible zone', { start_time: '2026-11-20T10:00:00+99:00' }, 'start_time'],
    ['an hour too many', { end_time: '2026-11-20T24:30:00Z' }, 'end_time'],
    ['a sentence', { start_time: 'the day before yesterday' }, 'start_time'],
    ['the year 12026', { end_time: '+012026-11-20T10:10:00Z' }, 'end_time'],
  ])('with %s is a 422', async (_what, times, field) => {
    const problems = expectProblem(await post(conversation(times)), 'VALIDATION_FAILED');
    expect(problems.map((problem) => problem.field)).toContain(field);
  });

  it.each([-1, 1001, 0.5, 1e9, -0.0001])('with a count of %p is a 422', async (count) => {
    for (const field of ['user_initiated_questions', 'new_memories_count']) {
      const answer = await post(conversation({ metadata: { [field]: count } }));
      expect(expectProblem(answer, 'VALIDATION_FAILED')).toMatchObject([{ field: `metadata.${field}` }]);
    }
  });

  describe('a body', () => {
    it.each<[string, string | Buffer]>([
      ['that is cut off', '{"conversation_id":"conv-1"'],
      ['that is a word', 'hello'],
      ['with single quotes', "{'conversation_id':'conv-1'}"],
      ['with a trailing comma', '{"conversation_id":"conv-1",}'],
      ['that is NaN', '{"conversation_id":NaN}'],
      ['of two values', '{}{}'],
      ['of nothing but blanks', '   '],
      ['that is a NUL', Buffer.from([0])],
      ['with raw control characters in a text', '{"conversation_id":"a\nb"}'],
      ['that is a cut-off nest of arrays', '['.repeat(100_000)],
      ['in UTF-16', Buffer.from(JSON.stringify(conversation()), 'utf16le')],
    ])('%s is a 400', async (_what, body) => {
      expectProblem(await post(body), 'MALFORMED_JSON');
    });

    it.each(['null', 'true', '12', '"text"', '[]', '[{}]'])('that is %s is a 422', async (json) => {
      expect(expectProblem(await post(json), 'VALIDATION_FAILED')).toMatchObject([{ expected: 'a JSON object' }]);
    });

    it('of 12 MiB is a 413', async () => {
      const text = 'x'.repeat(12 * 1024 ** 2);
      expectProblem(await post(conversation({ conversation_log: [{ speaker: 'user', text }] })), 'BODY_TOO_LARGE');
    });

    it.each<[string, string]>([
      ['metadata nested 10,000 levels deep', '{"a":'.repeat(10_000) + '1' + '}'.repeat(10_000)],
      ['arrays nested 10,000 levels deep', '[{"a":'.repeat(5_000) + '1' + '}]'.repeat(5_000)],
    ])('with %s is not a crash', async (_what, json) => {
      for (const field of ['metadata', 'unknown', 'conversation_log']) {
        const answer = await post(withField(field, json).raw);
        if (answer.status !== 202) expectProblem(answer, 'VALIDATION_FAILED', 'MALFORMED_JSON');
      }
      expect((await post(withField('metadata.unknown', json).raw)).status).toBe(202);
    });

    it.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'])(
      'with the key %s pollutes nothing',
      async (key) => {
        const evil = `{"${key}":{"bot_name":"evil","status":"PROCESSED","prototype":{"agent_tag":"evil"}},`;
        for (const raw of [
          JSON.stringify(conversation()).replace('{', evil),
          JSON.stringify(conversation({ metadata: { a: 1 } })).replace('"metadata":{', `"metadata":${evil}`),
          JSON.stringify(conversation({ conversation_log: [{ text: 'x' }] })).replace('{"text"', `${evil}"text"`),
        ]) {
          const answer = await post(raw);
          if (answer.status === 202) expect(answer.body.data).toMatchObject({ bot_name: 'Dino', agent_tag: null });
          else expectProblem(answer, 'MALFORMED_JSON', 'VALIDATION_FAILED');
        }
        const missing = JSON.stringify(conversation({ bot_name: undefined })).replace('{', evil);
        expectProblem(await post(missing), 'MALFORMED_JSON', 'VALIDATION_FAILED');
      },
    );

    it('with a key twice means the last one', async () => {
      const raw = JSON.stringify(conversation()).replace('{', '{"bot_name":"First","bot_name":7,');
      expect((await post(raw)).body.data).toMatchObject({ bot_name: 'Dino' });
    });

    it('with bytes that are no UTF-8 in a text is stored with U+FFFD, or refused', async () => {
      const { raw, conversation_id } = withField('bot_name', '"@@"');
      const at = raw.indexOf('@@');
      const body = Buffer.concat([
        Buffer.from(raw.slice(0, at)),
        Buffer.from([0xff, 0xc3]),
        Buffer.from(raw.slice(at + 2)),
      ]);
      const answer = await post(body);
      if (answer.status !== 202) return void expectProblem(answer, 'MALFORMED_JSON', 'BAD_REQUEST');
      expect(await storedEvent(namespace, conversation_id)).toMatchObject({ bot_name: '\uFFFD\uFFFD' });
    });

    it.each(['gzip', 'br', 'deflate', 'nonsense'])('compressed with %s is a 415 that says so', async (encoding) => {
      const body = conversation();
      const compressed = encoding === 'gzip' ? gzipSync(JSON.stringify(body)) : JSON.stringify(body);
      const answer = await post(compressed, { 'content-encoding': encoding });
      expectProblem(answer, 'UNSUPPORTED_MEDIA_TYPE');
      expect(answer.text).toContain('Content-Encoding');
      expect(await storedEvent(namespace, body.conversation_id)).toBeUndefined();
    });

    it.each([
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/xml',
      'application/octet-stream',
      'application/jsonp',
      'nonsense',
      '',
    ])('of the type "%s" is a 415', async (type) => {
      expectProblem(await post(JSON.stringify(conversation()), { 'content-type': type }), 'UNSUPPORTED_MEDIA_TYPE');
    });

    it.each(['application/json; charset=utf-8', 'Application/JSON', 'application/json;charset=UTF-8'])(
      'of the type "%s" is taken',
      async (type) => {
        expect((await post(conversation(), { 'content-type': type })).status).toBe(202);
      },
    );

    it('that is empty is a problem, with a type and without', async () => {
      expectProblem(await post(''), 'MALFORMED_JSON', 'VALIDATION_FAILED');
      expectProblem(await api.request('POST', END, undefined, {}), 'MALFORMED_JSON', 'VALIDATION_FAILED');
    });
  });

  describe('a request', () => {
    it.each([
      ['GET', '/'],
      ['GET', '/v1'],
      ['GET', '/v2/conversations'],
      ['POST', '/v1/conversations'],
      ['POST', '/v1/conversations/end/more'],
      ['PUT', '/v1/conversations/end'],
      ['PATCH', '/v1/conversations/end'],
      ['DELETE', '/v1/conversations/conv-1'],
      ['OPTIONS', '/v1/conversations'],
      ['GET', '/v1/friendship'],
      ['GET', '/v1/conversations/../../etc/passwd'],
      ['GET', '/v1/conversations//'],
      ['GET', `/${'x'.repeat(5_000)}`],
    ])('%s %s is a 404', async (method, path) => {
      const body = ['GET', 'OPTIONS'].includes(method) ? undefined : {};
      const answer = await api.request(method, path, body, body ? { 'content-type': 'application/json' } : {});
      expectProblem(answer, 'ROUTE_NOT_FOUND', 'CONVERSATION_NOT_FOUND');
    });

    it.each(['/v1/conversations/%zz', '/%', '/v1/friendship/%E0%A4%A'])(
      'for the broken URL %s is a 400',
      async (path) => {
        expectProblem(await api.get(path), 'BAD_REQUEST');
      },
    );

    const head = (type: string) =>
      `POST ${END} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n${type}\r\n\r\n`;
    /** The status, the type and the code of the first answer. */
    function firstAnswer(text: string) {
      const [top, body = ''] = text.split('\r\n\r\n');
      return {
        status: Number(/^HTTP\/1\.1 (\d+)/.exec(top)?.[1]),
        type: /^content-type: *([^;\r]+)/im.exec(top)?.[1],
        code: /"code":"(\w+)"/.exec(body)?.[1],
      };
    }

    it('in chunks is taken', async () => {
      const body = JSON.stringify(conversation());
      const parts = [body.slice(0, 10), body.slice(10)].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`);
      const text = await rawHttp(api.url, head('Transfer-Encoding: chunked'), ...parts, '0\r\n\r\n');
      expect(firstAnswer(text).status).toBe(202);
    });

    it('in chunks beyond the limit is a 413', async () => {
      const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
      const text = await rawHttp(
        api.url,
        head('Transfer-Encoding: chunked'),
        ...Array<string>(9).fill(chunk),
        '0\r\n\r\n',
      );
      expect(firstAnswer(text)).toEqual({ status: 413, type: 'application/problem+json', code: 'BODY_TOO_LARGE' });
    });

    it('with a Content-Length that is too small is a 400', async () => {
      const body = JSON.stringify(conversation());
      const text = await rawHttp(api.url, head(`Content-Length: ${body.length - 5}`), body);
      // Either the cut-off body or what follows it is answered first.
      expect(firstAnswer(text)).toEqual({
        status: 400,
        type: 'application/problem+json',
        code: expect.stringMatching(/^(MALFORMED_JSON|BAD_REQUEST)$/),
      });
    });

    it.each([
      ['a Content-Length that is no number', head('Content-Length: abc')],
      ['two Content-Lengths', head('Content-Length: 2\r\nContent-Length: 3') + '{}'],
      ['both a length and chunks', head('Content-Length: 2\r\nTransfer-Encoding: chunked') + '0\r\n\r\n'],
      ['a broken chunk', head('Transfer-Encoding: chunked') + 'zz\r\n{}\r\n0\r\n\r\n'],
      ['a line that is no HTTP', 'Zauberwort\r\n\r\n'],
      ['an unknown method', `BREW ${END} HTTP/1.1\r\nHost: x\r\n\r\n`],
      ['headers of 100 kB', `GET /health HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(100_000)}\r\n\r\n`],
    ])('with %s is a problem', async (_what, bytes) => {
      const text = await rawHttp(api.url, bytes);
      expect(text).not.toContain('Zauberwort');
      const { status, type, code } = firstAnswer(text);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
      expect({ type, code }).toEqual({ type: 'application/problem+json', code: expect.any(String) });
    });
  });
});

/** Children are talking: their words are in the two columns that are made for them, and nowhere else. */
describe('the words of a conversation', () => {
  const WORD = 'Zauberwort';
  const KEY = 'an-api-key-that-nobody-may-see';
  const SAID = `I say ${WORD}, "${WORD}"!`;

  let namespace: Namespace;
  let api: ServiceProcess;
  let worker: ServiceProcess;
  const answers: Answer[] = [];

  beforeAll(async () => {
    namespace = await createNamespace({ LOG_LEVEL: 'trace', API_KEYS: KEY, MESSAGE_CONCURRENCY_PER_WORKER: '5' });
    // Drivers quote what was refused: the whole row, and what a trigger says.
    await namespace.database.query(`
      ALTER TABLE conversation_events ADD CONSTRAINT refused CHECK (user_id <> 'child-refused');
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN RAISE EXCEPTION 'refused: %', OLD.conversation_log USING DETAIL = OLD.conversation_log, HINT = '${WORD}'; END$$;
      CREATE TRIGGER refuse BEFORE UPDATE ON conversation_events FOR EACH ROW
        WHEN (OLD.user_id = 'child-fails' AND NEW.status = 'PROCESSED') EXECUTE FUNCTION refuse();`);
    [api, worker] = await Promise.all([
      ServiceProcess.start('api', namespace.variables),
      ServiceProcess.start('worker', namespace.variables),
    ]);
    await Promise.all([api.ready(), worker.ready()]);
  });
  afterAll(async () => {
    await stopAll();
    await namespace.remove();
  });

  const headers = { 'x-api-key': KEY };
  async function post(body: unknown, more: Record<string, string> = {}): Promise<Answer> {
    const answer = await api.post(END, body, { ...headers, ...more });
    answers.push(answer);
    return answer;
  }
  async function get(path: string): Promise<Answer> {
    const answer = await api.get(path, headers);
    answers.push(answer);
    return answer;
  }
  const said = (fields: Record<string, unknown> = {}) =>
    conversation({
      conversation_log: [
        { character: 'BOT', content: SAID },
        { character: 'USER', content: SAID },
      ],
      ...fields,
    });

  it('reach no log, header, error, error column or list, whatever way they take', async () => {
    const good = [said(), said({ metadata: { session_emotion: WORD } }), said({ [WORD]: WORD, words: [SAID] })];
    for (const body of good) expect((await post(body)).status).toBe(202);
    await post({ ...good[0], bot_name: 'Another' }); // 409
    expect((await post(JSON.stringify(said()).slice(0, -3))).status).toBe(400);
    await post(SAID);
    await post(JSON.stringify(SAID));
    await post([SAID]);
    await post(said(), { 'content-type': 'text/plain' });
    await post(said({ conversation_log: SAID }));
    await post(said({ conversation_log: { [WORD]: SAID } }));
    await post(said({ conversation_log: [SAID, [SAID], { text: [SAID] }, { speaker: { [WORD]: 1 }, text: SAID }] }));
    await post(said({ conversation_log: [{ speaker: 'user', text: { [WORD]: SAID }, timestamp: SAID }] }));
    await post(
      said({
        conversation_log: [
          { speaker: 'user', text: SAID, timestamp: SAID },
          { character: WORD, content: SAID },
        ],
      }),
    );
    await post(said({ metadata: SAID }));
    await post(
      said({ metadata: { user_initiated_questions: SAID, new_memories_count: [SAID], emotion: SAID.repeat(9) } }),
    );
    await post(said({ conversation_id: SAID, user_id: SAID, start_time: SAID, end_time: SAID, agent_tag: [SAID] }));
    await post(JSON.stringify(said()).replace('{', `{"__proto__":"${WORD}",`));
    // Too large; the connection may be closed before it was sent.
    await post(said({ conversation_log: [{ speaker: 'user', text: SAID.repeat(500_000) }] })).catch(() => undefined);
    // The database refuses these two, and says why in the conversation's words.
    const refused = await post(said({ user_id: 'child-refused' }));
    expect(refused.status).toBe(500);
    const fails = said({ user_id: 'child-fails' });
    await post(fails);

    const { broker } = namespace;
    const whole = said({ user_id: 'child-queue' });
    await broker.send(whole);
    await broker.send({ ...whole, bot_name: 'Another' });
    await broker.send({ conversation_id: good[0].conversation_id, conversation_log: [{ text: SAID }] });
    const bad = [
      SAID,
      JSON.stringify(SAID),
      JSON.stringify(said()).slice(0, -3),
      JSON.stringify([SAID]),
      JSON.stringify(said({ conversation_id: SAID })),
      JSON.stringify(said({ start_time: SAID })),
      JSON.stringify(said({ conversation_log: [SAID, { text: [SAID], timestamp: SAID }] })),
      JSON.stringify(said({ metadata: { new_memories_count: SAID } })),
    ];
    for (const body of bad) await broker.send(body);
    const wholeRefused = said({ user_id: 'child-refused' });
    await broker.send(wholeRefused);
    await broker.send({ conversation_id: 'conv-unknown', conversation_log: [{ text: SAID }] });

    for (const { conversation_id } of [...good, whole]) {
      expect(await settledEvent(namespace, conversation_id)).toMatchObject({ status: 'PROCESSED' });
    }
    expect(await settledEvent(namespace, fails.conversation_id)).toMatchObject({ status: 'FAILED' });
    // The bad ones, the conflict, the one that failed, and the unknown one. (Of the refused one: see the next test.)
    await until('the dead letters', async () => {
      const { rows } = await namespace.database.query('SELECT count(*)::int AS letters FROM dead_letters');
      return (rows[0] as { letters: number }).letters >= bad.length + 3;
    });

    for (const { conversation_id } of [...good, whole, fails]) {
      expect((await get(`/v1/conversations/${conversation_id}`)).status).toBe(200);
      answers.push(await api.post(`/v1/conversations/${conversation_id}/score`, {}, headers));
      // The one way to them.
      const asked = await api.get(`/v1/conversations/${conversation_id}?include=conversation_log`, headers);
      expect(asked.text).toContain(WORD);
    }
    await get('/v1/conversations');
    await get('/v1/conversations?status=FAILED');
    await get('/v1/conversations?include=conversation_log');
    await get('/v1/friendship/child-1');
    await get('/health/ready');
    for (const { text, headers: sent } of answers) {
      expect(text).not.toContain(WORD);
      expect(JSON.stringify([...sent])).not.toContain(WORD);
    }

    const columns = await namespace.database.query(`
      SELECT (to_jsonb(event) - 'conversation_log' - 'session_emotion')::text AS text FROM conversation_events AS event
      UNION ALL SELECT (to_jsonb(letter) - 'body')::text FROM dead_letters AS letter
      UNION ALL SELECT to_jsonb(status)::text FROM friendship_status AS status`);
    expect(columns.rows.length).toBeGreaterThan(15);
    expect((columns.rows as { text: string }[]).filter(({ text }) => text.includes(WORD))).toEqual([]);

    for (const args of [['--json'], []]) {
      const listed = await runCli(namespace.variables, 'dead-letters', 'list', ...args);
      expect(listed).toMatchObject({ code: 0, stdout: expect.stringContaining('INVALID_MESSAGE') });
      expect(listed.stdout + listed.stderr).not.toContain(WORD);
    }

    expect(await Promise.all([api.stop(), worker.stop()])).toEqual([0, 0]);
    const { password } = new URL(namespace.variables.DATABASE_URL);
    const lines = [...api.lines, ...worker.lines];
    expect(lines.length).toBeGreaterThan(20);
    for (const secret of [WORD, KEY, decodeURIComponent(password), password]) {
      expect(lines.filter((line) => line.includes(secret))).toEqual([]);
    }
  });

  it('are not lost with a whole conversation whose first insert fails', async () => {
    const another = await ServiceProcess.start('worker', namespace.variables);
    await namespace.database.query(`
      CREATE SEQUENCE tries;
      CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN
          IF nextval('tries') = 1 THEN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END IF;
          RETURN NEW;
        END$$;
      CREATE TRIGGER fail_once BEFORE INSERT ON conversation_events FOR EACH ROW
        WHEN (NEW.user_id = 'child-retried') EXECUTE FUNCTION fail_once();`);
    const body = said({ user_id: 'child-retried' });
    await namespace.broker.send(body);
    expect(await settledEvent(namespace, body.conversation_id)).toMatchObject({ status: 'PROCESSED' });
    expect(await another.stop()).toBe(0);
  });

  it('and passwords are not logged while neither service lets anybody in', async () => {
    const wrong = (url: string, password: string) => Object.assign(new URL(url), { password }).toString();
    const variables = {
      ...namespace.variables,
      DATABASE_URL: wrong(namespace.variables.DATABASE_URL, 'secret-of-postgres'),
      RABBITMQ_URL: wrong(namespace.variables.RABBITMQ_URL, 'secret-of-rabbit'),
    };
    for (const role of ['api', 'worker'] as const) {
      const service = await ServiceProcess.start(role, variables);
      await service.logged('PostgreSQL’s refusal', ({ msg }) => msg === 'database is away');
      await service.logged('RabbitMQ’s refusal', ({ msg }) => msg === 'no connection to the broker');
      const answer = await service.get('/health/ready');
      await service.stop();
      expect([...service.lines, answer.text].filter((text) => text.includes('secret-of-'))).toEqual([]);
    }
  });
});
