import { Body, Controller, Get, HttpCode, Post, Query, UseGuards, VERSION_NEUTRAL } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Public } from '../../http/api-key.guard';
import { toActionState } from './build-state';
import { FailuresRepository, type FailureGroup, type Letter } from './failures.repository';
import { LiveState } from './live-state';
import { OperatorActions } from './operator-actions';
import { OperatorActionsRepository } from './operator-actions.repository';
import type { Session } from './operator-session';
import { CurrentSession, OperatorGuard } from './operator.guard';
import { readLettersQuery, readOrder } from './orders';
import type { ActionState } from './state';

const LISTED_ACTIONS = 50;

/** Dead letters: looked at in groups and one by one, replayed and discarded; and what operators did. */
@Public()
@ApiExcludeController()
@UseGuards(OperatorGuard)
@Controller({ path: 'ops/api', version: VERSION_NEUTRAL })
export class FailuresController {
  constructor(
    private readonly failures: FailuresRepository,
    private readonly actions: OperatorActions,
    private readonly recorded: OperatorActionsRepository,
    private readonly live: LiveState,
  ) {}

  @Get('failures')
  async groups(): Promise<{ groups: FailureGroup[] }> {
    return { groups: await this.failures.groups() };
  }

  /** @throws CodedError `VALIDATION_FAILED` */
  @Get('failures/letters')
  async letters(@Query() query: unknown): Promise<{ letters: Letter[]; next_cursor: string | null }> {
    const { reason, errorCode, before, limit } = readLettersQuery(query);
    const letters = await this.failures.letters(reason, errorCode, before, limit + 1);
    const page = letters.slice(0, limit);
    return { letters: page, next_cursor: letters.length > limit ? page[limit - 1].dead_letter_id : null };
  }

  /** @throws CodedError `VALIDATION_FAILED`, `TOO_MANY_REQUESTS` */
  @Post('failures/replay')
  @HttpCode(202)
  async replay(@CurrentSession() { operator }: Session, @Body() body: unknown): Promise<{ action_id: string }> {
    const { selection } = readOrder(body, 'replay');
    return this.begun(await this.actions.begin({ operator, action: 'replay', selection }));
  }

  /** @throws CodedError `VALIDATION_FAILED`, `TOO_MANY_REQUESTS` */
  @Post('failures/discard')
  @HttpCode(202)
  async discard(@CurrentSession() { operator }: Session, @Body() body: unknown): Promise<{ action_id: string }> {
    const { selection, note } = readOrder(body, 'discard');
    return this.begun(await this.actions.begin({ operator, action: 'discard', selection, note }));
  }

  /** The newest first, logins included. */
  @Get('actions')
  async list(): Promise<{ actions: ActionState[] }> {
    const actions = await this.recorded.list(LISTED_ACTIONS, false);
    return { actions: actions.map(toActionState) };
  }

  private begun(actionId: string): { action_id: string } {
    this.live.expire();
    return { action_id: actionId };
  }
}
