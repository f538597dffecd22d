/** Processes of the real service, started by the tuner with the mix's synthetic work in them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Mix } from '../plan/capacity';
import type { ProcessReport } from './synthetic-work';

const MAIN = join(__dirname, '..', '..', 'main.js');
const SYNTHETIC_WORK = join(__dirname, 'synthetic-work.js');

const START_TIMEOUT = 60_000;
const POLL = 50;

export class ServiceProcess {
  readonly reports: ProcessReport[] = [];
  private readonly child: ChildProcess;
  private ending = false;

  constructor(
    role: 'api' | 'worker',
    variables: Readonly<Record<string, string>>,
    mix: Mix,
    /** Where it writes its log. */
    readonly log: string,
    onDeath: (error: Error) => void,
  ) {
    const output = openSync(log, 'w');
    const work = [`--tune-service-time=${mix.serviceTime}`, `--tune-cpu-time=${mix.cpuTime}`];
    this.child = spawn(process.execPath, ['--require', SYNTHETIC_WORK, MAIN, ...work], {
      env: { ...variables, APP_ROLE: role },
      detached: true, // Ctrl-C is for the tuner, which then ends it
      stdio: ['ignore', output, output, 'ipc'],
    });
    closeSync(output);
    this.child.on('message', (report) => this.reports.push(report as ProcessReport));
    this.child.once('exit', (code, signal) => {
      if (!this.ending) onDeath(new Error(`tune: a ${role} ended with ${signal ?? code}: ${this.lastWords()}`));
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get latest(): ProcessReport | undefined {
    return this.reports.at(-1);
  }

  /** @returns where it listens, once it does */
  async listening(signal: AbortSignal): Promise<string> {
    const deadline = Date.now() + START_TIMEOUT;
    while (Date.now() < deadline) {
      signal.throwIfAborted();
      const url = /"url":"(http[^"]+)"/.exec(readFileSync(this.log, 'latin1'))?.[1];
      if (url !== undefined) return url;
      await delay(POLL);
    }
    throw new Error(`tune: expected a process to listen within ${START_TIMEOUT / 1_000} s: ${this.lastWords()}`);
  }

  /** From now on each message waits so long for others, milliseconds: an external service that has become slower. */
  setServiceTime(serviceTime: number): void {
    this.child.send({ serviceTime });
  }

  /** At once: all that it holds belongs to the tuner and is thrown away. */
  async kill(): Promise<void> {
    this.ending = true;
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }

  private lastWords(): string {
    return readFileSync(this.log, 'utf8').trimEnd().split('\n').slice(-3).join(' | ').slice(0, 1_500);
  }
}
