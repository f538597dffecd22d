/** Every error that callers see, by its stable code. `docs/errors.md` lists the same codes; a test compares. */
export const ERROR_CATALOGUE = {
  MALFORMED_JSON: { status: 400, title: 'The body is not valid JSON' },
  BAD_REQUEST: { status: 400, title: 'The request could not be read' },
  UNAUTHORIZED: { status: 401, title: 'A valid key is needed' },
  FORBIDDEN: { status: 403, title: 'The request did not come from the page' },
  ROUTE_NOT_FOUND: { status: 404, title: 'There is no such route' },
  CONVERSATION_NOT_FOUND: { status: 404, title: 'There is no such conversation' },
  FRIENDSHIP_NOT_FOUND: { status: 404, title: 'There is no friendship with this user yet' },
  CONVERSATION_CONFLICT: { status: 409, title: 'The conversation exists with other content' },
  CONVERSATION_ERASED: { status: 410, title: 'The conversation was erased' },
  BODY_TOO_LARGE: { status: 413, title: 'The body is too large' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The body must be JSON' },
  VALIDATION_FAILED: { status: 422, title: 'The request is not valid' },
  TOO_MANY_REQUESTS: { status: 429, title: 'Too many requests' },
  INTERNAL_ERROR: { status: 500, title: 'Something unexpected happened' },
  DATABASE_UNAVAILABLE: { status: 503, title: 'The database is away; try again' },
} as const;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** One field that is not as expected. `got` names type and length, never a text that somebody may have said. */
export interface FieldProblem {
  readonly field: string;
  readonly expected: string;
  readonly got: string;
}

/** An error with a stable code, which callers branch on. Its message never contains conversation text. */
export class CodedError extends Error {
  constructor(
    readonly code: ErrorCode,
    detail: string,
    readonly fields: readonly FieldProblem[] = [],
    options?: ErrorOptions,
  ) {
    super(detail, options);
    this.name = 'CodedError';
  }
}
