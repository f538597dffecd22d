/** The conversations that are measured with: the operator's own, or synthetic ones. */
import { readFile } from 'node:fs/promises';
import { parseConversationEnd } from '../../conversation-events/conversation-end';
import { CodedError } from '../../errors/coded-error';
import { UsageError } from '../command';
import type { Template } from './tune-database.repository';

/** Lines of a synthetic conversation, and their length in characters: a talk of some minutes. */
const LINES = 24;
const LENGTH = 60;

/** Said once for each mistake, this many at most. */
const MOST_PROBLEMS = 10;

export function syntheticConversations(): Template[] {
  const lines = Array.from({ length: LINES }, (_, index) => ({
    turn_id: index + 1,
    speaker: index % 2 === 0 ? 'pika' : 'user',
    text: 'x'.repeat(LENGTH),
    timestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, index)).toISOString(),
  }));
  return [
    {
      conversation_log: JSON.stringify(lines),
      user_initiated_questions: 2,
      session_emotion: 'interesting',
      new_memories_count: 1,
    },
  ];
}

/**
 * @param file a JSON array of bodies as `POST /v1/conversations/end` takes them; ids are given anew, and texts never leave the tuner's own database
 * @throws UsageError that names every conversation which the service would refuse, without a word of it
 */
export async function conversationsOf(file: string): Promise<Template[]> {
  const bodies = await readBodies(file);
  const problems: string[] = [];
  const templates = bodies.flatMap((body, index) => {
    try {
      const conversation = parseConversationEnd(body, new Date());
      return [
        {
          conversation_log: JSON.stringify(conversation.conversation_log),
          user_initiated_questions: conversation.user_initiated_questions,
          session_emotion: conversation.session_emotion,
          new_memories_count: conversation.new_memories_count,
        },
      ];
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      const fields = error.fields.map(({ field, expected, got }) => `${field}: expected ${expected}, got ${got}`);
      problems.push(`  number ${index}: ${fields.join('; ')}`);
      return [];
    }
  });
  if (problems.length > 0) {
    throw new UsageError(
      `--conversations: expected conversations that the service accepts, got ${problems.length} that it does not:\n${problems.slice(0, MOST_PROBLEMS).join('\n')}`,
    );
  }
  return templates;
}

async function readBodies(file: string): Promise<unknown[]> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new UsageError(`--conversations: expected a file that can be read, got ${file}`);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined; // the parser's own words may quote the file
  }
  if (Array.isArray(value) && value.length > 0) return value as unknown[];
  throw new UsageError(
    `--conversations: expected a JSON array of at least one conversation, got another kind of file: ${file}`,
  );
}
