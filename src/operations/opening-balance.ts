/** One child's scores of a former system: read from a line of a file, or everything that is wrong with it. Pure. */
import { createHash } from 'node:crypto';
import { parseInstant } from '../conversation-events/instant';
import { describeValue } from '../errors/describe';
import { userLevel } from '../friendship-status/levels';
import { USER_ID } from '../friendship-status/user-id';

/** What a topic had. `turns` may be unknown, which is 0. */
export interface TopicBalance {
  readonly score: string;
  readonly turns: number;
  /** UTC ISO 8601. */
  readonly last_date: string;
  readonly agents_used: readonly string[];
}

export interface OpeningBalance {
  readonly user_id: string;
  /** Exact: a decimal number as text. */
  readonly friendship_score: string;
  readonly last_interaction_date: string;
  /** Consecutive days that end at the last interaction. */
  readonly streak_day: number;
  readonly topics: Readonly<Record<string, TopicBalance>>;
}

/** What a line gave: a balance, or its problems. */
export type ReadBalance =
  | {
      readonly balance: OpeningBalance;
      /** The level that the line names, where the rules make another of its score. */
      readonly otherLevel?: string;
    }
  | { readonly problems: readonly string[] };

const LONGEST_STREAK = 36_500;
const NUMBER = /^\d{1,30}(\.\d{1,20})?$/;

/** @param record in the shape that `GET /v1/friendship/{user_id}` answers; `topic_metrics` may stand for `topics` */
export function readOpeningBalance(record: unknown, now: Date): ReadBalance {
  if (typeof record !== 'object' || record === null || Array.isArray(record))
    return { problems: [`expected an object, got ${describeValue(record)}`] };
  const input = record as Record<string, unknown>;
  const problems: string[] = [];
  const expect = <T>(field: string, expected: string, got: unknown, value: T | undefined): T => {
    if (value === undefined) problems.push(`${field}: expected ${expected}, got ${describeValue(got)}`);
    return value as T;
  };
  const instant = (field: string, got: unknown, latest: Date) =>
    expect(field, `an ISO 8601 time, at most ${latest.toISOString()}`, got, instantUpTo(got, latest)?.toISOString());
  const decimal = (field: string, got: unknown) =>
    expect(field, 'a number from 0 on, not in exponents', got, readDecimal(got));

  const user_id = expect('user_id', '3 to 255 visible ASCII characters', input.user_id, readUserId(input.user_id));
  const friendship_score = decimal('friendship_score', input.friendship_score);
  const last_interaction_date = instant('last_interaction_date', input.last_interaction_date, now);
  const streak_day = expect(
    'streak_day',
    `an integer 1..${LONGEST_STREAK}`,
    input.streak_day,
    readInteger(input.streak_day, 1, LONGEST_STREAK),
  );
  const latest = problems.length === 0 ? new Date(last_interaction_date) : now;
  const given = input.topics ?? input.topic_metrics ?? {};
  const named = isRecord(given)
    ? Object.entries(given)
    : (expect('topics', 'an object by topic', given, undefined) ?? []);
  const topics = Object.fromEntries(
    named.map(([topic, value]): [string, TopicBalance] => {
      const at = `topics.${topic.length > 60 ? `${topic.slice(0, 60)}…` : topic}`;
      if (!isText(topic)) problems.push(`${at}: expected a name of 1 to 255 characters`);
      const of = isRecord(value) ? value : {};
      if (!isRecord(value)) problems.push(`${at}: expected an object, got ${describeValue(value)}`);
      return [
        topic,
        {
          score: decimal(`${at}.score`, of.score),
          turns: expect(`${at}.turns`, 'an integer from 0 on', of.turns, readInteger(of.turns ?? 0, 0, 2 ** 50)),
          last_date: instant(`${at}.last_date`, of.last_date, latest),
          agents_used: expect(
            `${at}.agents_used`,
            'a list of one bot id or more, each of 1 to 255 characters',
            of.agents_used,
            readAgents(of.agents_used),
          ),
        },
      ];
    }),
  );
  if (problems.length > 0) return { problems };
  const balance = { user_id, friendship_score, last_interaction_date, streak_day, topics };
  const level = userLevel(Number(friendship_score));
  const told = input.friendship_level;
  return typeof told === 'string' && told !== '' && told !== level ? { balance, otherLevel: told } : { balance };
}

/** The id under which a child's balance is stored: the same at every import. */
export function balanceId(userId: string): string {
  const id = `opening-balance:${userId}`;
  return id.length <= 255 ? id : `opening-balance:sha256:${createHash('sha256').update(userId).digest('hex')}`;
}

/** Equal for equal balances, in whatever order a file names them. */
export function balanceFingerprint({ topics, ...rest }: OpeningBalance): Buffer {
  const sorted = Object.entries(topics)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([topic, { score, turns, last_date, agents_used }]) => [topic, score, turns, last_date, agents_used]);
  const { user_id, friendship_score, last_interaction_date, streak_day } = rest;
  const parts = [user_id, friendship_score, last_interaction_date, streak_day, sorted];
  return createHash('sha256').update(JSON.stringify(parts)).digest();
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length >= 1 &&
    value.length <= 255 &&
    !value.includes('\0') &&
    value.isWellFormed()
  );
}

function readUserId(value: unknown): string | undefined {
  return typeof value === 'string' && USER_ID.test(value) ? value : undefined;
}

/** Without zeros that say nothing, so that 12.0 and 12 are the same balance. */
function readDecimal(value: unknown): string | undefined {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string' || !NUMBER.test(text)) return undefined;
  const [whole, fraction = ''] = text.split('.');
  const kept = fraction.replace(/0+$/, '');
  return `${whole.replace(/^0+(?=\d)/, '')}${kept === '' ? '' : `.${kept}`}`;
}

function readInteger(value: unknown, min: number, max: number): number | undefined {
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max ? number : undefined;
}

function readAgents(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.length > 0 && value.every(isText) ? [...new Set(value)].sort() : undefined;
}

function instantUpTo(value: unknown, latest: Date): Date | undefined {
  const instant = parseInstant(value);
  return instant !== undefined && instant <= latest ? instant : undefined;
}
