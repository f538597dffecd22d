import {
  BrokenCircuitError,
  CountBreaker,
  DelegateBackoff,
  TaskCancelledError,
  TimeoutStrategy,
  bulkhead,
  circuitBreaker,
  handleWhen,
  retry,
  timeout,
  wrap,
  type FailureReason,
  type IPolicy,
} from 'cockatiel';
import { Pool, errors, type Dispatcher } from 'undici';
import { tracing } from '../observability/trace-hooks';
import { Recovery } from './recovery';
import { UnexpectedAnswer } from './expected-answer';
import { ExternalServiceError, type Failure, type ServiceName } from './external-service-error';

/** Times in milliseconds, sizes in bytes. */
export interface ExternalServiceOptions {
  readonly name: ServiceName;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** For one try, from the request's first byte to the answer's last. */
  readonly tryTimeout: number;
  /** For all tries of one call and the pauses between them; waiting for a free place is not counted. */
  readonly timeout: number;
  /** Calls under way at once; the others wait, in order. */
  readonly concurrency: number;
  /** How long the service is left alone once its breaker has opened. */
  readonly breakerPause: number;
  /** A longer answer is not read to its end. */
  readonly answerLimit: number;
  /** Called after each try with its outcome (`ok`, or what failed) and seconds. */
  readonly onTry?: (outcome: 'ok' | Failure, seconds: number) => void;
}

export interface Call<T> {
  readonly method: 'GET' | 'POST';
  /** Follows the base URL's path. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** What to make of an answer of 2xx. @throws UnexpectedAnswer */
  readonly read: (body: Buffer) => T;
  /** What a 404 means; without it, a 404 is a failure like others. */
  readonly absent?: () => T;
}

/** Tries after the first one, of what can pass: time-outs, lost connections, 429 and 5xx. */
const MOST_RETRIES = 2;

/** The pause before the second try; doubled before the third, and up to half of it is left to chance. Milliseconds. */
const FIRST_PAUSE = 500;

/** The breaker opens when more than half of the last 20 tries failed, and never before there were 10. */
const BREAKER = { threshold: 0.5, size: 20, minimumNumberOfCalls: 10 };

/** A call that has ended needs no abort: that would cost an error and a stack each time. */
const AT_ONCE = { strategy: TimeoutStrategy.Aggressive, abortOnReturn: false };

const PASSING: ReadonlySet<Failure> = new Set(['TIMEOUT', 'UNREACHABLE', 'RATE_LIMITED', 'SERVER_ERROR']);

/** Says something about the one request, and nothing about the service. */
const NOT_THE_SERVICE: ReadonlySet<Failure> = new Set(['REFUSED']);

/** Statuses with which a service turns everybody away: a wrong key, a wrong path. */
const DENIES_ALL: ReadonlySet<number> = new Set([401, 403, 404, 405, 407]);

/**
 * One service over HTTP: a pool of connections, and around each call, from the outside in, a concurrency limit, a limit on the
 * time of all tries, retries, a circuit breaker, and a limit on the time of each try. It follows no redirect: what is sent goes to
 * the configured host or nowhere.
 */
export class ExternalService {
  /** Tells when the breaker opens and closes, and lets those wait who need the service. */
  readonly recovery: Recovery;
  private readonly pool: Pool;
  private readonly basePath: string;
  private readonly policy: IPolicy<{ signal: AbortSignal }>;
  /** One for each call under way: hundreds of listeners on a single signal would each be searched for in a list of hundreds. */
  private readonly underWay = new Set<AbortController>();
  private stopping = false;

  constructor(private readonly options: ExternalServiceOptions) {
    const { origin, pathname } = new URL(options.url);
    this.basePath = pathname.replace(/\/+$/, '');
    this.pool = new Pool(origin, {
      connections: options.concurrency,
      // The time limits around each try are stricter than these, which know nothing of a drip.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxResponseSize: options.answerLimit,
    });
    const breaker = circuitBreaker(
      handleWhen((error) => this.isAboutService(error)),
      { halfOpenAfter: options.breakerPause, breaker: new CountBreaker(BREAKER) },
    );
    this.recovery = new Recovery(breaker, options.breakerPause);
    this.policy = wrap(
      bulkhead(options.concurrency, Infinity),
      timeout(options.timeout, AT_ONCE),
      retry(
        handleWhen((error) => this.mayPass(error)),
        { maxAttempts: MOST_RETRIES, backoff: new DelegateBackoff(pauseBefore) },
      ),
      breaker,
      timeout(options.tryTimeout, AT_ONCE),
    );
  }

  get name(): ServiceName {
    return this.options.name;
  }

  /** @throws ExternalServiceError, and nothing else */
  async call<T>(call: Call<T>): Promise<T> {
    const controller = new AbortController();
    if (this.stopping) controller.abort();
    this.underWay.add(controller);
    try {
      const attempt = ({ signal }: { signal: AbortSignal }) => this.tryOnce(call, signal);
      // Whoever waits for a free place is let in by another call.
      return await this.policy.execute(tracing.hooks?.bind(attempt) ?? attempt, controller.signal);
    } catch (error) {
      throw this.toError(error);
    } finally {
      this.underWay.delete(controller);
    }
  }

  /** Calls under way end with `ABORTED`, and so does every later one. */
  abort(): void {
    this.stopping = true;
    for (const controller of this.underWay) controller.abort();
    this.recovery.stop();
  }

  async close(): Promise<void> {
    this.abort();
    await this.pool.destroy();
  }

  private async tryOnce<T>(call: Call<T>, signal: AbortSignal): Promise<T> {
    const startedAt = performance.now();
    const tell = (outcome: 'ok' | Failure) => this.options.onTry?.(outcome, (performance.now() - startedAt) / 1000);
    try {
      const result = await this.askTraced(call, signal);
      tell('ok');
      return result;
    } catch (error) {
      const told = this.toError(error);
      tell(signal.aborted ? (this.stopping ? 'ABORTED' : 'TIMEOUT') : told.failure);
      // Told apart in here, so that the retries and the breaker see what it was.
      throw signal.aborted ? error : told;
    }
  }

  private askTraced<T>(call: Call<T>, signal: AbortSignal): Promise<T> {
    const { name, url } = this.options;
    if (!tracing.hooks) return this.ask(call, signal);
    return tracing.hooks.request(name, call.method, url, (headers) => this.ask(call, signal, headers));
  }

  private async ask<T>(
    { method, path, body, read, absent }: Call<T>,
    signal: AbortSignal,
    traceHeaders: Readonly<Record<string, string>> = {},
  ): Promise<T> {
    const answer = await this.pool.request({
      method,
      path: this.basePath + path,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...this.options.headers,
        ...traceHeaders,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
    });
    const content = Buffer.from(await answer.body.arrayBuffer());
    if (answer.statusCode >= 200 && answer.statusCode < 300) return read(content);
    if (answer.statusCode === 404 && absent) return absent();
    throw this.statusError(answer);
  }

  private statusError({ statusCode, headers }: Dispatcher.ResponseData): ExternalServiceError {
    const detail = `expected status 200, got ${statusCode}`;
    const failure = failureOf(statusCode);
    const retryAfter = failure === 'RATE_LIMITED' || failure === 'SERVER_ERROR' ? readRetryAfter(headers) : undefined;
    return new ExternalServiceError(this.name, failure, detail, { retryAfter });
  }

  private toError(error: unknown): ExternalServiceError {
    const { name, options } = this;
    if (error instanceof ExternalServiceError) return error;
    if (error instanceof UnexpectedAnswer) return new ExternalServiceError(name, 'UNEXPECTED_ANSWER', error.message);
    if (error instanceof BrokenCircuitError) {
      return new ExternalServiceError(name, 'CIRCUIT_OPEN', 'not called, since it kept failing');
    }
    if (this.stopping) return new ExternalServiceError(name, 'ABORTED', 'the process stops');
    if (error instanceof TaskCancelledError) {
      const limits = `${options.tryTimeout} ms a try and ${options.timeout} ms in all`;
      return new ExternalServiceError(name, 'TIMEOUT', `expected an answer within ${limits}, got none`);
    }
    if (error instanceof errors.ResponseExceededMaxSizeError) {
      const detail = `expected at most ${options.answerLimit} bytes, got more`;
      return new ExternalServiceError(name, 'TOO_LARGE', detail);
    }
    return new ExternalServiceError(name, 'UNREACHABLE', 'expected an answer, got no connection', { cause: error });
  }

  private isAboutService(error: Error): boolean {
    if (this.stopping) return false;
    return !(error instanceof ExternalServiceError && NOT_THE_SERVICE.has(error.failure));
  }

  /** A service that asks for more patience than this call has is left to the message's own retry. */
  private mayPass(error: Error): boolean {
    if (error instanceof TaskCancelledError) return !this.stopping;
    if (!(error instanceof ExternalServiceError)) return false;
    return PASSING.has(error.failure) && (error.options.retryAfter ?? 0) < this.options.timeout;
  }
}

function failureOf(status: number): Failure {
  if (status === 429) return 'RATE_LIMITED';
  if (status === 408) return 'TIMEOUT';
  if (status >= 500) return 'SERVER_ERROR';
  if (status >= 400) return DENIES_ALL.has(status) ? 'DENIED' : 'REFUSED';
  return status >= 300 ? 'REDIRECTED' : 'UNEXPECTED_ANSWER';
}

function pauseBefore(context: { attempt: number; result: FailureReason<unknown> }): number {
  const error = 'error' in context.result ? context.result.error : undefined;
  const asked = error instanceof ExternalServiceError ? (error.options.retryAfter ?? 0) : 0;
  const pause = FIRST_PAUSE * 2 ** (context.attempt - 1);
  return Math.max(asked, pause * (0.5 + Math.random() / 2));
}

/** @returns milliseconds; the header has seconds or a date */
function readRetryAfter(headers: Dispatcher.ResponseData['headers']): number | undefined {
  const value = [headers['retry-after']].flat()[0];
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
