/** From the body of a request or a message to a conversation that can be stored, or to everything that is wrong with it. */
import { createHash } from 'node:crypto';
import { CodedError, type FieldProblem } from '../errors/coded-error';
import { describeValue } from '../errors/describe';
import { CONVERSATION_END, MOST_LOG_ITEMS, expectedAt, resolveAliases } from './conversation-end.schema';
import { normaliseLog, storableText, type LogLine, type NormalisedLog } from './conversation-log';
import { parseInstant } from './instant';

/** A valid conversation, normalised. `null` in the metadata means that the producer did not say. */
export interface ConversationEnd {
  readonly conversation_id: string;
  readonly user_id: string;
  readonly bot_id: string;
  readonly bot_name: string;
  readonly bot_type: string;
  readonly agent_tag: string | null;
  readonly start_time: Date;
  readonly end_time: Date;
  readonly conversation_log: readonly LogLine[];
  readonly user_initiated_questions: number | null;
  readonly session_emotion: string | null;
  readonly new_memories_count: number | null;
}

const EARLIEST_START = Date.UTC(2020, 0, 1);
const NO_LOG: NormalisedLog = { lines: [], problems: [] };
/** For a log whose conversation has no valid times: it is looked at all the same, for what else is wrong. */
const ANY_TIMES = { start: new Date(0), end: new Date(0) };
const LONGEST_MS = 24 * 60 * 60 * 1000;
/** Clocks differ. */
const FURTHEST_AHEAD_MS = 10 * 60 * 1000;

/**
 * @param now the current time, for the limit on the future
 * @throws CodedError `VALIDATION_FAILED` that names each field with what was expected and what came
 */
export function parseConversationEnd(body: unknown, now: Date): ConversationEnd {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalid([{ field: '', expected: 'a JSON object', got: describeValue(body) }]);
  }
  const input = resolveAliases(body as Record<string, unknown>);
  const parsed = CONVERSATION_END.safeParse(input);
  const times = parseTimes(input, now);
  const { start, end } = 'start' in times ? times : ANY_TIMES;
  const log = isLog(input.conversation_log) ? normaliseLog(input.conversation_log, start, end) : NO_LOG;
  const problems = [
    ...(parsed.success ? [] : schemaProblems(parsed.error.issues, input)),
    ...('problems' in times ? times.problems : []),
    ...log.problems,
  ];
  if (!parsed.success || 'problems' in times || problems.length > 0) throw invalid(problems);

  const fields = parsed.data;
  return {
    conversation_id: fields.conversation_id,
    user_id: fields.user_id,
    bot_id: storableText(fields.bot_id),
    bot_name: storableText(fields.bot_name),
    bot_type: storableText(fields.bot_type),
    agent_tag: fields.agent_tag ? storableText(fields.agent_tag) : null,
    start_time: times.start,
    end_time: times.end,
    conversation_log: log.lines,
    user_initiated_questions: fields.metadata?.user_initiated_questions ?? null,
    session_emotion: fields.metadata?.session_emotion ? storableText(fields.metadata.session_emotion) : null,
    new_memories_count: fields.metadata?.new_memories_count ?? null,
  };
}

/** A conversation that is ready to be stored. */
export interface PreparedConversation {
  readonly fields: Omit<ConversationEnd, 'conversation_log'>;
  /** The lines as they are stored. */
  readonly logJson: string;
  /** Two posts with the same id are the same conversation exactly when these are equal. */
  readonly hash: Buffer;
}

/** @throws CodedError `VALIDATION_FAILED`, as {@link parseConversationEnd} */
export function prepareConversation(body: unknown, now: Date): PreparedConversation {
  const conversation = parseConversationEnd(body, now);
  const { conversation_log, ...fields } = conversation;
  return { fields, ...fingerprint(conversation) };
}

/**
 * The conversation's lines as they are stored, and the SHA-256 over everything that was sent.
 * Two posts with the same id are the same conversation exactly when these hashes are equal.
 */
export function fingerprint(conversation: ConversationEnd): { logJson: string; hash: Buffer } {
  const { conversation_log, start_time, end_time, ...rest } = conversation;
  const logJson = JSON.stringify(conversation_log);
  const head = JSON.stringify([...Object.values(rest), start_time.getTime(), end_time.getTime()]);
  return { logJson, hash: createHash('sha256').update(head).update(logJson).digest() };
}

function isLog(value: unknown): value is unknown[] {
  return Array.isArray(value) && value.length <= MOST_LOG_ITEMS;
}

type Issue = { readonly path: readonly PropertyKey[] };

function schemaProblems(issues: readonly Issue[], input: Record<string, unknown>): FieldProblem[] {
  const byField = new Map<string, FieldProblem>();
  for (const { path } of issues) {
    const field = path.map(String).join('.');
    const got = path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], input);
    if (!byField.has(field)) byField.set(field, { field, expected: expectedAt(path), got: describeField(field, got) });
  }
  return [...byField.values()];
}

/** Says where an id goes wrong, without quoting it. */
function describeField(field: string, value: unknown): string {
  const position = typeof value === 'string' && ID_FIELDS.has(field) ? value.search(/[^!-~]/) : -1;
  return position < 0 ? describeValue(value) : `${describeValue(value)}, the one at ${position} not visible ASCII`;
}

const ID_FIELDS = new Set(['conversation_id', 'user_id']);

/** Texts that are no times are told here, everything else by the schema. */
function parseTimes(
  fields: Record<string, unknown>,
  now: Date,
): { start: Date; end: Date } | { problems: FieldProblem[] } {
  const start = parseInstant(fields.start_time);
  const end = parseInstant(fields.end_time);
  const problems: FieldProblem[] = [];
  if (!start && typeof fields.start_time === 'string')
    problems.push(timeProblem('start_time', expectedAt(['start_time']), fields.start_time));
  if (start && start.getTime() < EARLIEST_START)
    problems.push(timeProblem('start_time', '2020-01-01T00:00:00Z or later', start));
  if (!end && typeof fields.end_time === 'string')
    problems.push(timeProblem('end_time', expectedAt(['end_time']), fields.end_time));
  if (end && end.getTime() > now.getTime() + FURTHEST_AHEAD_MS) {
    problems.push(timeProblem('end_time', `at most 10 minutes after now (${now.toISOString()})`, end));
  }
  if (start && end && end <= start)
    problems.push(timeProblem('end_time', `after start_time (${start.toISOString()})`, end));
  if (start && end && end.getTime() - start.getTime() > LONGEST_MS) {
    problems.push(timeProblem('end_time', `at most 24 hours after start_time (${start.toISOString()})`, end));
  }
  return start && end && problems.length === 0 ? { start, end } : { problems };
}

/** A time that could be read is no secret; a text that could not may be anything. */
function timeProblem(field: string, expected: string, got: unknown): FieldProblem {
  return { field, expected, got: got instanceof Date ? got.toISOString() : describeValue(got) };
}

function invalid(fields: FieldProblem[]): CodedError {
  return new CodedError('VALIDATION_FAILED', `${fields.length} field(s) are not as expected.`, fields);
}
