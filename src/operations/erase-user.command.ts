import { setTimeout as delay } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { parse, print, Progress, UsageError, type Command } from './command';
import { mayGoOn } from './confirmation';
import { ErasureRepository } from './erasure.repository';
import { RebuildRepository } from './rebuild.repository';
import { readUserOption } from './user-option';

export const eraseUserCommand: Command = {
  usage: 'erase-user --user ID [--yes] [--json]',
  summary:
    'removes a child: conversations, dead letters and status. What ended until now stays out for ever; later conversations start afresh',
  run,
};

/** How long to wait until whatever had begun before the erasure has ended, and how often to look, milliseconds. */
const QUIET = { limit: 60_000, interval: 50 };

async function run(app: INestApplicationContext, args: string[]): Promise<void> {
  const { values } = parse(args, { user: { type: 'string' }, yes: { type: 'boolean' }, json: { type: 'boolean' } });
  const user = readUserOption(values.user);
  if (user === undefined) throw new UsageError('--user: expected the id of a child, got nothing');
  const erasure = app.get(ErasureRepository);
  if (!erasure.available) {
    throw new UsageError('ERASURE_KEY: expected the key that every process of this installation has, got nothing');
  }
  if (values.yes !== true && !process.stdin.isTTY) {
    throw new UsageError('--yes: expected, since there is no terminal to ask on; got nothing');
  }
  if (!(await mayGoOn(`Erase ${user} for ever?`, { yes: values.yes === true, everything: false }))) {
    return print('nothing was erased');
  }

  const progress = new Progress();
  // From here on nothing of the past can come in. What was on its way in at this moment is waited for, and removed as well.
  const buried = await erasure.buryUser(user);
  let conversations = await removeConversations(erasure, user, buried.erased_at, progress);
  await untilPassed(erasure, buried.transaction_id);
  conversations += await removeConversations(erasure, user, buried.erased_at, progress);
  const deadLetters = await erasure.removeLettersOfUser(user);
  await app.get(RebuildRepository).rebuild([user]);

  const result = { conversations, dead_letters_without_event: deadLetters, seconds: progress.seconds };
  print(
    values.json ? JSON.stringify(result) : `erased: ${conversations} conversations, ${deadLetters} other dead letters`,
  );
}

async function removeConversations(
  erasure: ErasureRepository,
  user: string,
  erasedAt: Date,
  progress: Progress,
): Promise<number> {
  let removed = 0;
  for (let batch = 1; batch > 0; removed += batch) {
    batch = await erasure.removeBatch(user, erasedAt);
    progress.update(() => `removed ${removed + batch} conversations`);
  }
  return removed;
}

async function untilPassed(erasure: ErasureRepository, transactionId: string): Promise<void> {
  const deadline = performance.now() + QUIET.limit;
  while (!(await erasure.hasPassed(transactionId))) {
    if (performance.now() > deadline) {
      throw new UsageError(
        `expected every transaction that began before the erasure to end within ${QUIET.limit / 1000} s; one is still open. ` +
          'Nothing new can come in; run the command again when it has ended',
      );
    }
    await delay(QUIET.interval);
  }
}
