import type { INestApplicationContext } from '@nestjs/common';
import { DEAD_LETTER_REASONS } from '../messaging/outcome';
import { oneOf, parse, print, Progress, UsageError, type Command } from './command';
import { mayGoOn } from './confirmation';
import { readDeadLetterId } from './dead-letter-ids';
import { DeadLetterInboxRepository, type Selection } from './dead-letter-inbox.repository';
import { DeadLetterSettlement, LONGEST_NOTE, type OnBatch, type Settled } from './dead-letter-settlement';

export const replayDeadLetters: Command = {
  usage: 'dead-letters replay (--id N… | --reason REASON | --all) [--yes] [--json]',
  summary: 'queues open dead letters again, through the sweeper; may be interrupted and repeated',
  run: replay,
};

export const discardDeadLetters: Command = {
  usage: 'dead-letters discard (--id N… | --reason REASON | --all) [--note TEXT] [--yes] [--json]',
  summary: 'settles open dead letters without counting them; their events stay FAILED',
  run: discard,
};

async function replay(app: INestApplicationContext, args: string[]): Promise<number> {
  const { values, selection } = readArguments(args);
  const settlement = app.get(DeadLetterSettlement);
  return settle(app, {
    verb: 'replay',
    done: 'replayed',
    values,
    selection,
    run: (upTo, onBatch) => settlement.replay(selection, upTo, onBatch),
  });
}

async function discard(app: INestApplicationContext, args: string[]): Promise<number> {
  const { values, selection } = readArguments(args, { note: { type: 'string' } });
  const note = values.note as string | undefined;
  if (note !== undefined && (note.length > LONGEST_NOTE || note.includes('\0'))) {
    throw new UsageError(`--note: expected at most ${LONGEST_NOTE} characters, got ${note.length}`);
  }
  const settlement = app.get(DeadLetterSettlement);
  return settle(app, {
    verb: 'discard',
    done: 'discarded',
    values,
    selection,
    run: (upTo, onBatch) => settlement.discard(selection, upTo, note, onBatch),
  });
}

interface Work {
  readonly verb: 'replay' | 'discard';
  readonly done: string;
  readonly values: Record<string, unknown>;
  readonly selection: Selection;
  readonly run: (upTo: string | null, onBatch: OnBatch) => Promise<Settled>;
}

async function settle(app: INestApplicationContext, { verb, done, values, selection, run }: Work): Promise<number> {
  const repository = app.get(DeadLetterInboxRepository);
  const unknown = selection.ids ? await repository.unknownIds(selection.ids) : [];
  if (unknown.length > 0) throw new UsageError(`--id: expected numbers of dead letters, got ${unknown.join(', ')}`);
  const { entries: total, last: upTo } = await repository.count(selection);
  const question = `${verb} ${total} dead letter(s)?`;
  const everything = values.all === true;
  if (!(await mayGoOn(question, { yes: values.yes === true, everything }))) {
    process.stderr.write('nothing was done\n');
    return 1;
  }

  const progress = new Progress();
  const settled = await run(upTo, ({ entries }) => progress.update(() => `${done} ${entries}/${total}`));
  const { entries: left } = upTo === null ? { entries: 0 } : await repository.count(selection, upTo);
  progress.end(`${done} ${settled.entries}/${total}`);
  if (left > 0) {
    progress.end(`${left} are still open: another run holds them, or their body was purged; run this again to see`);
  }
  const { seconds } = progress;
  const { events, messages } = settled;
  const sums: Record<string, number> = verb === 'replay' ? { events, messages } : {};
  const more = Object.entries(sums).map(([name, count]) => `, ${count} ${name}`);
  if (values.json) print(JSON.stringify({ [done]: settled.entries, ...sums, left_open: left, seconds }));
  else print(`${done}: ${settled.entries} dead letter(s)${more.join('')}; left open: ${left}`);
  return left > 0 ? 1 : 0;
}

/** Exactly one of the three ways to say which. */
function readArguments(
  args: string[],
  more: Record<string, { type: 'string' }> = {},
): { values: Record<string, unknown>; selection: Selection } {
  const { values, positionals } = parse(
    args,
    {
      id: { type: 'string', multiple: true },
      reason: { type: 'string' },
      all: { type: 'boolean' },
      yes: { type: 'boolean' },
      json: { type: 'boolean' },
      ...more,
    },
    Infinity,
  );
  const ways = ['id', 'reason', 'all'].filter((name) => values[name] !== undefined);
  if (ways.length !== 1) {
    const got = ways.map((name) => `--${name}`).join(' and ') || 'none of them';
    throw new UsageError(`expected one of --id N…, --reason REASON, --all; got ${got}`);
  }
  const reason = oneOf('--reason', values.reason, DEAD_LETTER_REASONS);
  const named = values.id as string[] | undefined;
  if (!named && positionals.length > 0) {
    throw new UsageError(`expected no argument of this kind, got ${JSON.stringify(positionals[0])}`);
  }
  const ids = named && [...named, ...positionals].flatMap((text) => text.split(','));
  return { values, selection: { ids: ids?.map((id) => readDeadLetterId('--id', id)), reason } };
}
