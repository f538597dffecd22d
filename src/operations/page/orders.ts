/** Reads what the page asks for. Every field that is not as expected is named, with what was expected and came. */
import { CodedError, type FieldProblem } from '../../errors/coded-error';
import { describeType } from '../../errors/describe';
import { DEAD_LETTER_REASONS } from '../../messaging/outcome';
import type { Selection } from '../dead-letter-inbox.repository';
import { LONGEST_NOTE } from '../dead-letter-settlement';

/** Dead letters that may be named one by one. */
const MOST_IDS = 1_000;

const DEFAULT_LETTERS = 50;
const MOST_LETTERS = 200;

/** Beyond every number that the table gives. */
const LAST_ID = String(2n ** 63n - 1n);

/** Codes are short words: see errors/describe.ts. */
const ERROR_CODE = /^[\w-]{1,64}$/;

class Problems {
  private readonly found: FieldProblem[] = [];

  /** @returns `value` as `parse` reads it; undefined, and noted, when it is not as expected */
  check<T>(field: string, value: unknown, expected: string, parse: (value: unknown) => T | undefined): T | undefined {
    const parsed = parse(value);
    if (parsed === undefined) this.found.push({ field, expected, got: describeType(value) });
    return parsed;
  }

  throwIfAny(): void {
    const { length } = this.found;
    if (length > 0) throw new CodedError('VALIDATION_FAILED', `${length} field(s) are not as expected.`, this.found);
  }
}

/**
 * Either `{dead_letter_ids}` or `{reason, error_code}`; to discard takes a `note` as well.
 * @throws CodedError `VALIDATION_FAILED`
 */
export function readOrder(body: unknown, action: 'replay' | 'discard'): { selection: Selection; note?: string } {
  const { dead_letter_ids, reason, error_code, note } = asObject(body);
  const problems = new Problems();
  const selection =
    dead_letter_ids === undefined ? byCause(problems, reason, error_code) : byIds(problems, dead_letter_ids, reason);
  if (action === 'replay') {
    problems.throwIfAny();
    return { selection };
  }
  const given = problems.check('note', note, `why, 1 to ${LONGEST_NOTE} characters`, readNote);
  problems.throwIfAny();
  return { selection, note: given };
}

function byCause(problems: Problems, reason: unknown, errorCode: unknown): Selection {
  return {
    reason: problems.check('reason', reason, `one of ${DEAD_LETTER_REASONS.join(', ')}`, readReason),
    errorCode: problems.check('error_code', errorCode, 'a code of 1 to 64 characters, or null', (value) =>
      value === null
        ? { code: null }
        : typeof value === 'string' && ERROR_CODE.test(value)
          ? { code: value }
          : undefined,
    )?.code,
  };
}

function byIds(problems: Problems, ids: unknown, reason: unknown): Selection {
  problems.check('reason', reason, 'nothing with dead_letter_ids', (value) => value === undefined || undefined);
  const expected = `1 to ${MOST_IDS} numbers of dead letters, as strings`;
  return {
    ids: problems.check('dead_letter_ids', ids, expected, (value) =>
      Array.isArray(value) && value.length >= 1 && value.length <= MOST_IDS && value.every(isId)
        ? [...new Set(value)]
        : undefined,
    ),
  };
}

/**
 * A group, and where its next page begins. Without `error_code`: those that have none.
 * @throws CodedError `VALIDATION_FAILED`
 */
export function readLettersQuery(query: unknown): {
  reason: string;
  errorCode: string | null;
  before: string;
  limit: number;
} {
  const { reason, error_code, cursor, limit } = asObject(query);
  const problems = new Problems();
  const given = (value: unknown) => value !== undefined && value !== '';
  const read = {
    reason: problems.check('reason', reason, `one of ${DEAD_LETTER_REASONS.join(', ')}`, readReason),
    errorCode: given(error_code)
      ? problems.check('error_code', error_code, 'a code of 1 to 64 characters', (value) =>
          typeof value === 'string' && ERROR_CODE.test(value) ? value : undefined,
        )
      : null,
    before: given(cursor)
      ? problems.check('cursor', cursor, 'the next_cursor of an earlier page', (value) =>
          isId(value) ? value : undefined,
        )
      : LAST_ID,
    limit: given(limit) ? problems.check('limit', limit, `an integer 1..${MOST_LETTERS}`, readLimit) : DEFAULT_LETTERS,
  };
  problems.throwIfAny();
  return read as ReturnType<typeof readLettersQuery>;
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function readReason(value: unknown): string | undefined {
  return DEAD_LETTER_REASONS.find((reason) => reason === value);
}

/** U+0000 is nothing that PostgreSQL keeps. */
function readNote(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const note = value.trim().toWellFormed();
  return note !== '' && [...note].length <= LONGEST_NOTE && !note.includes('\0') ? note : undefined;
}

function readLimit(value: unknown): number | undefined {
  const limit = typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : 0;
  return limit >= 1 && limit <= MOST_LETTERS ? limit : undefined;
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[1-9]\d{0,18}$/.test(value) && BigInt(value) <= BigInt(LAST_ID);
}
