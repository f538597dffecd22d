import { ago, bytes, change, count, counted, duration, moment, percent, rate, roughly, words } from './format';

describe('what a person reads', () => {
  it.each([
    [0, '0 s'],
    [0.000_085, '85 µs'],
    [0.0041, '4.1 ms'],
    [0.34, '340 ms'],
    [0.999_9, '1 s'],
    [1.24, '1.2 s'],
    [42.4, '42 s'],
    [59.7, '1 min'],
    [250, '4 min 10 s'],
    [1_234, '21 min'],
    [3_599.9, '1 h'],
    [7_500, '2 h 5 min'],
    [86_400, '1 d'],
    [273_600, '3 d 4 h'],
    [-3, '0 s'],
  ])('a duration of %d s is %s', (seconds, text) => expect(duration(seconds)).toBe(text));

  it('is never a 0 where nobody knows', () => {
    for (const format of [duration, count, rate, percent, bytes]) expect(format(null)).toBe('not known');
    expect(percent(NaN)).toBe('not known');
    expect(moment(null, new Date())).toBe('not known');
    expect(change(null)).toBe('–');
  });

  it.each([
    [0, '0/s'],
    [0.02, '1.2/min'],
    [0.42, '0.4/s'],
    [11.6, '12/s'],
    [1_234.4, '1,234/s'],
  ])('a rate of %d per second is %s', (perSecond, text) => expect(rate(perSecond)).toBe(text));

  it.each([
    [0.4, 'under 1 s'],
    [40, '40 s'],
    [200, '3 min'],
    [7_000, '2 h'],
    [259_200, '3 d'],
  ])('an estimate of %d s is %s', (seconds, text) => expect(roughly(seconds)).toBe(text));

  it('counts in the right number', () => {
    expect(counted(1, 'message')).toBe('1 message');
    expect(counted(12_345, 'message')).toBe('12,345 messages');
    expect(counted(0, 'child', 'children')).toBe('0 children');
  });

  it('shows memory and shares in whole units', () => {
    expect(bytes(163 * 1_048_576)).toBe('163 MiB');
    expect(bytes(1.25 * 1_073_741_824)).toBe('1.3 GiB');
    expect([0, 0.002, 0.874].map(percent)).toEqual(['0 %', '< 1 %', '87 %']);
  });

  it('names the date only of another day, in the zone of the reader', () => {
    const now = new Date('2026-11-25T15:00:00Z');
    expect(moment('2026-11-25T10:00:05Z', now)).toBe('17:00:05');
    expect(moment('2026-11-24T10:00:05Z', now)).toBe('24 Nov, 17:00:05');
    expect(moment('2025-11-24T10:00:05Z', now)).toBe('24 Nov 2025, 17:00:05');
  });

  it('takes a time that is yet to come for now: clocks differ', () => {
    const now = new Date('2026-11-25T15:00:00Z');
    expect(ago('2026-11-25T15:00:02Z', now)).toBe('just now');
    expect(ago('2026-11-25T14:57:00Z', now)).toBe('3 min ago');
  });

  it('gives a change its sign and a name its words', () => {
    expect([change(12), change(0), change(-3)]).toEqual(['+12', '0', '-3']);
    expect(words('CONVERSATION_NOT_FOUND')).toBe('Conversation not found');
  });
});
