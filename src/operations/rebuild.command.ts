import type { INestApplicationContext } from '@nestjs/common';
import { QueryRunners } from '../database/query-runners';
import { parse, print, Progress, type Command } from './command';
import { RebuildRepository, type RebuiltStatus } from './rebuild.repository';
import { readUserOption } from './user-option';
import { UserRangesRepository, type UserRange } from './user-ranges.repository';

/** Events read in one transaction: workers that count a conversation of the same users wait for it, some milliseconds. */
const EVENTS_PER_STEP = 1_000;

export const rebuildCommand: Command = {
  usage: 'rebuild [--user ID] [--json]',
  summary:
    'restores the friendship statuses from the counted events, while workers go on; may be interrupted and repeated',
  run,
};

async function run(app: INestApplicationContext, args: string[]): Promise<void> {
  const { values } = parse(args, { user: { type: 'string' }, json: { type: 'boolean' } });
  const user = readUserOption(values.user);
  const progress = new Progress();
  const sums = { users: 0, events: 0, corrected: 0, created: 0, removed: 0 };

  for await (const users of user === undefined ? allUsers(app) : [[user]]) {
    const { users: found, events, rebuilt } = await app.get(RebuildRepository).rebuild(users);
    for (const status of rebuilt) {
      print(values.json ? JSON.stringify(status) : sentence(status));
      sums[status.result]++;
    }
    sums.users += found;
    sums.events += events;
    progress.update(() => `rebuilt ${sums.users} users, ${sums.events} events`);
  }
  const { seconds } = progress;
  progress.end(`rebuilt ${sums.users} users, ${sums.events} events in ${seconds} s`);
  if (values.json) print(JSON.stringify({ ...sums, seconds }));
  else if (user !== undefined && sums.users === 0) print(`${user}  has no counted conversation and no status`);
  else print(`corrected: ${sums.corrected}, created: ${sums.created}, removed: ${sums.removed}`);
}

async function* allUsers(app: INestApplicationContext): AsyncGenerator<string[]> {
  const ranges = app.get(UserRangesRepository);
  const repository = app.get(RebuildRepository);
  const queryRunners = app.get(QueryRunners);
  for (let range: UserRange | undefined; ;) {
    range = await queryRunners.use((runner) => ranges.next(runner, range, EVENTS_PER_STEP));
    if (!range) return;
    const found = range;
    const users = await queryRunners.use((runner) => repository.users(runner, found));
    if (users.length > 0) yield users;
  }
}

function sentence({ user_id, result }: RebuiltStatus): string {
  return `${user_id}  ${result}`;
}
