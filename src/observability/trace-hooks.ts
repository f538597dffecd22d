/**
 * Where tracing is plugged in. Without the preload (`tracing.ts`) nothing is: no module of OpenTelemetry is loaded, and each of these
 * places costs the check of an undefined. No types of OpenTelemetry in here, so that nobody loads it by an import.
 */

/** A place in a trace; only tracing looks inside. */
export type TraceOrigin = object;

export interface TraceHooks {
  /** `trace_id` and `span_id` of what is going on, for a log line; empty outside of a trace. */
  readonly logFields: () => Record<string, string>;
  /** Names the request under way by its route's pattern, which has names where a path has ids. */
  readonly route: (pattern: string | undefined) => void;
  /** What is going on failed, and why, as a code. */
  readonly failed: (code: string) => void;
  /** Where the caller is in its trace, to come back to. */
  readonly here: () => TraceOrigin | undefined;
  /** `work`, to be run later by somebody else, as a part of the caller's trace. */
  readonly bind: <F extends (...args: never[]) => unknown>(work: F) => F;
  /**
   * Runs a request to another service.
   * @param url of the service; only its host is told
   * @param work is given the headers by which the other side joins the trace
   */
  readonly request: <T>(
    service: string,
    method: string,
    url: string,
    work: (headers: Readonly<Record<string, string>>) => Promise<T>,
  ) => Promise<T>;
  /** Runs work that is done for several at once: one span, in the trace of the first, which the others' spans and it link to each other. */
  readonly together: <T>(
    name: string,
    origins: readonly (TraceOrigin | undefined)[],
    work: () => Promise<T>,
  ) => Promise<T>;
  /** Sends what has not been sent yet. Never rejects. @param within milliseconds that are left; half of them are taken at most */
  readonly flush: (within: number) => Promise<void>;
}

export const tracing: { hooks: TraceHooks | undefined } = { hooks: undefined };
