import { open } from 'node:fs/promises';
import type { INestApplicationContext } from '@nestjs/common';
import {
  DEAD_LETTER_STATES,
  DeadLettersRepository,
  type DeadLetterSummary,
} from '../conversation-events/dead-letters.repository';
import { errorCode } from '../errors/describe';
import { DEAD_LETTER_REASONS } from '../messaging/outcome';
import { outlineBody } from './body-outline';
import { oneOf, parse, print, UsageError, type Command } from './command';
import { readDeadLetterId } from './dead-letter-ids';
import { DeadLetterInboxRepository, type DeadLetterEntry } from './dead-letter-inbox.repository';

export const listDeadLetters: Command = {
  usage: `dead-letters list [--state ${DEAD_LETTER_STATES.join('|')}] [--reason REASON] [--limit N] [--json]`,
  summary: 'lists dead letters, newest first, without their bodies',
  run: list,
};

export const showDeadLetter: Command = {
  usage: 'dead-letters show ID [--body-to FILE] [--json]',
  summary:
    'shows one dead letter and the outline of its body; the text itself only goes to a new FILE that nobody else can read',
  run: show,
};

async function list(app: INestApplicationContext, args: string[]): Promise<void> {
  const { values } = parse(args, {
    state: { type: 'string' },
    reason: { type: 'string' },
    limit: { type: 'string', default: '100' },
    json: { type: 'boolean', default: false },
  });
  const limit = Number(values.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > 10_000) {
    throw new UsageError(`--limit: expected an integer 1..10000, got ${String(values.limit)}`);
  }
  const state = oneOf('--state', values.state, DEAD_LETTER_STATES);
  const reason = oneOf('--reason', values.reason, DEAD_LETTER_REASONS);
  const letters = await app.get(DeadLettersRepository).list({ state, reason }, limit);
  if (values.json) print(JSON.stringify(letters));
  else printLetters(letters);
}

function printLetters(letters: readonly DeadLetterSummary[]): void {
  if (letters.length === 0) return print('no dead letters');
  for (const letter of letters) {
    const { dead_letter_id, conversation_id, reason, error_code, attempts, last_failed_at, state, bytes } = letter;
    print(
      [
        `#${dead_letter_id}`,
        state,
        reason,
        conversation_id ?? '(no id)',
        `attempts ${attempts}`,
        `last error ${error_code ?? '-'}`,
        last_failed_at.toISOString(),
        `${bytes ?? 0} bytes`,
      ].join('  '),
    );
  }
}

async function show(app: INestApplicationContext, args: string[]): Promise<void> {
  const { values, positionals } = parse(args, { 'body-to': { type: 'string' }, json: { type: 'boolean' } }, 1);
  if (positionals.length === 0) throw new UsageError('expected the ID of a dead letter, got nothing');
  const id = readDeadLetterId('ID', positionals[0]);
  const letter = await app.get(DeadLetterInboxRepository).find(id);
  if (!letter) throw new UsageError(`ID: expected the number of a dead letter, got ${id}, which is none`);

  const { body, ...entry } = letter;
  const outline = body === null ? ['purged'] : outlineBody(body);
  if (values.json) print(JSON.stringify({ ...entry, bytes: body?.length ?? null, body: outline }));
  else printEntry(letter, outline);
  if (typeof values['body-to'] === 'string') await writeBody(values['body-to'], body);
}

function printEntry({ body, ...entry }: DeadLetterEntry, outline: readonly string[]): void {
  const fields: Record<string, string | number | boolean | Date | null> = { ...entry, bytes: body?.length ?? 0 };
  for (const [name, value] of Object.entries(fields)) {
    const text =
      value instanceof Date ? value.toISOString() : typeof value === 'string' ? quote(value) : String(value ?? '-');
    print(`${name.padEnd(16)}${text}`);
  }
  outline.forEach((line, index) => print(`${(index === 0 ? 'body' : '').padEnd(16)}${line}`));
}

/** Senders name exchanges and keys: control characters must not reach a terminal. */
function quote(text: string): string {
  return /^[!-~][ -~]*$/.test(text) ? text : JSON.stringify(text);
}

/** Only into a new file: one that exists keeps its mode, and its readers. */
async function writeBody(path: string, body: Buffer | null): Promise<void> {
  if (body === null) throw new UsageError('--body-to: expected an entry with a body, got one whose body was purged');
  const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
    throw new UsageError(`--body-to: expected a new file that can be written, got ${path} (${errorCode(error)})`);
  });
  try {
    await file.writeFile(body);
  } finally {
    await file.close();
  }
  process.stderr.write(
    `wrote ${body.length} bytes to ${path}; it may hold a child's words: delete it when you are done\n`,
  );
}
