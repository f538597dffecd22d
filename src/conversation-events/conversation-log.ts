/** Turns the lines that a producer sends, in either of two shapes, into the one shape that is stored and scored. */
import { describeType } from '../errors/describe';
import type { FieldProblem } from '../errors/coded-error';
import type { Speaker } from '../scoring/speaker';
import { parseInstant } from './instant';

/** One line of a conversation, as stored. `timestamp` is UTC ISO 8601 with milliseconds. */
export interface LogLine {
  readonly speaker: Speaker;
  readonly turn_id: number;
  readonly text: string;
  readonly timestamp: string;
}

export type NormalisedLog = { readonly lines: LogLine[]; readonly problems: FieldProblem[] };

/** Problems reported per log; the rest is only more of the same. */
const MOST_PROBLEMS = 20;

/**
 * Each item is judged by itself: `{character, content}` or `{speaker, text, timestamp?}`. Blank lines are dropped,
 * `turn_id` counts the kept ones from 1, and a missing timestamp is the item's share of the conversation's time.
 */
export function normaliseLog(items: readonly unknown[], start: Date, end: Date): NormalisedLog {
  const lines: LogLine[] = [];
  const problems: FieldProblem[] = [];
  const startMs = start.getTime();
  const durationMs = end.getTime() - startMs;

  for (let index = 0; index < items.length && problems.length < MOST_PROBLEMS; index++) {
    const item = items[index];
    if (typeof item !== 'object' || item === null || Array.isArray(item)) {
      problems.push(problem(`[${index}]`, 'an object {character, content} or {speaker, text}', item));
      continue;
    }
    const { speaker, character, text, content, timestamp } = item as Record<string, unknown>;
    const spokenBy = speaker ?? character;
    const said = text ?? content ?? '';
    if (spokenBy != null && typeof spokenBy !== 'string') {
      problems.push(problem(`[${index}].${speaker == null ? 'character' : 'speaker'}`, 'text', spokenBy));
      continue;
    }
    if (typeof said !== 'string') {
      problems.push(problem(`[${index}].${text == null ? 'content' : 'text'}`, 'text or null', said));
      continue;
    }
    const at =
      timestamp == null || timestamp === ''
        ? new Date(startMs + Math.floor((durationMs * index) / items.length / 1000) * 1000)
        : parseInstant(timestamp);
    if (!at) {
      problems.push(problem(`[${index}].timestamp`, 'an ISO 8601 time, or none', timestamp));
      continue;
    }
    const kept = storableText(said).trim();
    if (kept === '') continue;
    lines.push({ speaker: speakerOf(spokenBy), turn_id: lines.length + 1, text: kept, timestamp: at.toISOString() });
  }
  return { lines, problems };
}

/** Contains BOT or PIKA: the robot; else contains USER: the child; anything else: the robot. */
function speakerOf(name: string | null | undefined): Speaker {
  const upper = (name ?? '').toUpperCase();
  return !upper.includes('BOT') && !upper.includes('PIKA') && upper.includes('USER') ? 'user' : 'pika';
}

/** PostgreSQL stores neither U+0000 nor half a surrogate pair; both become U+FFFD. */
export function storableText(text: string): string {
  const wellFormed = text.isWellFormed() ? text : text.toWellFormed();
  return wellFormed.includes('\0') ? wellFormed.replaceAll('\0', '\uFFFD') : wellFormed;
}

function problem(path: string, expected: string, got: unknown): FieldProblem {
  return { field: `conversation_log${path}`, expected, got: describeType(got) };
}
