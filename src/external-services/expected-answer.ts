import type { z } from 'zod';
import { describeType } from '../errors/describe';

/** An answer that is not what the contract says. Its message names fields, types and sizes only. */
export class UnexpectedAnswer extends Error {}

/** Problems told of one answer; the rest is only more of the same. */
const MOST_PROBLEMS = 5;

/** @throws UnexpectedAnswer */
export function parseJson(text: string, what = 'the answer'): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UnexpectedAnswer(`${what}: expected JSON, got a text of ${text.length} characters`);
  }
}

/**
 * The schema's own words say what was expected: they name types, limits and options, never a value.
 * @throws UnexpectedAnswer
 */
export function expectShape<T>(schema: z.ZodType<T>, value: unknown, what = 'the answer'): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.slice(0, MOST_PROBLEMS).map(({ path, message }) => {
    const got = path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], value);
    return `${[what, ...path.map(String)].join('.')}: ${message}, got ${describeType(got)}`;
  });
  throw new UnexpectedAnswer(problems.join('; '));
}
