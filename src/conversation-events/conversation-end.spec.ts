import fc from 'fast-check';
import { CodedError } from '../errors/coded-error';
import { fingerprint, parseConversationEnd } from './conversation-end';
import { WHOLE_CONVERSATION_FIELDS, conversationEndJsonSchema } from './conversation-end.schema';

const NOW = new Date('2026-11-20T12:00:00Z');

const VALID = {
  conversation_id: 'conv-1',
  user_id: 'child-an',
  bot_id: 'bot-dino',
  bot_name: 'Dino',
  bot_type: 'TALK',
  start_time: '2026-11-20T10:00:00Z',
  end_time: '2026-11-20T10:10:00Z',
};
const body = (fields: Record<string, unknown> = {}): Record<string, unknown> => ({ ...VALID, ...fields });
const parse = (fields: Record<string, unknown> = {}) => parseConversationEnd(body(fields), NOW);

function without(name: string): Record<string, unknown> {
  const { [name]: _left, ...rest } = body();
  return rest;
}

/** What is told about an invalid body. */
function problemsOf(invalid: unknown) {
  try {
    parseConversationEnd(invalid, NOW);
  } catch (error) {
    if (error instanceof CodedError && error.code === 'VALIDATION_FAILED') return error.fields;
    throw error;
  }
  throw new Error('expected a body that is refused');
}
const problems = (fields: Record<string, unknown>) => problemsOf(body(fields));
const wrongFields = (fields: Record<string, unknown>) => problems(fields).map(({ field }) => field);

const LINES = [
  { character: 'BOT', content: 'Hi!' },
  { character: 'USER', content: 'Hello.' },
];

describe('a valid conversation', () => {
  it('needs seven fields; the producer has said nothing about the others', () => {
    expect(parse()).toEqual({
      conversation_id: 'conv-1',
      user_id: 'child-an',
      bot_id: 'bot-dino',
      bot_name: 'Dino',
      bot_type: 'TALK',
      agent_tag: null,
      start_time: new Date('2026-11-20T10:00:00Z'),
      end_time: new Date('2026-11-20T10:10:00Z'),
      conversation_log: [],
      user_initiated_questions: null,
      session_emotion: null,
      new_memories_count: null,
    });
  });

  it('takes everything that a producer may say', () => {
    const conversation = parse({
      agent_tag: 'agent_dino_1',
      conversation_log: LINES,
      metadata: { user_initiated_questions: 2, session_emotion: 'interesting', new_memories_count: 1 },
    });
    expect(conversation).toMatchObject({
      agent_tag: 'agent_dino_1',
      user_initiated_questions: 2,
      session_emotion: 'interesting',
      new_memories_count: 1,
    });
    expect(conversation.conversation_log.map(({ speaker, text }) => [speaker, text])).toEqual([
      ['pika', 'Hi!'],
      ['user', 'Hello.'],
    ]);
  });

  it('takes null for every optional field', () => {
    const nothing = { user_initiated_questions: null, session_emotion: null, new_memories_count: null };
    expect(parse({ agent_tag: null, conversation_log: null, metadata: null })).toEqual(parse());
    expect(parse({ metadata: nothing })).toEqual(parse());
    expect(parse({ metadata: {} })).toEqual(parse());
  });

  it('takes an empty tag and an empty emotion for none', () => {
    expect(parse({ agent_tag: '', metadata: { session_emotion: '' } })).toEqual(parse());
  });

  it('reads a time with a zone, and one without as UTC', () => {
    const { start_time, end_time } = parse({
      start_time: '2026-11-20T10:00:00',
      end_time: '2026-11-20T17:10:00+07:00',
    });
    expect([start_time, end_time]).toEqual([parse().start_time, parse().end_time]);
  });

  it('ignores unknown fields, and results that a client sends', () => {
    const results = {
      status: 'PROCESSED',
      attempt_count: 7,
      friendship_score_change: 1000,
      score_breakdown: {},
      topic_id: 'movie',
      accepted_at: '2020-01-01T00:00:00Z',
    };
    expect(parse({ ...results, anything: { deep: [] }, metadata: { mood: 'fine' } })).toEqual(parse());
    const hidden = JSON.parse('{"__proto__": {"user_id": "somebody-else"}}') as Record<string, unknown>;
    expect(parse(hidden)).toEqual(parse());
  });

  it('replaces U+0000 and lone surrogates in texts', () => {
    const text = 'a\0\ud83e';
    const conversation = parse({
      bot_id: text,
      bot_name: text,
      bot_type: text,
      agent_tag: text,
      metadata: { session_emotion: text },
    });
    const { bot_id, bot_name, bot_type, agent_tag, session_emotion } = conversation;
    expect([bot_id, bot_name, bot_type, agent_tag, session_emotion]).toEqual(Array(5).fill('a\ufffd\ufffd'));
  });
});

describe('fields with two names', () => {
  const log = (content: string) => [{ character: 'USER', content }];
  const texts = (fields: Record<string, unknown>) => parse(fields).conversation_log.map(({ text }) => text);

  it('reads the log under either name, and the first name wins', () => {
    expect(texts({ conversation_logs: log('b') })).toEqual(['b']);
    expect(texts({ conversation_logs: log('b'), conversation_log: log('a') })).toEqual(['a']);
    expect(texts({ conversation_logs: log('b'), conversation_log: [] })).toEqual([]);
    expect(texts({ conversation_logs: log('b'), conversation_log: null })).toEqual(['b']);
  });

  it('reads the emotion under either name, and the first name wins', () => {
    expect(parse({ metadata: { emotion: 'sad' } }).session_emotion).toBe('sad');
    expect(parse({ metadata: { emotion: 'sad', session_emotion: 'happy' } }).session_emotion).toBe('happy');
    expect(parse({ metadata: { emotion: 'sad', session_emotion: null } }).session_emotion).toBe('sad');
  });

  it('reads the memories under either name, and the first name wins, also with 0', () => {
    expect(parse({ metadata: { new_memories_created: 3 } }).new_memories_count).toBe(3);
    expect(parse({ metadata: { new_memories_created: 3, new_memories_count: 0 } }).new_memories_count).toBe(0);
  });

  it('does not look at the second name when the first is there, and names a bad alias by the first', () => {
    expect(texts({ conversation_log: [], conversation_logs: 7 })).toEqual([]);
    expect(wrongFields({ conversation_logs: 7 })).toEqual(['conversation_log']);
    expect(wrongFields({ metadata: { emotion: 7 } })).toEqual(['metadata.session_emotion']);
    expect(wrongFields({ metadata: { new_memories_created: -1 } })).toEqual(['metadata.new_memories_count']);
  });
});

describe('a field that is not as expected', () => {
  it.each([
    ['conversation_id', '3 to 255 visible ASCII characters'],
    ['user_id', '3 to 255 visible ASCII characters'],
    ['bot_id', '1 to 255 characters'],
    ['bot_name', '1 to 255 characters'],
    ['bot_type', '0 to 50 characters'],
    ['start_time', 'an ISO 8601 date and time; no zone means UTC'],
    ['end_time', 'an ISO 8601 date and time; no zone means UTC'],
  ])('%s is required, and must be a text', (field, expected) => {
    expect(problemsOf(without(field))).toEqual([{ field, expected, got: 'nothing' }]);
    expect(problems({ [field]: null })).toEqual([{ field, expected, got: 'null' }]);
    expect(problems({ [field]: 12 })).toEqual([{ field, expected, got: 'a number (12)' }]);
    expect(problems({ [field]: true })).toEqual([{ field, expected, got: 'true' }]);
    expect(problems({ [field]: [1, 2] })).toEqual([{ field, expected, got: 'an array of 2 items' }]);
    expect(problems({ [field]: { $gt: '' } })).toEqual([{ field, expected, got: 'an object' }]);
  });

  it.each([['conversation_id'], ['user_id']])('%s has 3 to 255 visible ASCII characters', (field) => {
    for (const good of ['abc', 'a'.repeat(255), '!~#'])
      expect(parse({ [field]: good })).toMatchObject({ [field]: good });
    for (const bad of ['', 'ab', 'a'.repeat(256), 'a b c', 'abc\n', '\tabc', 'ab\0', 'khủng', 'ab🦕', 'abc\x7f']) {
      expect(wrongFields({ [field]: bad })).toEqual([field]);
    }
  });

  it.each([
    ['bot_id', 1, 255],
    ['bot_name', 1, 255],
    ['bot_type', 0, 50],
    ['agent_tag', 0, 255],
  ])('%s has %i to %i characters, an emoji being one', (field, least, most) => {
    for (const good of ['a'.repeat(Math.max(1, least)), 'a'.repeat(most), 'ủ'.repeat(most), '🦕'.repeat(most)]) {
      expect(parse({ [field]: good })).toMatchObject({ [field]: good });
    }
    expect(wrongFields({ [field]: 'a'.repeat(most + 1) })).toEqual([field]);
    expect(wrongFields({ [field]: '🦕'.repeat(most + 1) })).toEqual([field]);
    if (least > 0) expect(wrongFields({ [field]: '' })).toEqual([field]);
    else expect(() => parse({ [field]: '' })).not.toThrow();
  });

  it.each([['user_initiated_questions'], ['new_memories_count']])('metadata.%s is an integer 0..1000', (name) => {
    const field = `metadata.${name}`;
    for (const good of [0, 1, 1000]) expect(parse({ metadata: { [name]: good } })).toMatchObject({ [name]: good });
    for (const [bad, got] of [
      [-1, 'a number (-1)'],
      [1001, 'a number (1001)'],
      [1.5, 'a number (1.5)'],
      [1e400, 'a number (Infinity)'],
      ['2', 'a string of 1 characters'],
      [true, 'true'],
      [[], 'an array of 0 items'],
    ] as const) {
      expect(problems({ metadata: { [name]: bad } })).toEqual([
        { field, expected: 'an integer 0..1000, or none', got },
      ]);
    }
  });

  it.each([[7], ['sad'], [['sad']], [false]])('metadata is an object, not %p', (metadata) => {
    expect(wrongFields({ metadata })).toEqual(['metadata']);
  });

  it.each([[7], [true], [{}], [['a']], ['a'.repeat(51)]])(
    'an emotion is a text of at most 50 characters, not %p',
    (session_emotion) => {
      expect(wrongFields({ metadata: { session_emotion } })).toEqual(['metadata.session_emotion']);
    },
  );

  it.each([[7], ['text'], [{}], [false]])('a log is an array, not %p', (conversation_log) => {
    expect(wrongFields({ conversation_log })).toEqual(['conversation_log']);
  });

  it('a log has at most 50,000 items', () => {
    const items = (count: number) => Array.from({ length: count }, () => ({ character: 'USER', content: 'a' }));
    expect(parse({ conversation_log: items(50_000) }).conversation_log).toHaveLength(50_000);
    expect(problems({ conversation_log: items(50_001) })).toEqual([
      { field: 'conversation_log', expected: 'an array of at most 50000 items', got: 'an array of 50001 items' },
    ]);
  });

  it.each([[undefined], [null], ['text'], [7], [true], [[VALID]]])('a body is an object, not %p', (invalid) => {
    expect(problemsOf(invalid)).toEqual([{ field: '', expected: 'a JSON object', got: expect.any(String) as string }]);
  });

  it('tells where an id is not visible ASCII, without quoting it', () => {
    expect(problems({ user_id: 'an tigers' })).toEqual([
      {
        field: 'user_id',
        expected: '3 to 255 visible ASCII characters',
        got: 'a string of 9 characters, the one at 2 not visible ASCII',
      },
    ]);
  });

  it('does not speak of ASCII where every character is welcome', () => {
    expect(problems({ bot_name: 'khủng long '.repeat(40) })).toEqual([
      { field: 'bot_name', expected: '1 to 255 characters', got: 'a string of 440 characters' },
    ]);
  });
});

describe('limits on time', () => {
  const at = (offsetMs: number) => new Date(NOW.getTime() + offsetMs).toISOString();
  const MINUTE = 60_000;
  const DAY = 24 * 60 * MINUTE;

  it('refuses a start before 2020', () => {
    const times = { start_time: '2019-12-31T23:59:59.999Z', end_time: '2020-01-01T00:00:00Z' };
    expect(problems(times)).toEqual([
      { field: 'start_time', expected: '2020-01-01T00:00:00Z or later', got: '2019-12-31T23:59:59.999Z' },
    ]);
    expect(parse({ start_time: '2020-01-01T00:00:00Z', end_time: '2020-01-01T00:00:00.001Z' }).start_time).toEqual(
      new Date('2020-01-01'),
    );
  });

  it('refuses an end that is not after the start', () => {
    const expected = 'after start_time (2026-11-20T10:00:00.000Z)';
    for (const end_time of ['2026-11-20T10:00:00Z', '2026-11-20T09:59:59Z']) {
      expect(problems({ end_time })).toEqual([{ field: 'end_time', expected, got: new Date(end_time).toISOString() }]);
    }
  });

  it('takes 24 hours and no millisecond more', () => {
    expect(() => parse({ start_time: at(-DAY), end_time: at(0) })).not.toThrow();
    expect(wrongFields({ start_time: at(-DAY - 1), end_time: at(0) })).toEqual(['end_time']);
  });

  it('takes an end 10 minutes ahead of now and no millisecond more', () => {
    expect(() => parse({ end_time: at(10 * MINUTE) })).not.toThrow();
    expect(problems({ end_time: at(10 * MINUTE + 1) })).toEqual([
      {
        field: 'end_time',
        expected: 'at most 10 minutes after now (2026-11-20T12:00:00.000Z)',
        got: '2026-11-20T12:10:00.001Z',
      },
    ]);
  });

  it('does not quote a text that is no time', () => {
    expect(problems({ start_time: 'when the tiger came' })).toEqual([
      {
        field: 'start_time',
        expected: 'an ISO 8601 date and time; no zone means UTC',
        got: 'a string of 19 characters',
      },
    ]);
  });
});

describe('all problems at once', () => {
  it('names every wrong field of a request in one answer', () => {
    const wrong = wrongFields({
      conversation_id: 'a b',
      user_id: 7,
      bot_id: '',
      bot_name: null,
      bot_type: 'a'.repeat(51),
      agent_tag: [],
      start_time: 'soon',
      end_time: '2036-01-01T00:00:00Z',
      conversation_log: {},
      metadata: { user_initiated_questions: -1, session_emotion: 7, new_memories_count: 'many' },
    });
    expect(wrong.sort()).toEqual([
      'agent_tag',
      'bot_id',
      'bot_name',
      'bot_type',
      'conversation_id',
      'conversation_log',
      'end_time',
      'metadata.new_memories_count',
      'metadata.session_emotion',
      'metadata.user_initiated_questions',
      'start_time',
      'user_id',
    ]);
  });

  it('names a wrong field and a wrong line of the log together', () => {
    expect(wrongFields({ user_id: 7, conversation_log: [...LINES, 'bad'] })).toEqual([
      'user_id',
      'conversation_log[2]',
    ]);
  });

  it('names a wrong time and a wrong line of the log together', () => {
    expect(wrongFields({ start_time: 'soon', conversation_log: [...LINES, 'bad'] })).toEqual([
      'start_time',
      'conversation_log[2]',
    ]);
  });
});

describe('the fingerprint', () => {
  const hash = (fields: Record<string, unknown> = {}) =>
    fingerprint(parse({ conversation_log: LINES, ...fields })).hash.toString('hex');

  it('is the same for the same conversation, however it is written', () => {
    const standard = [
      { speaker: 'pika', turn_id: 1, text: ' Hi! ' },
      { speaker: 'user', turn_id: 2, text: 'Hello.', timestamp: '2026-11-20T17:05:00+07:00' },
    ];
    expect(hash({ conversation_log: standard })).toBe(hash());
    expect(hash({ conversation_log: undefined, conversation_logs: LINES })).toBe(hash());
    expect(hash({ start_time: '2026-11-20T17:00:00+07:00', end_time: '2026-11-20 10:10' })).toBe(hash());
    expect(hash({ status: 'PROCESSED', unknown: 1 })).toBe(hash());
    expect(hash({ agent_tag: null, metadata: {} })).toBe(hash());
    expect(hash({ metadata: { emotion: 'sad' } })).toBe(hash({ metadata: { session_emotion: 'sad' } }));
    const reversed = Object.fromEntries(Object.entries(body({ conversation_log: LINES })).reverse());
    expect(fingerprint(parseConversationEnd(reversed, NOW)).hash.toString('hex')).toBe(hash());
  });

  it.each([
    ['conversation_id', { conversation_id: 'conv-2' }],
    ['user_id', { user_id: 'child-binh' }],
    ['bot_id', { bot_id: 'bot-2' }],
    ['bot_name', { bot_name: 'Rex' }],
    ['bot_type', { bot_type: 'NEXT_LESSON' }],
    ['agent_tag', { agent_tag: 'agent_dino_1' }],
    ['start_time', { start_time: '2026-11-20T10:00:00.001Z' }],
    ['end_time', { end_time: '2026-11-20T10:10:00.001Z' }],
    ['a text', { conversation_log: [LINES[0], { character: 'USER', content: 'Bye.' }] }],
    ['a speaker', { conversation_log: [LINES[0], { character: 'BOT', content: 'Hello.' }] }],
    ['a timestamp', { conversation_log: [LINES[0], { ...LINES[1], timestamp: '2026-11-20T10:05:01Z' }] }],
    ['one line less', { conversation_log: [LINES[0]] }],
    ['questions', { metadata: { user_initiated_questions: 0 } }],
    ['emotion', { metadata: { session_emotion: 'sad' } }],
    ['memories', { metadata: { new_memories_count: 0 } }],
  ])('is another one with another %s', (_what, fields) => {
    expect(hash(fields)).not.toBe(hash());
  });

  it('does not mix up neighbouring fields', () => {
    expect(hash({ bot_id: 'ab', bot_name: 'c' })).not.toBe(hash({ bot_id: 'a', bot_name: 'bc' }));
    expect(hash({ metadata: { user_initiated_questions: 1 } })).not.toBe(hash({ metadata: { new_memories_count: 1 } }));
  });

  it('goes with the lines as they are stored', () => {
    const conversation = parse({ conversation_log: LINES });
    expect(JSON.parse(fingerprint(conversation).logJson)).toEqual(conversation.conversation_log);
  });
});

describe('hostile bodies', () => {
  const CANARY = 'Khủng-long';
  const mark = (value: unknown): unknown => {
    if (typeof value === 'string') return CANARY + value;
    if (Array.isArray(value)) return value.map(mark);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [CANARY + key, mark(inner)]));
  };
  const anything = fc.jsonValue().map(mark);
  const fields = (...names: string[]) =>
    fc.record(Object.fromEntries(names.map((name) => [name, anything])), { requiredKeys: [] });
  const line = fc.oneof(anything, fields('speaker', 'character', 'text', 'content', 'timestamp'));
  const metadata = fields(
    'user_initiated_questions',
    'session_emotion',
    'emotion',
    'new_memories_count',
    'new_memories_created',
  );
  const hostile = fc.oneof(
    anything,
    fields(...Object.keys(VALID), 'agent_tag', 'conversation_log', 'metadata').map(body),
    fc
      .record({ conversation_log: fc.array(line), metadata: fc.oneof(anything, metadata) }, { requiredKeys: [] })
      .map(body),
  );

  it('are refused with VALIDATION_FAILED or taken, and nothing of them is quoted', () => {
    fc.assert(
      fc.property(hostile, (invalid) => {
        try {
          parseConversationEnd(invalid, NOW);
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
          const { code, message, fields: told, cause } = error as CodedError;
          expect(code).toBe('VALIDATION_FAILED');
          expect(told.length).toBeGreaterThan(0);
          expect(JSON.stringify({ code, message, told, cause })).not.toContain(CANARY);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('may be nested a hundred thousand levels deep', () => {
    const deep: unknown = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000));
    expect(wrongFields({ user_id: deep, metadata: deep, conversation_log: [deep] })).toEqual([
      'user_id',
      'metadata',
      'conversation_log[0]',
    ]);
  });
});

describe('the schema for the API docs', () => {
  const schema = conversationEndJsonSchema() as { required: string[]; properties: Record<string, object> };

  it('requires what the service requires', () => {
    expect(schema.required.sort()).toEqual(Object.keys(VALID).sort());
    for (const name of schema.required) expect(problemsOf(without(name)).map(({ field }) => field)).toEqual([name]);
    expect(Object.keys(VALID)).toEqual(expect.arrayContaining([...WHOLE_CONVERSATION_FIELDS]));
  });

  it('shows an example that the service takes', () => {
    const examples = Object.entries(schema.properties).flatMap(([name, property]) =>
      'example' in property ? [[name, property.example] as const] : [],
    );
    const afterwards = new Date('2026-11-21T00:00:00Z');
    expect(parseConversationEnd(Object.fromEntries(examples), afterwards).conversation_log).toHaveLength(2);
  });
});
