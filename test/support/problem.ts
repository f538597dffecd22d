import { ERROR_CATALOGUE, type ErrorCode, type FieldProblem } from '../../src/errors/coded-error';
import type { Answer } from './service-process';

/**
 * Expects an RFC 9457 problem whose code stands in the catalogue, with its status; fields with what was expected and got.
 * @returns the problems of its fields
 */
export function expectProblem(answer: Answer<unknown>, ...codes: ErrorCode[]): readonly FieldProblem[] {
  const problem = answer.body as { code: ErrorCode; status: number; errors?: FieldProblem[] };
  expect({ text: answer.text, type: answer.headers.get('content-type') }).toMatchObject({
    type: expect.stringMatching(/^application\/problem\+json/),
  });
  expect(problem).toMatchObject({
    type: expect.stringMatching(/./),
    title: expect.stringMatching(/./),
    detail: expect.stringMatching(/./),
    status: answer.status,
  });
  expect(Object.keys(ERROR_CATALOGUE)).toContain(problem.code);
  expect(answer.status).toBe(ERROR_CATALOGUE[problem.code].status);
  if (codes.length > 0) expect(codes).toContain(problem.code);
  if (problem.code === 'VALIDATION_FAILED') expect(problem.errors).not.toHaveLength(0);
  for (const field of problem.errors ?? []) {
    expect(field).toEqual({ field: expect.any(String), expected: expect.any(String), got: expect.any(String) });
  }
  return problem.errors ?? [];
}
