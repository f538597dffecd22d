/**
 * What may be told of any value or error without telling its content.
 * Drivers and parsers quote what they choke on (a JSON parser even the body), so their messages are never passed on.
 */

/** Type and size of a value: `a string of 12 characters`, `a number (-3)`, `nothing`. Strings are never quoted. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (typeof value === 'string') return `a string of ${value.length} characters`;
  if (typeof value === 'number') return `a number (${value})`;
  if (typeof value === 'boolean') return `${value}`;
  if (Array.isArray(value)) return `an array of ${value.length} items`;
  return 'an object';
}

/** Type and size alone, for what a child may have said: not even a number is told. */
export function describeType(value: unknown): string {
  if (typeof value === 'number') return 'a number';
  if (typeof value === 'boolean') return 'a boolean';
  return describeValue(value);
}

/** Causes may form a ring. */
const DEEPEST_CAUSE = 5;

/** Our own errors' messages are written not to quote anything; everybody else's are left out. */
const OWN_ERRORS = new Set([
  'CodedError',
  'ExternalServiceError',
  'PublishError',
  'InvalidMessage',
  'EnvironmentError',
]);

/** An error for the log: its type, its code and where it was thrown, and so for its cause. */
export function describeError(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error };
  const code = (error as { code?: unknown }).code;
  return {
    type: error.name,
    ...(typeof code === 'number' || isCode(code) ? { code } : {}),
    ...(OWN_ERRORS.has(error.name) ? { message: error.message } : {}),
    at: stackFrames(error),
    ...(error.cause === undefined || depth >= DEEPEST_CAUSE ? {} : { cause: describeError(error.cause, depth + 1) }),
  };
}

/** A code is a word; anything longer may be a text. */
function isCode(code: unknown): code is string {
  return typeof code === 'string' && /^[\w-]{1,60}$/.test(code);
}

/** A stack begins with the message, which may have lines that look like frames: what comes after it are frames. */
function stackFrames({ stack = '', message }: Error): string[] {
  const position = stack.indexOf(message);
  if (position < 0) return [];
  const lines = stack.slice(position + message.length).split('\n');
  return lines
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 6)
    .map((line) => line.trim().slice(3));
}

/** A short stable name of an error for a column or a header: its SQLSTATE or system code, else its type. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  if (isCode(code)) return code;
  return error instanceof Error ? error.name.slice(0, 60) : 'UNKNOWN';
}
