/** How the planner's and the tuner's options are written. Every mistake in them is told at once. */
import type { Parser } from '../config/environment-fields';
import { UsageError } from './command';

function reject(): never {
  throw new Error('not the expected value');
}

function measure(
  expected: string,
  units: Readonly<Record<string, number>>,
  { min, max }: { readonly min: number; readonly max: number },
): Parser<number> {
  return {
    expected,
    parse(raw) {
      const match = /^(\d+(?:\.\d+)?)\s*([a-z/%]+)$/i.exec(raw.trim());
      if (!match || !Object.hasOwn(units, match[2])) return reject();
      const value = Number(match[1]) * units[match[2]];
      return value >= min && value <= max ? value : reject();
    },
  };
}

/** Milliseconds, fractions included: a message's CPU may well be half of one. */
export const time = measure(
  'a time up to 240h such as 0.5ms, 200ms, 5s or 2m',
  { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 },
  { min: 0, max: 240 * 3_600_000 },
);

/** Messages a second. */
export const rate = measure(
  'a rate above 0 and up to 1000000/s such as 200/s or 9000/min',
  { '/s': 1, '/min': 1 / 60, '/h': 1 / 3_600 },
  { min: 1e-9, max: 1e6 },
);

/** Bytes. */
export const memory = measure(
  'a size of 1MB up to 1000000GiB such as 512MiB or 4GiB',
  { MiB: 2 ** 20, GiB: 2 ** 30, MB: 1e6, GB: 1e9 },
  { min: 1e6, max: 1e6 * 2 ** 30 },
);

/** A share between 0 and 1, written in percent. */
export const percent: Parser<number> = {
  expected: 'a percentage 10%..95%',
  parse(raw) {
    const value = Number(/^(\d+(?:\.\d+)?)%$/.exec(raw.trim())?.[1]) / 100;
    return value >= 0.1 && value <= 0.95 ? value : reject();
  },
};

/** A number above 0; half a core is one. */
export const cores: Parser<number> = {
  expected: 'a number of cores above 0, such as 0.5 or 8',
  parse(raw) {
    const value = Number(raw);
    return /^\d+(\.\d+)?$/.test(raw) && value > 0 && value <= 10_000 ? value : reject();
  },
};

/** Whole numbers, in rising order. */
export function integers(min: number, max: number): Parser<readonly number[]> {
  return {
    expected: `integers ${min}..${max}, separated by commas`,
    parse(raw) {
      const values = [...new Set(raw.split(',').map(Number))].sort((a, b) => a - b);
      return values.every((value) => Number.isInteger(value) && value >= min && value <= max) ? values : reject();
    },
  };
}

/** One option: how it is read, and its value when it is not given. */
export interface Figure<T> {
  readonly parser: Parser<T>;
  readonly default?: T;
  readonly required?: boolean;
}

type Read<F> = F extends { parser: Parser<infer T> }
  ? T | (F extends { default: T } | { required: true } ? never : undefined)
  : never;
export type Figures<F> = { readonly [N in keyof F]: Read<F[N]> };

/** @throws UsageError that names every option which is not as expected */
export function readFigures<F extends Readonly<Record<string, Figure<unknown>>>>(
  figures: F,
  given: Readonly<Record<string, unknown>>,
): Figures<F> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, { parser, default: usual, required }] of Object.entries(figures)) {
    const raw = given[name];
    if (raw === undefined) {
      if (required) problems.push(`--${name}: expected ${parser.expected}, got nothing`);
      values[name] = usual;
      continue;
    }
    try {
      values[name] = parser.parse(raw as string);
    } catch {
      problems.push(`--${name}: expected ${parser.expected}, got ${JSON.stringify(raw)}`);
    }
  }
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  return values as Figures<F>;
}

/** What `parseArgs` is told of them. */
export function stringOptions<N extends string>(figures: Readonly<Record<N, unknown>>): Record<N, { type: 'string' }> {
  return Object.fromEntries(Object.keys(figures).map((name) => [name, { type: 'string' }])) as Record<
    N,
    { type: 'string' }
  >;
}

/** For `parseArgs`: every figure is an option with a value. */
export function figureOptions<T extends object>(figures: T): Record<keyof T, { type: 'string' }> {
  return Object.fromEntries(Object.keys(figures).map((name) => [name, { type: 'string' }])) as Record<
    keyof T,
    { type: 'string' }
  >;
}
