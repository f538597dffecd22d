import fc from 'fast-check';
import { InvalidMessage, encodeReference, parseConversationMessage } from './conversation-message';

const NOW = new Date('2026-11-20T12:00:00Z');
const LIMIT = 10_000;

const WHOLE = {
  conversation_id: 'conv-1',
  user_id: 'child-an',
  bot_id: 'bot-dino',
  bot_name: 'Dino',
  bot_type: 'TALK',
  start_time: '2026-11-20T10:00:00Z',
  end_time: '2026-11-20T10:10:00Z',
  conversation_log: [{ character: 'USER', content: 'Hello.' }],
};

const encode = (value: unknown) => Buffer.from(JSON.stringify(value));
const parse = (value: unknown) => parseConversationMessage(Buffer.isBuffer(value) ? value : encode(value), LIMIT, NOW);

/** Why a message is refused. */
function refusal(value: unknown): string {
  try {
    parse(value);
  } catch (error) {
    if (error instanceof InvalidMessage) return error.message;
    throw error;
  }
  throw new Error('expected a message that is refused');
}

describe('a reference to a stored conversation', () => {
  it('reads what the service publishes', () => {
    const enqueuedAt = new Date('2026-11-20T11:59:59.123Z');
    expect(parse(encodeReference(WHOLE, enqueuedAt))).toEqual({
      conversationId: 'conv-1',
      enqueuedAt,
      conversation: undefined,
    });
  });

  it('is published without a word of the conversation', () => {
    const body: unknown = JSON.parse(encodeReference(WHOLE, NOW).toString());
    expect(body).toEqual({
      conversation_id: 'conv-1',
      user_id: 'child-an',
      bot_id: 'bot-dino',
      enqueued_at: '2026-11-20T12:00:00.000Z',
    });
  });

  it('needs the conversation_id only', () => {
    expect(parse({ conversation_id: 'conv-1' })).toEqual({
      conversationId: 'conv-1',
      enqueuedAt: undefined,
      conversation: undefined,
    });
  });

  it('may carry a log, as older publishers do, even a broken one', () => {
    for (const conversation_log of [WHOLE.conversation_log, ['bad'], 'bad', null]) {
      expect(
        parse({ conversation_id: 'conv-1', user_id: 'child-an', bot_id: 'b', conversation_log }).conversation,
      ).toBeUndefined();
    }
  });

  it.each([['yesterday'], [''], [1763632800000], [null], [{}], [[]]])(
    'does without an enqueued_at of %p',
    (enqueued_at) => {
      expect(parse({ conversation_id: 'conv-1', enqueued_at }).enqueuedAt).toBeUndefined();
    },
  );

  it('reads an enqueued_at without a zone as UTC, like every other time', () => {
    const { enqueuedAt } = parse({ conversation_id: 'conv-1', enqueued_at: '2026-11-20T11:00:00.000000' });
    expect(enqueuedAt?.toISOString()).toBe('2026-11-20T11:00:00.000Z');
  });
});

describe('a whole conversation', () => {
  it('is read like a request', () => {
    const { conversationId, conversation } = parse({ ...WHOLE, metadata: { emotion: 'happy' }, status: 'PROCESSED' });
    expect(conversationId).toBe('conv-1');
    expect(conversation?.fields).toMatchObject({
      user_id: 'child-an',
      end_time: new Date('2026-11-20T10:10:00Z'),
      session_emotion: 'happy',
    });
    const lines = JSON.parse(conversation?.logJson ?? '') as { speaker: string; text: string }[];
    expect(lines.map(({ speaker, text }) => [speaker, text])).toEqual([['user', 'Hello.']]);
  });

  it('is refused with everything that is wrong with it', () => {
    const { user_id: _left, ...rest } = WHOLE;
    expect(refusal({ ...rest, end_time: 'tigers', conversation_log: WHOLE.conversation_log })).toBe(
      'user_id: expected 3 to 255 visible ASCII characters, got nothing; ' +
        'end_time: expected an ISO 8601 date and time; no zone means UTC, got a string of 6 characters',
    );
  });

  it('is refused when it ends in the future', () => {
    expect(refusal({ ...WHOLE, start_time: '2026-11-20T12:00:00Z', end_time: '2026-11-20T12:10:01Z' })).toMatch(
      /^end_time: expected at most 10 minutes/,
    );
  });
});

describe('a message that can never be processed', () => {
  it.each([
    ['nothing', Buffer.alloc(0), 'expected a JSON object, got 0 bytes that are not JSON'],
    ['text', Buffer.from('tigers'), 'expected a JSON object, got 6 bytes that are not JSON'],
    [
      'half an object',
      Buffer.from('{"conversation_id":"con'),
      'expected a JSON object, got 23 bytes that are not JSON',
    ],
    [
      'bytes that are no UTF-8',
      Buffer.from([0xff, 0xfe, 0x00, 0xc3]),
      'expected a JSON object, got 4 bytes that are not JSON',
    ],
    ['an array', encode([WHOLE]), 'expected a JSON object, got an array of 1 items'],
    ['null', encode(null), 'expected a JSON object, got null'],
    ['a string', encode('tigers'), 'expected a JSON object, got a string of 6 characters'],
    ['a number', encode(7), 'expected a JSON object, got a number (7)'],
    ['no id', encode({}), 'conversation_id: expected 3 to 255 visible ASCII characters, got nothing'],
    [
      'a short id',
      encode({ conversation_id: 'ab' }),
      'conversation_id: expected 3 to 255 visible ASCII characters, got a string of 2 characters',
    ],
    [
      'an id with a line break',
      encode({ conversation_id: 'conv-1\n' }),
      'conversation_id: expected 3 to 255 visible ASCII characters, got a string of 7 characters',
    ],
    [
      'an id that is a list',
      encode({ conversation_id: ['conv-1'] }),
      'conversation_id: expected 3 to 255 visible ASCII characters, got an array of 1 items',
    ],
  ])('is one with %s', (_about, body, message) => {
    expect(refusal(body)).toBe(message);
  });

  it('is one with an id that is no UTF-8', () => {
    const body = Buffer.concat([Buffer.from('{"conversation_id":"conv-'), Buffer.from([0xff]), Buffer.from('"}')]);
    expect(refusal(body)).toMatch(/^conversation_id: expected/);
  });

  it('is one that is larger than the limit, by one byte', () => {
    const padded = (size: number) => Buffer.from('{"conversation_id":"conv-1"}'.padEnd(size));
    expect(parse(padded(LIMIT)).conversationId).toBe('conv-1');
    expect(refusal(padded(LIMIT + 1))).toBe('expected at most 10000 bytes, got 10001');
  });

  it('is told without quoting it, whatever its bytes are', () => {
    const canary = 'Khủng-long';
    const text = fc.string().map((value) => canary + value);
    const fields = Object.fromEntries(
      [...Object.keys(WHOLE), 'enqueued_at', 'metadata'].map((name) => [name, fc.oneof(text, fc.jsonValue())]),
    );
    const body = fc.oneof(
      text.map((value) => Buffer.from(value)),
      text.map(encode),
      fc
        .tuple(fc.uint8Array(), text, fc.uint8Array())
        .map(([before, value, after]) => Buffer.concat([before, Buffer.from(value), after])),
      fc.record(fields, { requiredKeys: [] }).map(encode),
      fc.record(fields, { requiredKeys: [] }).map((given) => encode({ ...WHOLE, ...given })),
      fc
        .record({
          conversation_log: fc.array(
            fc.oneof(text, fc.record({ text: fc.oneof(text, fc.array(text)), timestamp: text })),
          ),
        })
        .map((given) => encode({ ...WHOLE, ...given })),
    );
    fc.assert(
      fc.property(body, (bytes) => {
        try {
          expect(parse(bytes).conversationId).toMatch(/^[!-~]{3,255}$/);
        } catch (error) {
          if (!(error instanceof InvalidMessage)) throw error;
          expect(error.message).not.toContain(canary);
          expect(error.cause).toBeUndefined();
        }
      }),
      { numRuns: 1000 },
    );
  });
});
