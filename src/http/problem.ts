import { ERROR_CATALOGUE, type ErrorCode, type FieldProblem } from '../errors/coded-error';

/** The body of every error answer: `application/problem+json` as of RFC 9457. */
export interface Problem {
  /** A URI that names the kind of problem; relative to the service. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Stable; branch on this. */
  readonly code: ErrorCode;
  /** Present when fields are not as expected. */
  readonly errors?: readonly FieldProblem[];
}

export function toProblem(code: ErrorCode, detail: string, fields: readonly FieldProblem[] = []): Problem {
  const { status, title } = ERROR_CATALOGUE[code];
  const type = `urn:friendship-service:problem:${code.toLowerCase().replaceAll('_', '-')}`;
  return { type, title, status, detail, code, ...(fields.length > 0 ? { errors: fields } : {}) };
}
