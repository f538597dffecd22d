import type { LoggerService } from '@nestjs/common';
import { destination, pino, stdTimeFunctions, type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { Environment } from '../config/environment';
import { tracing } from './trace-hooks';

/** How long to wait for a reader of the log that is stuck or gone before the process ends, milliseconds. */
const END_TIMEOUT = 1_000;

/** The process's logger: one JSON object a line, written in the background, or coloured text. */
export function createLogger(environment: Environment): QuietStartLogger {
  const options = {
    level: environment.LOG_LEVEL,
    base: { role: environment.APP_ROLE, pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    ...(tracing.hooks ? { mixin: tracing.hooks.logFields } : {}),
  };
  if (environment.LOG_FORMAT === 'pretty') {
    const text = pretty({
      ignore: 'pid,role,context',
      messageFormat: '[{context}] {msg}',
      singleLine: true,
      sync: true,
    });
    return new QuietStartLogger(pino(options, text), () => Promise.resolve());
  }
  const output = destination({ sync: false });
  // At exit, pino itself writes what still waits, without waiting for the write that is under way: lines change places.
  const writeAll = () =>
    new Promise<void>((resolve) => {
      output.once('close', resolve);
      setTimeout(resolve, END_TIMEOUT);
      output.end();
    });
  return new QuietStartLogger(pino(options, output), writeAll);
}

/** Lets Nest and everything that uses its `Logger` write to pino. A message is a text, or an object with `msg` and more. */
export class PinoLoggerService implements LoggerService {
  private ended = false;

  /** @param writeAll resolves when all lines are written, or nobody reads them */
  constructor(
    private readonly logger: Logger,
    private readonly writeAll: () => Promise<void>,
  ) {}

  /** Resolves when all lines are written, or nobody reads them. Whatever is logged from now on is left out: the process ends. */
  end(): Promise<void> {
    this.ended = true;
    return this.writeAll();
  }

  log = (message: unknown, ...rest: unknown[]) => this.write('info', message, rest);
  error = (message: unknown, ...rest: unknown[]) => this.write('error', message, rest);
  warn = (message: unknown, ...rest: unknown[]) => this.write('warn', message, rest);
  debug = (message: unknown, ...rest: unknown[]) => this.write('debug', message, rest);
  verbose = (message: unknown, ...rest: unknown[]) => this.write('trace', message, rest);
  fatal = (message: unknown, ...rest: unknown[]) => this.write('fatal', message, rest);

  /** The last extra argument is the context. Stacks that Nest passes are left out: their first line may quote anything. */
  private write(
    level: 'info' | 'error' | 'warn' | 'debug' | 'trace' | 'fatal',
    message: unknown,
    rest: unknown[],
  ): void {
    if (this.ended || !this.logger.isLevelEnabled(level)) return;
    const last = rest.at(-1);
    const context = typeof last === 'string' ? last : undefined;
    const fields = typeof message === 'object' && message !== null ? message : { msg: String(message) };
    this.logger[level]({ context, ...fields });
  }
}

/** Framework chatter that repeats at every start is for debugging. */
const FRAMEWORK_CONTEXTS = new Set([
  'NestFactory',
  'InstanceLoader',
  'RouterExplorer',
  'RoutesResolver',
  'NestApplication',
  'NestMicroservice',
]);

/** Like {@link PinoLoggerService}, with Nest's own start-up lines at debug level. */
export class QuietStartLogger extends PinoLoggerService {
  constructor(logger: Logger, writeAll: () => Promise<void>) {
    super(logger, writeAll);
    const { log, debug } = this;
    this.log = (message, ...rest) => (FRAMEWORK_CONTEXTS.has(String(rest.at(-1))) ? debug : log)(message, ...rest);
  }
}
