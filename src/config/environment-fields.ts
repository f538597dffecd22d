import { readFileSync } from 'node:fs';

/** Parsers for environment values. Each one says what it expects, so that an error and the docs use the same words. */

/** What a parser makes of a raw value; `expected` completes the sentence "expected …". */
export interface Parser<T> {
  readonly expected: string;
  /** @throws Error when the value is not what is expected; the message is never shown. */
  parse(raw: string): T;
}

function reject(): never {
  throw new Error('not the expected value');
}

/** A whole number between `min` and `max`, both included. */
export function integer(min: number, max: number): Parser<number> {
  return {
    expected: `an integer ${min}..${max}`,
    parse(raw) {
      const value = Number(raw);
      return /^-?\d+$/.test(raw) && value >= min && value <= max ? value : reject();
    },
  };
}

/** One of a closed set of words. */
export function oneOf<const T extends string>(...words: T[]): Parser<T> {
  return {
    expected: `one of ${words.join(' | ')}`,
    parse: (raw) => words.find((word) => word === raw) ?? reject(),
  };
}

const DURATION_UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function parseDuration(raw: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(raw.trim());
  return match ? Math.round(Number(match[1]) * DURATION_UNITS[match[2]]) : reject();
}

/** A duration such as `500ms`, `5s`, `2m`; the value is in milliseconds. */
export function duration(min: string, max: string): Parser<number> {
  return {
    expected: `a duration ${min}..${max}, such as 500ms, 5s or 2m`,
    parse(raw) {
      const value = parseDuration(raw);
      return value >= parseDuration(min) && value <= parseDuration(max) ? value : reject();
    },
  };
}

/** Several durations separated by commas; the values are in milliseconds. */
export function durations(min: string, max: string, most: number): Parser<readonly number[]> {
  const one = duration(min, max);
  return {
    expected: `1..${most} durations separated by commas, each ${min}..${max}, such as 5s,30s,2m`,
    parse(raw) {
      const values = raw.split(',').map((part) => one.parse(part.trim()));
      return values.length <= most ? values : reject();
    },
  };
}

const BYTE_UNITS: Record<string, number> = { B: 1, KiB: 1024, MiB: 1024 ** 2 };

function parseBytes(raw: string): number {
  const match = /^(\d+)\s*(B|KiB|MiB)$/.exec(raw.trim());
  return match ? Number(match[1]) * BYTE_UNITS[match[2]] : reject();
}

/** A size such as `512KiB` or `8MiB`; the value is in bytes. */
export function bytes(min: string, max: string): Parser<number> {
  return {
    expected: `a size ${min}..${max}, such as 512KiB or 8MiB`,
    parse(raw) {
      const value = parseBytes(raw);
      return value >= parseBytes(min) && value <= parseBytes(max) ? value : reject();
    },
  };
}

/** A URL with one of the given schemes. */
export function url(...schemes: string[]): Parser<string> {
  return {
    expected: `a URL that starts with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
    parse(raw) {
      const parsed = new URL(raw);
      // A stray % is accepted here and refused by whoever connects.
      decodeURIComponent(parsed.username + parsed.password + parsed.pathname);
      return schemes.includes(parsed.protocol.slice(0, -1)) && parsed.hostname !== '' ? raw : reject();
    },
  };
}

/** Base URL of an HTTP service: a path may follow, but nothing that would not survive a further path, and no credentials. */
export const serviceUrl: Parser<string> = {
  expected: 'a URL that starts with https:// or http://, without user, password, query and fragment',
  parse(raw) {
    const { username, password, search, hash } = new URL(raw);
    return username + password + search + hash === '' ? url('https', 'http').parse(raw) : reject();
  },
};

/** Words separated by commas, each matching `pattern`; an empty value is an empty list. */
export function list(expected: string, pattern: RegExp): Parser<readonly string[]> {
  return {
    expected,
    parse(raw) {
      const words = raw
        .split(',')
        .map((word) => word.trim())
        .filter((word) => word !== '');
      return words.every((word) => pattern.test(word)) ? words : reject();
    },
  };
}

/** A text that matches `pattern`. */
export function text(expected: string, pattern: RegExp): Parser<string> {
  return { expected, parse: (raw) => (pattern.test(raw) ? raw : reject()) };
}

/** An IANA time zone that this runtime knows. */
export const timeZone: Parser<string> = {
  expected: 'an IANA time zone such as Asia/Ho_Chi_Minh',
  parse(raw) {
    // An offset such as +07:00 is no zone, and PostgreSQL reads its sign the other way round.
    if (!/^[A-Za-z]/.test(raw)) reject();
    new Intl.DateTimeFormat('en', { timeZone: raw });
    return raw;
  },
};

/** The path of a PEM file with one certificate or more; the value is its content. */
export const certificates: Parser<string> = {
  expected: 'the path of a PEM file with certificates',
  parse(raw) {
    const pem = readFileSync(raw, 'utf8');
    return pem.includes('-----BEGIN CERTIFICATE-----') ? pem : reject();
  },
};
