import { setTimeout as delay } from 'node:timers/promises';
import { Body, Controller, Delete, HttpCode, Inject, Post, Req, Res, UseGuards, VERSION_NEUTRAL } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CodedError, type FieldProblem } from '../../errors/coded-error';
import { describeType } from '../../errors/describe';
import { Public } from '../../http/api-key.guard';
import { LoginThrottle } from './login-throttle';
import { OperatorActions } from './operator-actions';
import { OPERATOR_NAME, OperatorSessions } from './operator-session';
import { OperatorGuard, WithoutSession } from './operator.guard';

/** How long the answer to a wrong key takes, milliseconds. */
const WRONG_KEY_PAUSE = 1_000;

/** Login and logout. */
@Public()
@ApiExcludeController()
@UseGuards(OperatorGuard)
@Controller({ path: 'ops/api/session', version: VERSION_NEUTRAL })
export class SessionController {
  private readonly throttle = new LoginThrottle();

  constructor(
    @Inject(OperatorSessions) private readonly sessions: OperatorSessions,
    private readonly actions: OperatorActions,
  ) {}

  /** @throws CodedError `VALIDATION_FAILED`, `UNAUTHORIZED`, `TOO_MANY_REQUESTS` */
  @Post()
  @WithoutSession()
  @HttpCode(204)
  async logIn(
    @Body() body: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const { key, operator } = readLogin(body);
    const wait = this.throttle.wait(request.ip);
    if (wait > 0) {
      void reply.header('Retry-After', String(wait));
      throw new CodedError('TOO_MANY_REQUESTS', `Expected fewer wrong keys; try again in ${wait} s.`);
    }
    if (!this.sessions.acceptsKey(key)) {
      this.throttle.failed(request.ip);
      await Promise.all([this.actions.recordLogin(operator, false), delay(WRONG_KEY_PAUSE)]);
      throw new CodedError('UNAUTHORIZED', 'Expected the OPERATOR_KEY of this service.');
    }
    await this.actions.recordLogin(operator, true);
    void reply.header('Set-Cookie', this.sessions.begin(operator, isEncrypted(request)));
  }

  @Delete()
  @HttpCode(204)
  logOut(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): void {
    void reply.header('Set-Cookie', this.sessions.end(isEncrypted(request)));
  }
}

/** TLS ends before the service, at a proxy that says so. Whoever says so without one only keeps the cookie from himself. */
function isEncrypted({ headers, protocol }: FastifyRequest): boolean {
  return protocol === 'https' || headers['x-forwarded-proto'] === 'https';
}

function readLogin(body: unknown): { key: string; operator: string } {
  const { key, operator } = (body ?? {}) as { key?: unknown; operator?: unknown };
  const problems: FieldProblem[] = [];
  if (typeof key !== 'string' || key === '' || key.length > 256) {
    problems.push({ field: 'key', expected: 'a string of 1 to 256 characters', got: describeType(key) });
  }
  const name = typeof operator === 'string' ? operator.normalize('NFC').trim() : '';
  if (!OPERATOR_NAME.test(name)) {
    problems.push({ field: 'operator', expected: 'a name of 1 to 64 visible characters', got: describeType(operator) });
  }
  if (problems.length > 0) {
    throw new CodedError('VALIDATION_FAILED', `${problems.length} field(s) are not as expected.`, problems);
  }
  return { key: key as string, operator: name };
}
