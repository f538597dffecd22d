import type { ConsumeMessage } from 'amqplib';
import fc from 'fast-check';
import { HEADERS, textHeader, toIncomingMessage } from './incoming-message';

interface Delivery {
  headers?: unknown;
  messageId?: unknown;
  redelivered?: boolean;
  exchange?: string;
  routingKey?: string;
}

/** A delivery as amqplib makes it; senders decide about the headers, the id and the keys. */
function delivery({
  headers,
  messageId,
  redelivered = false,
  exchange = 'ex',
  routingKey = 'conversation.end',
}: Delivery = {}) {
  const fields = { consumerTag: 'c', deliveryTag: 1, redelivered, exchange, routingKey };
  return { content: Buffer.from([0, 0xff]), fields, properties: { headers, messageId } } as unknown as ConsumeMessage;
}
const read = (given?: Delivery) => toIncomingMessage(delivery(given));

/** What PostgreSQL's `integer` holds, in which attempts are recorded. */
const LARGEST_INTEGER = 2 ** 31 - 1;

const NOT_A_COUNT = [
  undefined,
  null,
  '3',
  -1,
  1.5,
  NaN,
  Infinity,
  2 ** 53,
  true,
  {},
  [],
  [3],
  Buffer.from('3'),
  { '!': 'decimal', value: 3 },
];

describe('an incoming message', () => {
  it('keeps its body byte for byte', () => {
    expect(read().body).toEqual(Buffer.from([0, 0xff]));
  });

  it.each([[undefined], [null], [{}]])('is a first delivery without attempts when its headers are %p', (headers) => {
    expect(read({ headers })).toMatchObject({ headers: {}, messageId: undefined, attempts: 0, redeliveries: 0 });
  });

  it('counts attempts by our header', () => {
    expect(read({ headers: { 'x-attempts': 3 } }).attempts).toBe(3);
  });

  it.each(NOT_A_COUNT.map((value) => [value]))('takes a count of %p for none', (value) => {
    expect(read({ headers: { 'x-attempts': value, 'x-delivery-count': value } })).toMatchObject({
      attempts: 0,
      redeliveries: 0,
    });
  });

  it('counts redeliveries by the broker header', () => {
    expect(read({ redelivered: true, headers: { 'x-delivery-count': 4 } }).redeliveries).toBe(4);
  });

  it.each([[undefined], [0], ['4']])(
    'counts at least one redelivery when the broker says so, with a count of %p',
    (count) => {
      expect(read({ redelivered: true, headers: { 'x-delivery-count': count } }).redeliveries).toBe(1);
    },
  );

  it.each([[undefined], [null], [7], [{}], [Buffer.from('id')]])('has no id when that is %p', (messageId) => {
    expect(read({ messageId }).messageId).toBeUndefined();
  });

  it('has the exchange and the key under which it first came', () => {
    expect(read({ exchange: 'ex', routingKey: 'key' })).toMatchObject({ exchange: 'ex', routingKey: 'key' });
    const headers = { 'x-original-exchange': 'first', 'x-original-routing-key': 'first.key' };
    expect(read({ exchange: '', routingKey: 'work', headers })).toMatchObject({
      exchange: 'first',
      routingKey: 'first.key',
    });
    expect(read({ exchange: '', routingKey: 'work', headers: { 'x-original-exchange': '' } }).exchange).toBe('');
  });

  it.each([[7], [null], [['a']], [{ a: 1 }], [Buffer.from('a')]])(
    'does not believe an original exchange of %p',
    (value) => {
      const headers = { 'x-original-exchange': value, 'x-original-routing-key': value };
      expect(read({ headers })).toMatchObject({ exchange: 'ex', routingKey: 'conversation.end' });
    },
  );

  it('cuts a text header at 255 characters', () => {
    expect(textHeader({ name: 'a'.repeat(300) }, 'name')).toBe('a'.repeat(255));
    expect(textHeader({}, 'name')).toBeUndefined();
  });

  it('finds no header in the prototype', () => {
    expect(textHeader({}, 'constructor')).toBeUndefined();
  });
});

describe('a sender that means harm', () => {
  it('cannot claim more attempts than can be recorded, not even with the failed one on top', () => {
    for (const claimed of [LARGEST_INTEGER, 2 ** 31, Number.MAX_SAFE_INTEGER]) {
      expect(read({ headers: { 'x-attempts': claimed } }).attempts + 1).toBeLessThanOrEqual(LARGEST_INTEGER);
    }
  });

  it('cannot put U+0000, which PostgreSQL cannot record, into a text that is recorded', () => {
    expect(textHeader({ name: 'a\0b' }, 'name') ?? '').not.toContain('\0');
    const headers = { 'x-original-exchange': 'a\0b', 'x-original-routing-key': 'a\0b' };
    for (const message of [read({ headers }), read({ exchange: 'a\0b', routingKey: 'a\0b' })]) {
      expect(message.exchange).not.toContain('\0');
      expect(message.routingKey).not.toContain('\0');
    }
  });

  it('cannot make reading throw, or a count that is none', () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      fc.double(),
      fc.maxSafeInteger(),
    );
    const names = [...Object.values(HEADERS), 'x-delivery-count', 'x-death', '__proto__'];
    const headers = fc.oneof(fc.constantFrom(undefined, null), fc.dictionary(fc.constantFrom(...names), value));
    fc.assert(
      fc.property(headers, value, fc.boolean(), (given, messageId, redelivered) => {
        const { attempts, redeliveries, exchange, routingKey } = read({ headers: given, messageId, redelivered });
        for (const count of [attempts, redeliveries]) expect(Number.isSafeInteger(count) && count >= 0).toBe(true);
        for (const name of [exchange, routingKey]) expect(typeof name === 'string' && name.length <= 255).toBe(true);
      }),
    );
  });
});
