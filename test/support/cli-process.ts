import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** The operators' tool as a process that a test can end before it is done. */
export class CliProcess {
  private readonly child: ChildProcess;
  readonly ended: Promise<number | string>;

  constructor(variables: Readonly<Record<string, string>>, ...args: string[]) {
    const { PATH } = process.env;
    const cli = join(__dirname, '..', '..', 'dist', 'cli.js');
    this.child = spawn(process.execPath, [cli, ...args], { env: { PATH, ...variables }, stdio: 'ignore' });
    this.ended = once(this.child, 'close').then(([code, signal]) => (signal ?? code) as number | string);
  }

  kill(): Promise<number | string> {
    this.child.kill('SIGKILL');
    return this.ended;
  }
}

/** What a command run with --json says in its last line. */
export function summaryOf({ stdout }: { stdout: string }): Record<string, number> {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Record<string, number>;
}
