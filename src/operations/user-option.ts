import { describeValue } from '../errors/describe';
import { USER_ID } from '../friendship-status/user-id';
import { UsageError } from './command';

/** @throws UsageError when it cannot be a user's id */
export function readUserOption(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && USER_ID.test(value)) return value;
  throw new UsageError(`--user: expected 3 to 255 visible ASCII characters, got ${describeValue(value)}`);
}
