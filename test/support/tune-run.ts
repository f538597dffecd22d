import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Two points of one worker, as short as runs may be. */
const SHORT = ['--workers', '1', '--concurrency', '2,5', '--groups', '1', '--seconds', '1s', '--warm-up', '200ms'];

/** What the tests read of tune.json. */
interface TuneResult {
  readonly complete: boolean;
  readonly kind: string;
  readonly measurements: readonly {
    readonly concurrency: number;
    readonly poolSize: number;
    readonly throughput: number;
    readonly failed: number;
  }[];
  readonly answer: { readonly point: { readonly concurrency: number }; readonly env: readonly string[] } | undefined;
}

export interface TuneRun {
  readonly code: number;
  /** Every line of its progress. */
  readonly progress: readonly string[];
  /** What it says on stdout. */
  readonly answer: string;
  /** The database that it worked in. */
  readonly database: string;
  readonly result: TuneResult;
  /** The path of report.html. */
  readonly report: string;
  remove(): Promise<void>;
}

/**
 * The tuner, for real, on the servers of the tests.
 * @param options endAt: when this many points have begun, Ctrl-C is pressed, or nobody reads on as with `| head`
 */
export async function runTune(
  variables: Readonly<Record<string, string>>,
  options: { readonly endAt?: number; readonly endBy?: 'Ctrl-C' | 'nobody reads' } = {},
): Promise<TuneRun> {
  const folder = await mkdtemp(join(tmpdir(), 'friendship-tune-'));
  const cli = join(__dirname, '..', '..', 'dist', 'cli.js');
  const args = [cli, 'tune', ...SHORT, '--repeats', '2', '--out', folder];
  const { PATH } = process.env;
  const child = spawn(process.execPath, args, { env: { PATH, ...variables }, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = once(child, 'close') as Promise<[number]>;
  const progress: string[] = [];
  const printed: string[] = [];
  createInterface(child.stdout).on('line', (line) => printed.push(line));
  createInterface(child.stderr).on('line', (line) => {
    progress.push(line);
    const begun = progress.filter((said) => said.startsWith('[')).length;
    if (!line.startsWith('[') || begun !== options.endAt) return;
    if (options.endBy !== 'nobody reads') return void child.kill('SIGINT');
    child.stdout.destroy();
    child.stderr.destroy();
  });
  const [code] = await closed;
  const json = await readFile(join(folder, 'tune.json'), 'utf8').catch(() => {
    throw new Error(`the tuner ended with code ${code} and wrote no result:\n${progress.join('\n')}`);
  });
  return {
    code,
    progress,
    answer: printed.join('\n'),
    database: /in the database (\w+)/.exec(progress.join('\n'))?.[1] ?? '',
    result: JSON.parse(json) as TuneResult,
    report: join(folder, 'report.html'),
    remove: () => rm(folder, { recursive: true }),
  };
}
