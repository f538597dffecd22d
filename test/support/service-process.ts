/** Runs the built service as a process of its own, as an operator does. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from './until';

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly context?: string;
  readonly [field: string]: unknown;
}

export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
  readonly text: string;
}

const ROOT = join(__dirname, '..', '..');

/** Processes of this test file that have not ended; see {@link stopAll}. */
const running = new Set<ServiceProcess>();

export class ServiceProcess {
  /** Every line of the process, stdout and stderr, as it came. */
  readonly lines: string[] = [];
  readonly log: LogLine[] = [];
  url = '';
  private readonly exited: Promise<number | string>;

  private constructor(private readonly child: ChildProcess) {
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface(stream).on('line', (line) => this.read(line));
    }
    // `close` comes after the last line.
    this.exited = once(child, 'close').then(([code, signal]) => (signal ?? code) as number | string);
    void this.exited.then(() => running.delete(this));
  }

  /** Starts a process and waits until it listens. */
  static async start(
    role: 'api' | 'worker' | 'all',
    variables: Readonly<Record<string, string>>,
  ): Promise<ServiceProcess> {
    const service = ServiceProcess.spawn(role, variables);
    const line = await Promise.race([
      until('the service to listen', () => service.log.find(({ msg }) => msg === 'listening'), 30),
      service.exited.then((code) => {
        throw new Error(`the service ended with ${code}: ${service.lines.slice(-5).join('\n')}`);
      }),
    ]);
    service.url = String(line.url);
    return service;
  }

  /** Starts a process and waits for nothing. */
  static spawn(role: string, variables: Readonly<Record<string, string>>): ServiceProcess {
    const { PATH } = process.env;
    const child = spawn(process.execPath, [join(ROOT, 'dist', 'main.js')], {
      env: { PATH, ...variables, APP_ROLE: role },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const service = new ServiceProcess(child);
    running.add(service);
    return service;
  }

  /** Waits until `/health/ready` answers 200 with nothing degraded. */
  async ready(seconds = 15): Promise<this> {
    await until(
      `${this.url} to be ready`,
      async () => (await this.get('/health/ready').catch(() => undefined))?.body.status === 'ok',
      seconds,
    );
    return this;
  }

  get<T = Record<string, unknown>>(path: string, headers: Record<string, string> = {}): Promise<Answer<T>> {
    return this.request('GET', path, undefined, headers);
  }

  /** A string or a Buffer is sent as it is, anything else as JSON. */
  post<T = Record<string, unknown>>(
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    return this.request('POST', path, body, { 'content-type': 'application/json', ...headers });
  }

  async request<T>(method: string, path: string, body: unknown, headers: Record<string, string>): Promise<Answer<T>> {
    const raw = typeof body === 'string' || Buffer.isBuffer(body);
    const response = await fetch(this.url + path, {
      method,
      headers: { connection: 'close', ...headers },
      body: body === undefined ? undefined : raw ? (body as string) : JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    const json = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, text, body: (json ? JSON.parse(text) : {}) as T };
  }

  /** Waits for a log line. */
  logged(what: string, matches: (line: LogLine) => boolean, seconds = 15): Promise<LogLine> {
    return until(`the log line: ${what}`, () => this.log.find(matches), seconds);
  }

  /** Sends a signal and waits for the end. @returns the exit code, or the signal that ended it */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    this.child.kill(signal);
    return this.exited;
  }

  /** @returns the exit code, or the signal that ended it */
  ended(): Promise<number | string> {
    return this.exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  private read(line: string): void {
    this.lines.push(line);
    try {
      this.log.push(JSON.parse(line) as LogLine);
    } catch {
      // not a log line: a start that failed writes plain text
    }
  }
}

/** For `afterEach` or `afterAll`: ends what a test left running. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((service) => service.stop('SIGKILL')));
}
