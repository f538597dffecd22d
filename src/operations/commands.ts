/** The CLI's commands. Each takes its arguments and writes to stdout; what is wrong with them is a {@link UsageError}. */
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { parseArgs } from 'node:util';
import type { INestApplicationContext } from '@nestjs/common';
import { DeadLettersRepository, type DeadLetterSummary } from '../conversation-events/dead-letters.repository';
import { DEAD_LETTER_REASONS } from '../messaging/outcome';
import { parseTopicAgents } from './topic-agents-file';
import { TopicAgentsRepository } from './topic-agents.repository';

/** The arguments are not as expected; the message says what was. */
export class UsageError extends Error {}

export interface Command {
  readonly usage: string;
  readonly summary: string;
  run(app: INestApplicationContext, args: string[]): Promise<void>;
}

export const COMMANDS: Readonly<Record<string, Command>> = {
  'topics import': {
    usage: 'topics import FILE',
    summary:
      'reads agent tags and their topics from a .csv (header agent_tag,topic_id) or .json file; existing tags are updated',
    run: importTopics,
  },
  'dead-letters list': {
    usage: 'dead-letters list [--state OPEN|REPLAYED|DISCARDED] [--reason REASON] [--limit N] [--json]',
    summary: 'lists dead letters, newest first, without their bodies',
    run: listDeadLetters,
  },
};

async function importTopics(app: INestApplicationContext, args: string[]): Promise<void> {
  const [file, ...more] = args;
  if (file === undefined || more.length > 0) throw new UsageError(`expected one FILE, got ${args.length} arguments`);
  const format = { '.csv': 'csv', '.json': 'json' }[extname(file).toLowerCase()];
  if (format !== 'csv' && format !== 'json') throw new UsageError(`expected a file named .csv or .json, got ${file}`);
  const text = await readFile(file, 'utf8').catch(() => {
    throw new UsageError(`expected a file that can be read, got ${file}`);
  });
  const rows = parseTopicAgents(text, format);
  const changed = await app.get(TopicAgentsRepository).upsert(rows);
  print(`${rows.length} agent tags read, ${changed} new or changed`);
}

const STATES = ['OPEN', 'REPLAYED', 'DISCARDED'];

async function listDeadLetters(app: INestApplicationContext, args: string[]): Promise<void> {
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
  const state = oneOf('--state', values.state, STATES);
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

function oneOf(name: string, value: unknown, allowed: readonly string[]): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && allowed.includes(value)) return value;
  throw new UsageError(`${name}: expected one of ${allowed.join(', ')}, got ${JSON.stringify(value)}`);
}

type Options = NonNullable<Parameters<typeof parseArgs>[0]>['options'];

function parse(args: string[], options: Options): { values: Record<string, unknown> } {
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
