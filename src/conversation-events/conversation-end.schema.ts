/** The one schema of `conversations/end`. Requests, whole conversations in messages, and the API docs all use it. */
import { z } from 'zod';

/** Ids end up in message properties, headers and logs, hence visible ASCII only. */
export const IDENTIFIER = /^[!-~]{3,255}$/;

const identifier = (description: string, example: string) =>
  z.string().regex(IDENTIFIER).meta({ description, expected: '3 to 255 visible ASCII characters', example });

/** A character takes two code units at most, so a text of more is not even counted. */
function isShort(value: string, most: number): boolean {
  return value.length <= 2 * most && [...value].length <= most;
}

/** Counts characters as a person would, so that an emoji outside the BMP is one. */
const text = (least: number, most: number, description: string, example: string) =>
  z
    .string()
    .refine((value) => value.length >= least && (value.length <= most || isShort(value, most)))
    .meta({ description, expected: `${least} to ${most} characters`, example });

const count = (description: string, example: number) =>
  z.number().int().min(0).max(1000).nullish().meta({ description, expected: 'an integer 0..1000, or none', example });

const instant = (description: string, example: string) =>
  z.string().meta({ description, expected: 'an ISO 8601 date and time; no zone means UTC', example });

export const MOST_LOG_ITEMS = 50_000;

const metadata = z
  .object({
    user_initiated_questions: count('Questions that the child asked of its own accord', 2),
    session_emotion: text(0, 50, 'Mood of the session (alias: emotion)', 'interesting').nullish().meta({
      description: 'Mood of the session; alias `emotion`',
      expected: 'at most 50 characters, or none',
      example: 'interesting',
    }),
    new_memories_count: count('New memories gained; alias `new_memories_created`', 1),
  })
  .nullish()
  .meta({ description: 'What the producer knows of the session', expected: 'an object, or none' });

/** Fields after {@link resolveAliases}. Unknown fields are ignored: results sent by a client are never stored. */
export const CONVERSATION_END = z.object({
  conversation_id: identifier('Chosen by the backend, unique for ever', 'conv-2026-11-20-0001'),
  user_id: identifier('The child', 'child-an'),
  bot_id: text(1, 255, 'The bot that talked', 'bot-dino'),
  bot_name: text(1, 255, 'Its name', 'Dino explorer'),
  bot_type: text(0, 50, 'Its type; some types are stored but not scored', 'TALK'),
  agent_tag: text(0, 255, 'Tag by which the topic is found', 'agent_dino_1').nullish().meta({
    description: 'Tag by which the topic is found',
    expected: 'at most 255 characters, or none',
    example: 'agent_dino_1',
  }),
  start_time: instant('When the conversation began; 2020 or later', '2026-11-20T10:00:00Z'),
  end_time: instant(
    'When it ended: after the start, at most 24 hours later, at most 10 minutes ahead of now',
    '2026-11-20T10:12:00Z',
  ),
  conversation_log: z
    .array(z.unknown())
    .max(MOST_LOG_ITEMS)
    .nullish()
    .meta({
      description: 'Lines `{character, content}` or `{speaker, text, turn_id?, timestamp?}`; alias `conversation_logs`',
      expected: `an array of at most ${MOST_LOG_ITEMS} items`,
      example: [
        { character: 'BOT_RESPONSE_CONVERSATION', content: '<happy/> Chào cậu, hôm nay cậu thấy thế nào?' },
        { character: 'USER', content: 'Hôm nay tớ được điểm mười.' },
      ],
    }),
  metadata,
});

/** The same as JSON Schema, for the API docs. */
export function conversationEndJsonSchema(): object {
  return z.toJSONSchema(CONVERSATION_END, {
    io: 'input',
    target: 'openapi-3.0',
    // `expected` is for error messages.
    override: ({ jsonSchema }) => delete (jsonSchema as Record<string, unknown>).expected,
  });
}

/** A message that carries all of these, beyond a reference, is a whole conversation. */
export const WHOLE_CONVERSATION_FIELDS = ['bot_name', 'bot_type', 'start_time', 'end_time'] as const;

/** Gives aliased fields their names; where both are sent, the first name wins. */
export function resolveAliases(body: Record<string, unknown>): Record<string, unknown> {
  const { metadata } = body;
  const resolved = { ...body, conversation_log: body.conversation_log ?? body.conversation_logs };
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) return resolved;
  const given = metadata as Record<string, unknown>;
  return {
    ...resolved,
    metadata: {
      user_initiated_questions: given.user_initiated_questions,
      session_emotion: given.session_emotion ?? given.emotion,
      new_memories_count: given.new_memories_count ?? given.new_memories_created,
    },
  };
}

/** What the field at `path` should have been, in words. */
export function expectedAt(path: readonly PropertyKey[]): string {
  const shape = CONVERSATION_END.shape as Record<string, z.ZodType>;
  const field = shape[String(path[0])];
  const inner = path[0] === 'metadata' && path.length > 1 ? metadata.unwrap().unwrap().shape : undefined;
  const schema = (inner as Record<string, z.ZodType> | undefined)?.[String(path[1])] ?? field;
  return (schema.meta()?.expected as string | undefined) ?? 'another value';
}
