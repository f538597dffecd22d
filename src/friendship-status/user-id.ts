import { CodedError } from '../errors/coded-error';
import { describeValue } from '../errors/describe';

/** Ids are visible ASCII, so that they can stand in headers and logs. */
export const USER_ID = /^[!-~]{3,255}$/;

/**
 * Reads `{user_id}` from a body or a payload.
 * @throws CodedError `VALIDATION_FAILED`
 */
export function readUserId(body: unknown): string {
  const userId = (body as { user_id?: unknown } | null | undefined)?.user_id;
  if (typeof userId === 'string' && USER_ID.test(userId)) return userId;
  throw new CodedError('VALIDATION_FAILED', '1 field(s) are not as expected.', [
    { field: 'user_id', expected: '3 to 255 visible ASCII characters', got: describeValue(userId) },
  ]);
}
