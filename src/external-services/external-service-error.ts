/** The services that this one may call. The name begins the code of every failure. */
export type ServiceName = 'ANALYSIS_LLM' | 'MEMORY_API' | 'CONVERSATION_API';

/** What can go wrong with a call. `docs/errors.md` lists the same words; a test compares. */
export const FAILURES = [
  'TIMEOUT',
  'UNREACHABLE',
  'RATE_LIMITED',
  'SERVER_ERROR',
  'DENIED',
  'REFUSED',
  'REDIRECTED',
  'TOO_LARGE',
  'UNEXPECTED_ANSWER',
  'CIRCUIT_OPEN',
  'ABORTED',
] as const;
export type Failure = (typeof FAILURES)[number];

/** A call that came to nothing. Its message says what was expected and got, never a word of what was sent or answered. */
export class ExternalServiceError extends Error {
  /** For rows, headers and logs, such as `MEMORY_API_TIMEOUT`. */
  readonly code: string;

  constructor(
    readonly service: ServiceName,
    readonly failure: Failure,
    detail: string,
    /** How long the service asked to be left alone, milliseconds, and the error behind this one. */
    readonly options: ErrorOptions & { readonly retryAfter?: number } = {},
  ) {
    super(`${service}: ${detail}`, options);
    this.name = 'ExternalServiceError';
    this.code = `${service}_${failure}`;
  }
}
