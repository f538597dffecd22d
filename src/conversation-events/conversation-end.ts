/** From the body of a request or a message to a conversation that can be stored, or to everything that is wrong with it. */
import { createHash } from 'node:crypto';
import { CodedError, type FieldProblem } from '../errors/coded-error';
import { describeValue } from '../errors/describe';
import { CONVERSATION_END, expectedAt, resolveAliases, type ConversationEndFields } from './conversation-end.schema';
import { normaliseLog, storableText, type LogLine } from './conversation-log';
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
  if (!parsed.success) throw invalid(schemaProblems(parsed.error.issues, input));

  const fields = parsed.data;
  const times = parseTimes(fields, now);
  if ('problems' in times) throw invalid(times.problems);
  const log = normaliseLog(fields.conversation_log ?? [], times.start, times.end);
  if (log.problems.length > 0) throw invalid(log.problems);

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

type Issue = { readonly path: readonly PropertyKey[] };

function schemaProblems(issues: readonly Issue[], input: Record<string, unknown>): FieldProblem[] {
  const byField = new Map<string, FieldProblem>();
  for (const { path } of issues) {
    const field = path.map(String).join('.');
    const got = path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], input);
    if (!byField.has(field)) byField.set(field, { field, expected: expectedAt(path), got: describeText(got) });
  }
  return [...byField.values()];
}

/** Adds what is wrong inside a string of a good length, without quoting it. */
function describeText(value: unknown): string {
  const described = describeValue(value);
  if (typeof value !== 'string') return described;
  const position = [...value].findIndex((character) => character < '!' || character > '~');
  return position < 0 ? described : `${described}, the one at ${position} not visible ASCII`;
}

function parseTimes(fields: ConversationEndFields, now: Date): { start: Date; end: Date } | { problems: FieldProblem[] } {
  const start = parseInstant(fields.start_time);
  const end = parseInstant(fields.end_time);
  const problems: FieldProblem[] = [];
  if (!start) problems.push(timeProblem('start_time', expectedAt(['start_time']), fields.start_time));
  else if (start.getTime() < EARLIEST_START) problems.push(timeProblem('start_time', '2020-01-01T00:00:00Z or later', start));
  if (!end) problems.push(timeProblem('end_time', expectedAt(['end_time']), fields.end_time));
  else if (end.getTime() > now.getTime() + FURTHEST_AHEAD_MS) {
    problems.push(timeProblem('end_time', `at most 10 minutes after now (${now.toISOString()})`, end));
  }
  if (start && end && end <= start) problems.push(timeProblem('end_time', `after start_time (${start.toISOString()})`, end));
  if (start && end && end.getTime() - start.getTime() > LONGEST_MS) {
    problems.push(timeProblem('end_time', `at most 24 hours after start_time (${start.toISOString()})`, end));
  }
  return start && end && problems.length === 0 ? { start, end } : { problems };
}

/** A time that could be read is no secret; a text that could not may be anything. */
function timeProblem(field: string, expected: string, got: string | Date): FieldProblem {
  return { field, expected, got: got instanceof Date ? got.toISOString() : describeValue(got) };
}

function invalid(fields: FieldProblem[]): CodedError {
  return new CodedError('VALIDATION_FAILED', `${fields.length} field(s) are not as expected.`, fields);
}
