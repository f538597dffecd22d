import { access } from 'node:fs/promises';
import { extname } from 'node:path';
import type { INestApplicationContext } from '@nestjs/common';
import { parse, print, Progress, UsageError, type Command } from './command';
import type { OpeningBalance } from './opening-balance';
import { BALANCE_FORMATS, readBalances } from './opening-balance-file';
import { OpeningBalancesRepository } from './opening-balances.repository';

/** Children in one transaction: large enough that the round trip does not count, small enough that workers do not wait for locks. */
const BATCH = 500;

/** Problems that are listed; the rest is counted. */
const MOST_LISTED = 50;

export const importCommand: Command = {
  usage: 'import FILE [--dry-run] [--json]',
  summary:
    'takes over scores of a former system from a .csv or .jsonl file, one opening balance per child; may be interrupted and repeated (docs/migrate.md)',
  run,
};

async function run(app: INestApplicationContext, args: string[]): Promise<number> {
  const { values, positionals } = parse(args, { 'dry-run': { type: 'boolean' }, json: { type: 'boolean' } }, 1);
  const [file] = positionals;
  if (file === undefined) throw new UsageError('expected one FILE, got none');
  const format = BALANCE_FORMATS.find((ending) => ending === extname(file).toLowerCase());
  if (!format) throw new UsageError(`expected a file named ${BALANCE_FORMATS.join(', ')}, got ${file}`);
  await access(file).catch(() => {
    throw new UsageError(`expected a file that can be read, got ${file}`);
  });
  const now = new Date();
  const progress = new Progress();

  // The whole file is looked at before anything is stored: half an import would have to be explained.
  const checked = { children: 0, problems: 0, other_levels: 0 };
  const seen = new Map<string, number>();
  for await (const { line, ...read } of readBalances(file, format, now)) {
    const problems = 'problems' in read ? [...read.problems] : [];
    if ('balance' in read) {
      const before = seen.get(read.balance.user_id);
      if (before !== undefined) problems.push(`expected each user_id once, got the one of line ${before} again`);
      seen.set(read.balance.user_id, line);
      checked.children++;
      if (read.otherLevel !== undefined) checked.other_levels++;
    }
    for (const problem of problems) if (checked.problems++ < MOST_LISTED) print(`line ${line}: ${problem}`);
    progress.update(() => `checked ${checked.children} children`);
  }
  const summary = (result: object) => {
    const whole = { ...checked, ...result, seconds: progress.seconds };
    print(
      values.json
        ? JSON.stringify(whole)
        : Object.entries(whole)
            .map(([name, value]) => `${name}: ${String(value)}`)
            .join(', '),
    );
  };
  if (checked.problems > 0 || values['dry-run']) {
    summary({ imported: 0 });
    return checked.problems > 0 ? 1 : 0;
  }

  const sums = { imported: 0, known: 0, conflicting: 0, erased: 0 };
  const store = async (batch: readonly OpeningBalance[]) => {
    const { imported, known, conflicting, erased } = await app.get(OpeningBalancesRepository).importBatch(batch);
    for (const user of conflicting)
      print(`${user}: expected the balance that was imported before, got another; it stays`);
    sums.imported += imported;
    sums.known += known;
    sums.conflicting += conflicting.length;
    sums.erased += erased;
    progress.update(() => `imported ${sums.imported + sums.known}/${checked.children} children`);
  };
  let batch: OpeningBalance[] = [];
  for await (const read of readBalances(file, format, now)) {
    if ('balance' in read) batch.push(read.balance);
    if (batch.length < BATCH) continue;
    await store(batch);
    batch = [];
  }
  if (batch.length > 0) await store(batch);
  summary(sums);
  return sums.conflicting > 0 ? 1 : 0;
}
