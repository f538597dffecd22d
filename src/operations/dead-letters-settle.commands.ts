import type { INestApplicationContext } from '@nestjs/common';
import { messageKey } from '../conversation-events/crash-guard';
import { SuspectsRepository } from '../conversation-events/suspects.repository';
import { QueryRunners } from '../database/query-runners';
import { DEAD_LETTER_REASONS } from '../messaging/outcome';
import { oneOf, parse, print, Progress, UsageError, type Command } from './command';
import { mayGoOn } from './confirmation';
import { readDeadLetterId } from './dead-letter-ids';
import { DeadLetterInboxRepository, type Selection } from './dead-letter-inbox.repository';

/** Entries settled in one transaction: short enough that nobody waits long for their locks. */
const BATCH = 500;

/** What the column holds. */
const LONGEST_NOTE = 1_000;

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

/** What one batch settled, and where the next begins. */
interface Batch {
  readonly last: string | null;
  readonly entries: number;
}

async function replay(app: INestApplicationContext, args: string[]): Promise<number> {
  const { values, selection } = readArguments(args);
  const repository = app.get(DeadLetterInboxRepository);
  const sums = { events: 0, messages: 0 };
  const next = async (after: string, upTo: string): Promise<Batch> => {
    // The recorder and an erasure lock an event before its entries, a replay the other way round: one of them may have to begin anew.
    const { last, events, messages } = await app.get(QueryRunners).repeatableTransaction(async (runner) => {
      const batch = await repository.replay(runner, selection, after, upTo, BATCH);
      // An event whose message killed workers would be given up again at once if those starts still counted.
      const keys = batch.events.map((messageId) => messageKey({ messageId, body: Buffer.alloc(0) }));
      await app.get(SuspectsRepository).forget(runner, keys);
      return batch;
    });
    sums.events += events.length;
    sums.messages += messages;
    return { last, entries: events.length + messages };
  };
  return settle(repository, { verb: 'replay', done: 'replayed', values, selection, sums, next });
}

async function discard(app: INestApplicationContext, args: string[]): Promise<number> {
  const { values, selection } = readArguments(args, { note: { type: 'string' } });
  const note = values.note as string | undefined;
  if (note !== undefined && (note.length > LONGEST_NOTE || note.includes('\0'))) {
    throw new UsageError(`--note: expected at most ${LONGEST_NOTE} characters, got ${note.length}`);
  }
  const repository = app.get(DeadLetterInboxRepository);
  const next = (after: string, upTo: string): Promise<Batch> => repository.discard(selection, after, upTo, BATCH, note);
  return settle(repository, { verb: 'discard', done: 'discarded', values, selection, sums: {}, next });
}

interface Work {
  readonly verb: string;
  readonly done: string;
  readonly values: Record<string, unknown>;
  readonly selection: Selection;
  /** More numbers for the summary, complete when the last batch is. */
  readonly sums: Record<string, number>;
  readonly next: (after: string, upTo: string) => Promise<Batch>;
}

/**
 * Batch by batch, oldest first. What is recorded after the start is left alone: a replayed message that fails at once would
 * otherwise be replayed for ever.
 */
async function settle(repository: DeadLetterInboxRepository, work: Work): Promise<number> {
  const { verb, done, values, selection, sums, next } = work;
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
  let settled = 0;
  for (let after: string | null = '0'; after !== null && upTo !== null;) {
    const batch: Batch = await next(after, upTo);
    settled += batch.entries;
    after = batch.last;
    progress.update(() => `${done} ${settled}/${total}`);
  }
  const { entries: left } = upTo === null ? { entries: 0 } : await repository.count(selection, upTo);
  progress.end(`${done} ${settled}/${total}`);
  if (left > 0) {
    progress.end(`${left} are still open: another run holds them, or their body was purged; run this again to see`);
  }
  const { seconds } = progress;
  const more = Object.entries(sums).map(([name, count]) => `, ${count} ${name}`);
  if (values.json) print(JSON.stringify({ [done]: settled, ...sums, left_open: left, seconds }));
  else print(`${done}: ${settled} dead letter(s)${more.join('')}; left open: ${left}`);
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
