/** What every command of the CLI has in common. */
import { parseArgs } from 'node:util';
import type { INestApplicationContext } from '@nestjs/common';

/** The arguments are not as expected; the message says what was. */
export class UsageError extends Error {}

export interface Command {
  readonly usage: string;
  readonly summary: string;
  /** Writes its result to stdout and its progress to stderr. @returns the exit code, if it is not 0 */
  run(app: INestApplicationContext, args: string[]): Promise<number | void>;
}

/** A command that needs no database to begin with. */
export interface StandaloneCommand extends Omit<Command, 'run'> {
  readonly standalone: true;
  run(args: string[]): Promise<number | void>;
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

type Options = NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>['options']>;

export interface Arguments {
  readonly values: Record<string, unknown>;
  readonly positionals: string[];
}

/** @throws UsageError for an option that the command does not have, or that comes twice, and for more than `mostPositionals` other arguments */
export function parse(args: string[], options: Options, mostPositionals = 0): Arguments {
  let parsed: Arguments & { readonly tokens: readonly { readonly kind: string; readonly name?: string }[] };
  try {
    parsed = parseArgs({ args, options, strict: true, allowPositionals: true, tokens: true });
  } catch (error) {
    const names = Object.keys(options).map((name) => `--${name}`);
    const problem = (error as Error).message.split(/\.\s/)[0];
    const [, name] = /^Option '(--[\w-]+).*argument is ambiguous/.exec(problem) ?? [];
    if (name) throw new UsageError(`${name}: expected a value, got ${args[args.indexOf(name) + 1]}`);
    throw new UsageError(`${problem}; expected: ${names.join(', ')}`);
  }
  const named = parsed.tokens.flatMap(({ kind, name }) => (kind === 'option' ? [name] : []));
  const twice = named.find((name, index) => name && named.indexOf(name) !== index && !options[name].multiple);
  if (twice !== undefined) throw new UsageError(`--${twice}: expected it once, got it more than once`);
  const tooMuch = parsed.positionals[mostPositionals];
  if (tooMuch !== undefined) throw new UsageError(`expected no argument of this kind, got ${JSON.stringify(tooMuch)}`);
  return parsed;
}

/** @throws UsageError */
export function oneOf(name: string, value: unknown, allowed: readonly string[]): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && allowed.includes(value)) return value;
  throw new UsageError(`${name}: expected one of ${allowed.join(', ')}, got ${JSON.stringify(value)}`);
}

/** The pause between two lines of progress, milliseconds: often enough to see that it lives. */
const PROGRESS_INTERVAL = 1_000;

/** Tells on stderr how far a command has come: now and then, and at its end. */
export class Progress {
  private readonly startedAt = performance.now();
  private toldAt = this.startedAt;

  update(tell: () => string): void {
    const now = performance.now();
    if (now - this.toldAt < PROGRESS_INTERVAL) return;
    this.toldAt = now;
    process.stderr.write(`${tell()}\n`);
  }

  end(line: string): void {
    process.stderr.write(`${line}\n`);
  }

  /** Since the command began, with milliseconds. */
  get seconds(): number {
    return Math.round(performance.now() - this.startedAt) / 1000;
  }
}
