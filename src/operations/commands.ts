/** The CLI's commands by name. Each takes its arguments and writes to stdout. */
import { auditCommand } from './audit.command';
import type { Command, StandaloneCommand } from './command';
import { discardDeadLetters, replayDeadLetters } from './dead-letters-settle.commands';
import { listDeadLetters, showDeadLetter } from './dead-letters-view.commands';
import { eraseUserCommand } from './erase-user.command';
import { planCommand } from './plan.command';
import { importCommand } from './import.command';
import { rebuildCommand } from './rebuild.command';
import { importTopics } from './topics.command';
import { tuneCommand } from './tune.command';

export const COMMANDS: Readonly<Record<string, Command | StandaloneCommand>> = {
  'topics import': importTopics,
  'dead-letters list': listDeadLetters,
  'dead-letters show': showDeadLetter,
  'dead-letters replay': replayDeadLetters,
  'dead-letters discard': discardDeadLetters,
  audit: auditCommand,
  rebuild: rebuildCommand,
  'erase-user': eraseUserCommand,
  import: importCommand,
  plan: planCommand,
  tune: tuneCommand,
};

/** @returns the command that the arguments begin with, and the arguments after its name */
export function findCommand(args: string[]): { command: Command | StandaloneCommand | undefined; rest: string[] } {
  for (const words of [2, 1]) {
    const name = args.slice(0, words).join(' ');
    if (Object.hasOwn(COMMANDS, name)) return { command: COMMANDS[name], rest: args.slice(words) };
  }
  return { command: undefined, rest: args };
}
