import type { INestApplicationContext } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';
import { AuditRepository, type AuditedUsers } from './audit.repository';
import { parse, print, Progress, type Command } from './command';
import { statusDifferences, type StatusDifference } from './status-differences';
import { readUserOption } from './user-option';
import { UserRangesRepository, type UserRange } from './user-ranges.repository';

/** Events looked at in one statement: what it needs stays in PostgreSQL's memory, and a million are a hundred of them. */
const EVENTS_PER_STEP = 10_000;

export const auditCommand: Command = {
  usage: 'audit [--user ID] [--json]',
  summary: 'compares every friendship status with the counted events, as of one moment; exit code 1 on any difference',
  run,
};

async function run(app: INestApplicationContext, args: string[]): Promise<number> {
  const { values } = parse(args, { user: { type: 'string' }, json: { type: 'boolean' } });
  const user = readUserOption(values.user);
  const audit = app.get(AuditRepository);
  const progress = new Progress();
  const sums = { users: 0, events: 0, differences: 0 };

  await audit.inSnapshot(async (runner) => {
    const about = await audit.estimateEvents(runner);
    const parts = user === undefined ? allUsers(app, runner) : [audit.compareUser(runner, user)];
    for await (const { users, events, wrong } of parts) {
      const differences = wrong.flatMap(statusDifferences);
      for (const difference of differences) print(values.json ? JSON.stringify(difference) : sentence(difference));
      sums.users += users;
      sums.events += events;
      sums.differences += differences.length;
      progress.update(() => `audited ${sums.users} users, ${sums.events}${about > 0 ? `/~${about}` : ''} events`);
    }
  });
  const { seconds } = progress;
  progress.end(`audited ${sums.users} users, ${sums.events} events in ${seconds} s`);
  if (user === undefined) await audit.record(sums);
  if (values.json) print(JSON.stringify({ ...sums, seconds }));
  else print(sums.differences === 0 ? 'no differences' : `differences: ${sums.differences}`);
  return sums.differences === 0 ? 0 : 1;
}

async function* allUsers(app: INestApplicationContext, runner: QueryRunner): AsyncGenerator<AuditedUsers> {
  const ranges = app.get(UserRangesRepository);
  for (let range: UserRange | undefined; (range = await ranges.next(runner, range, EVENTS_PER_STEP));) {
    yield await app.get(AuditRepository).compareRange(runner, range);
  }
}

function sentence({ user_id, what, expected, got }: StatusDifference): string {
  return `${user_id}  ${what}: expected ${expected ?? 'none'}, got ${got ?? 'none'}`;
}
