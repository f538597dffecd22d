import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { ERROR_CATALOGUE, type ErrorCode } from '../errors/coded-error';
import { toProblem } from './problem';

/** Documents the errors that a route answers, one example each. */
export function problemResponse(...codes: ErrorCode[]): MethodDecorator {
  return applyDecorators(
    ...codes.map((code) =>
      ApiResponse({
        status: ERROR_CATALOGUE[code].status,
        description: ERROR_CATALOGUE[code].title,
        content: { 'application/problem+json': { example: toProblem(code, ERROR_CATALOGUE[code].title) } },
      }),
    ),
  );
}
