import fc from 'fast-check';
import { parseInstant } from './instant';

describe('reading an ISO 8601 time', () => {
  it.each([
    ['2026-11-20T10:00:00Z', '2026-11-20T10:00:00.000Z'],
    ['2026-11-20t10:00:00Z', undefined],
    ['2026-11-20T10:00:00z', '2026-11-20T10:00:00.000Z'],
    ['2026-11-20T10:00:00', '2026-11-20T10:00:00.000Z'],
    ['2026-11-20 10:00:00', '2026-11-20T10:00:00.000Z'],
    ['2026-11-20T10:00', '2026-11-20T10:00:00.000Z'],
    ['2026-11-20T10:00:00.5', '2026-11-20T10:00:00.500Z'],
    ['2026-11-20T10:00:00,25Z', '2026-11-20T10:00:00.250Z'],
    ['2026-11-20T10:00:00.123456', '2026-11-20T10:00:00.123Z'],
    ['2026-11-20T10:00:00.999999999Z', '2026-11-20T10:00:00.999Z'],
    ['2026-11-20T10:00:00+07:00', '2026-11-20T03:00:00.000Z'],
    ['2026-11-20T10:00:00+0700', '2026-11-20T03:00:00.000Z'],
    ['2026-11-20T10:00:00+07', '2026-11-20T03:00:00.000Z'],
    ['2026-11-20T10:00:00 +07:00', '2026-11-20T03:00:00.000Z'],
    ['2026-11-20T22:00:00-03:30', '2026-11-21T01:30:00.000Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
  ])('%s is %s', (text, expected) => {
    expect(parseInstant(text)?.toISOString()).toBe(expected);
  });

  it.each([
    ['a date that does not exist', '2026-02-30T10:00:00Z'],
    ['a leap day in a common year', '2026-02-29T10:00:00Z'],
    ['month 13', '2026-13-01T10:00:00Z'],
    ['month 0', '2026-00-01T10:00:00Z'],
    ['day 0', '2026-01-00T10:00:00Z'],
    ['hour 24', '2026-01-01T24:00:00Z'],
    ['minute 60', '2026-01-01T10:60:00Z'],
    ['a leap second', '2026-12-31T23:59:60Z'],
    ['a zone beyond the earth', '2026-01-01T10:00:00+16:00'],
    ['a zone with 60 minutes', '2026-01-01T10:00:00+07:60'],
    ['a year below 100, which Date.UTC would move', '0026-01-01T10:00:00Z'],
    ['a date without a time', '2026-11-20'],
    ['a time without a date', '10:00:00Z'],
    ['seconds since 1970 as text', '1763632800'],
    ['the form of an e-mail', 'Fri, 20 Nov 2026 10:00:00 GMT'],
    ['a word', 'yesterday'],
    ['nothing in quotes', ''],
    ['a line break at the end', '2026-11-20T10:00:00Z\n'],
    ['digits of another script', '２０２６-11-20T10:00:00Z'],
    ['more digits than a clock has', '2026-11-20T10:00:00.1234567890Z'],
  ])('refuses %s', (_about, text) => {
    expect(parseInstant(text)).toBeUndefined();
  });

  it.each([[1763632800000], [null], [undefined], [true], [{}], [['2026-11-20T10:00:00Z']], [new Date()]])(
    'refuses what is no text: %p',
    (value) => {
      expect(parseInstant(value)).toBeUndefined();
    },
  );

  it('reads back what toISOString writes, to the millisecond', () => {
    const years = {
      min: new Date('0100-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    };
    fc.assert(fc.property(fc.date(years), (date) => parseInstant(date.toISOString())?.getTime() === date.getTime()));
  });

  it('reads the same instant in every zone', () => {
    const date = fc.date({ min: new Date('2020-01-01'), max: new Date('2030-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(date, fc.integer({ min: -14 * 60, max: 14 * 60 }), (instant, offset) => {
        const local = new Date(instant.getTime() + offset * 60_000).toISOString().slice(0, -1);
        const two = (value: number) => String(value).padStart(2, '0');
        const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
        expect(parseInstant(local + zone)).toEqual(instant);
      }),
    );
  });

  it('never throws, whatever the text', () => {
    const almost = fc.stringMatching(/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?([.,]\d{0,12})?(Z|[+-]\d\d:?\d\d)?$/);
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), almost), (text) => {
        const instant = parseInstant(text);
        expect(instant === undefined || Number.isFinite(instant.getTime())).toBe(true);
      }),
    );
  });
});
