import fc from 'fast-check';
import { isFromPage } from './operator.guard';
import { LoginThrottle } from './login-throttle';
import { OPERATOR_NAME, OperatorSessions } from './operator-session';

const KEY = 'a-key-of-the-operators';
const sessions = new OperatorSessions(KEY);

/** What a browser sends back of a Set-Cookie. */
const cookieOf = (setCookie: string) => setCookie.split(';')[0];

describe('a session of an operator', () => {
  it('is known by its cookie to every process with the same key, and to no other', () => {
    const cookie = cookieOf(sessions.begin('An Nguyễn', false));
    expect(new OperatorSessions(KEY).find(`a=b; ${cookie}; c=d`)).toMatchObject({ operator: 'An Nguyễn' });
    expect(new OperatorSessions(`${KEY}2`).find(cookie)).toBeUndefined();
  });

  it('ends after twelve hours', () => {
    const cookie = cookieOf(sessions.begin('An', false));
    const hours = (count: number) => jest.spyOn(Date, 'now').mockReturnValue(began + count * 3_600_000);
    const began = Date.now();
    hours(11.9);
    expect(sessions.find(cookie)).toBeDefined();
    hours(12.1);
    expect(sessions.find(cookie)).toBeUndefined();
    jest.restoreAllMocks();
  });

  it('cannot be changed or made up', () => {
    const cookie = cookieOf(sessions.begin('An', false));
    const [payload, signature] = cookie.slice('friendship_ops='.length).split('.');
    const forged = Buffer.from(JSON.stringify({ operator: 'root', until: 9e15 })).toString('base64url');
    for (const value of [
      `${forged}.${signature}`,
      payload,
      `${payload}.`,
      `.${signature}`,
      `${payload}.${signature}x`,
      '',
    ]) {
      expect(sessions.find(`friendship_ops=${value}`)).toBeUndefined();
    }
    fc.assert(fc.property(fc.string(), (value) => sessions.find(`friendship_ops=${value}`) === undefined));
    expect(sessions.find(undefined)).toBeUndefined();
  });

  it('is kept where no script and no other site reaches it', () => {
    expect(sessions.begin('An', true)).toMatch(/; Path=\/ops; Max-Age=43200; HttpOnly; SameSite=Strict; Secure$/);
    expect(sessions.begin('An', false)).not.toContain('Secure');
    expect(sessions.end(true)).toMatch(/^friendship_ops=; Path=\/ops; Max-Age=0;/);
  });

  it.each([
    ['An', true],
    ['An Nguyễn-Trần 2', true],
    ['x'.repeat(64), true],
    ['x'.repeat(65), false],
    ['', false],
    [' An', false],
    ['An\nB', false],
    ['An\u202e', false],
    ['\0', false],
  ])('has the name %p: %p', (name, good) => {
    expect(OPERATOR_NAME.test(name)).toBe(good);
  });
});

describe('a request that changes something', () => {
  const ops = { 'x-ops': '1', host: 'ops.example' };

  it.each([
    ['the page, by the browser’s word', { ...ops, 'sec-fetch-site': 'same-origin' }, true],
    ['the page, by its origin', { ...ops, origin: 'https://ops.example' }, true],
    ['no page at all', ops, false],
    ['a page without the header', { host: 'ops.example', 'sec-fetch-site': 'same-origin' }, false],
    ['another site', { ...ops, 'sec-fetch-site': 'cross-site', origin: 'https://ops.example' }, false],
    ['another host of the site', { ...ops, 'sec-fetch-site': 'same-site' }, false],
    ['another origin', { ...ops, origin: 'https://elsewhere.example' }, false],
    ['another port', { ...ops, origin: 'https://ops.example:8443' }, false],
    ['a hidden origin', { ...ops, origin: 'null' }, false],
  ])('from %s: %p', (_who, headers, good) => {
    expect(isFromPage(headers)).toBe(good);
  });
});

describe('wrong keys', () => {
  it('make their address wait after the fifth in a minute, and no other', () => {
    let now = 0;
    const throttle = new LoginThrottle(() => now);
    for (let count = 0; count < 5; count++) {
      expect(throttle.wait('a')).toBe(0);
      throttle.failed('a');
    }
    expect(throttle.wait('a')).toBe(60);
    expect(throttle.wait('b')).toBe(0);
    now = 59_500;
    expect(throttle.wait('a')).toBe(1);
    now = 60_000;
    expect(throttle.wait('a')).toBe(0);
    throttle.failed('a');
    expect(throttle.wait('a')).toBe(0);
  });
});
