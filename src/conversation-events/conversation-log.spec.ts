import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { normaliseLog, storableText } from './conversation-log';

interface Vectors {
  timestamps: {
    about: string;
    start_time: string;
    end_time: string;
    items: number;
    kept_indexes: number[];
    timestamps: string[];
  }[];
}

const vectors = JSON.parse(readFileSync(join(__dirname, '../../test/vectors/scoring.json'), 'utf8')) as Vectors;

const START = new Date('2026-11-20T10:00:00Z');
const END = new Date('2026-11-20T10:10:00Z');
const normalise = (...items: unknown[]) => normaliseLog(items, START, END);

describe('the two shapes of a line', () => {
  it('reads {character, content}', () => {
    expect(
      normalise({ character: 'BOT_RESPONSE_CONVERSATION', content: 'Hi!' }, { character: 'USER', content: 'Hello.' }),
    ).toEqual({
      lines: [
        { speaker: 'pika', turn_id: 1, text: 'Hi!', timestamp: '2026-11-20T10:00:00.000Z' },
        { speaker: 'user', turn_id: 2, text: 'Hello.', timestamp: '2026-11-20T10:05:00.000Z' },
      ],
      problems: [],
    });
  });

  it('reads {speaker, text, timestamp}', () => {
    expect(
      normalise({ speaker: 'user', turn_id: 7, text: 'Hello.', timestamp: '2026-11-20T17:01:02.345678+07:00' }),
    ).toEqual({
      lines: [{ speaker: 'user', turn_id: 1, text: 'Hello.', timestamp: '2026-11-20T10:01:02.345Z' }],
      problems: [],
    });
  });

  it('judges each item by itself, so that one log may mix them', () => {
    const { lines } = normalise(
      { character: 'BOT', content: 'a' },
      { speaker: 'user', text: 'b' },
      { speaker: 'user', content: 'c' },
    );
    expect(lines.map(({ speaker, text }) => [speaker, text])).toEqual([
      ['pika', 'a'],
      ['user', 'b'],
      ['user', 'c'],
    ]);
  });

  it('ignores everything else that an item carries', () => {
    const { lines } = normalise({ speaker: 'user', text: 'a', emotion: 'x', turn_id: { deep: true }, audio: [1] });
    expect(Object.keys(lines[0])).toEqual(['speaker', 'turn_id', 'text', 'timestamp']);
  });
});

describe('who speaks', () => {
  it.each([
    ['BOT', 'pika'],
    ['BOT_RESPONSE_CONVERSATION', 'pika'],
    ['robot', 'pika'],
    ['Pika', 'pika'],
    ['USER', 'user'],
    ['user', 'user'],
    ['End-User-7', 'user'],
    ['USER_OF_BOT', 'pika'],
    ['pika_user', 'pika'],
    ['SYSTEM', 'pika'],
    ['', 'pika'],
    [null, 'pika'],
    [undefined, 'pika'],
  ])('%p is %s, in either shape', (name, speaker) => {
    const { lines } = normalise({ speaker: name, text: 'a' }, { character: name, content: 'b' });
    expect(lines.map((line) => line.speaker)).toEqual([speaker, speaker]);
  });
});

describe('what is kept', () => {
  it('drops empty, blank, null and missing texts, and numbers the others from 1', () => {
    const { lines, problems } = normalise(
      { speaker: 'user', turn_id: 5, text: '' },
      { speaker: 'user', turn_id: 6, text: 'a' },
      { speaker: 'user', turn_id: 7, text: ' \t\r\n\u00a0' },
      { character: 'BOT', content: null },
      { character: 'BOT' },
      {},
      { speaker: 'pika', turn_id: 6, text: 'b' },
    );
    expect(problems).toEqual([]);
    expect(lines.map(({ turn_id, text }) => [turn_id, text])).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
  });

  it('trims, and leaves the inside of a text alone', () => {
    expect(normalise({ speaker: 'user', text: ' Tớ  buồn\nngủ rồi. ' }).lines[0].text).toBe('Tớ  buồn\nngủ rồi.');
  });

  it('replaces what PostgreSQL cannot store', () => {
    const { lines } = normalise(
      { speaker: 'user', text: 'a\0b' },
      { speaker: 'user', text: '\ud83e' },
      { speaker: 'user', text: '🦕\udd95' },
    );
    expect(lines.map(({ text }) => text)).toEqual(['a\ufffdb', '\ufffd', '🦕\ufffd']);
  });

  it('makes every text storable, and changes no good one', () => {
    const unit = fc.oneof(
      fc.constantFrom('\0', '\ud83e', '\udd95'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    );
    fc.assert(
      fc.property(fc.string({ unit }), (text) => {
        const stored = storableText(text);
        expect(stored.isWellFormed() && !stored.includes('\0')).toBe(true);
        expect(stored).toHaveLength(text.length);
        if (text.isWellFormed() && !text.includes('\0')) expect(stored).toBe(text);
      }),
    );
  });
});

describe('when a line was said', () => {
  it.each(vectors.timestamps)('$about', ({ start_time, end_time, items, kept_indexes, timestamps }) => {
    const sent = Array.from({ length: items }, (_, index) => ({
      character: 'USER',
      content: kept_indexes.includes(index) ? 'a' : '',
    }));
    const { lines } = normaliseLog(sent, new Date(start_time), new Date(end_time));
    expect(lines.map(({ timestamp }) => timestamp)).toEqual(timestamps);
  });

  it.each([[null], [undefined], ['']])('counts %p as no timestamp', (timestamp) => {
    expect(normalise({ speaker: 'user', text: 'a', timestamp }).lines[0].timestamp).toBe('2026-11-20T10:00:00.000Z');
  });

  it('shares the time out within the conversation, in order', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 86_400_000 }), (count, duration) => {
        const items = Array.from({ length: count }, () => ({ speaker: 'user', text: 'a' }));
        const at = normaliseLog(items, START, new Date(START.getTime() + duration)).lines.map((line) =>
          Date.parse(line.timestamp),
        );
        expect(at).toEqual([...at].sort((a, b) => a - b));
        expect(at[0]).toBe(START.getTime());
        expect(at[count - 1]).toBeLessThan(START.getTime() + duration);
      }),
    );
  });
});

describe('what is wrong with a log', () => {
  it('names the item, what was expected, and the type and length of what came', () => {
    const { problems } = normalise(
      'secret words',
      null,
      ['secret', 'words'],
      { speaker: ['secret'], text: 'a' },
      { character: {}, content: 'a' },
      { speaker: 'user', text: { secret: 'words' } },
      { character: 'USER', content: ['secret', 'words'] },
      { speaker: 'user', text: 'a', timestamp: 'secret words' },
    );
    const item = 'an object {character, content} or {speaker, text}';
    expect(problems).toEqual([
      { field: 'conversation_log[0]', expected: item, got: 'a string of 12 characters' },
      { field: 'conversation_log[1]', expected: item, got: 'null' },
      { field: 'conversation_log[2]', expected: item, got: 'an array of 2 items' },
      { field: 'conversation_log[3].speaker', expected: 'text', got: 'an array of 1 items' },
      { field: 'conversation_log[4].character', expected: 'text', got: 'an object' },
      { field: 'conversation_log[5].text', expected: 'text or null', got: 'an object' },
      { field: 'conversation_log[6].content', expected: 'text or null', got: 'an array of 2 items' },
      {
        field: 'conversation_log[7].timestamp',
        expected: 'an ISO 8601 time, or none',
        got: 'a string of 12 characters',
      },
    ]);
  });

  it('never tells a number, which a child may have said: type and length only', () => {
    const { problems } = normalise(
      84912345678,
      { speaker: 'user', text: 84912345678 },
      { character: 84912345678, content: 'a' },
    );
    expect(problems).toHaveLength(3);
    expect(JSON.stringify(problems)).not.toContain('84912345678');
  });

  it('tells of the bad items only', () => {
    const { problems } = normalise({ speaker: 'user', text: 'a' }, 1, { speaker: 'user', text: 'b' });
    expect(problems.map(({ field }) => field)).toEqual(['conversation_log[1]']);
  });

  it('stops after 20 problems', () => {
    const { problems } = normalise(...Array.from({ length: 1000 }, () => 'bad'));
    expect(problems.map(({ field }) => field)).toEqual(
      Array.from({ length: 20 }, (_, index) => `conversation_log[${index}]`),
    );
  });

  it('never throws and never quotes, whatever the items are', () => {
    const canary = 'Khủng long';
    const mark = (value: unknown): unknown => {
      if (typeof value === 'string') return canary + value;
      if (Array.isArray(value)) return value.map(mark);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [canary + key, mark(inner)]));
    };
    const anything = fc.jsonValue().map(mark);
    const fields = {
      speaker: anything,
      character: anything,
      text: anything,
      content: anything,
      timestamp: anything,
      turn_id: anything,
    };
    const item = fc.oneof(anything, fc.record(fields, { requiredKeys: [] }));
    fc.assert(
      fc.property(fc.array(item, { maxLength: 40 }), (items) => {
        const { lines, problems } = normalise(...items);
        expect(problems.length).toBeLessThanOrEqual(20);
        expect(JSON.stringify(problems)).not.toContain(canary);
        expect(lines.map((line) => line.turn_id)).toEqual(lines.map((_, index) => index + 1));
      }),
      { numRuns: 500 },
    );
  });
});
