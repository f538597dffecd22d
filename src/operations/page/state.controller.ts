import { Controller, Get, Res, UseGuards, VERSION_NEUTRAL } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Public } from '../../http/api-key.guard';
import { LiveState } from './live-state';
import type { Session } from './operator-session';
import { CurrentSession, OperatorGuard } from './operator.guard';
import type { State } from './state';
import { StateStream } from './state-stream';

/** How the whole service is: once, or again and again. */
@Public()
@ApiExcludeController()
@UseGuards(OperatorGuard)
@Controller({ path: 'ops/api', version: VERSION_NEUTRAL })
export class StateController {
  constructor(
    private readonly live: LiveState,
    private readonly states: StateStream,
  ) {}

  @Get('state')
  state(): Promise<State> {
    return this.live.look();
  }

  @Get('stream')
  async stream(@CurrentSession() { until }: Session, @Res() reply: FastifyReply): Promise<void> {
    const stream = await this.states.open(until);
    // Proxies must hand every event on at once.
    void reply.header('Content-Type', 'text/event-stream').header('X-Accel-Buffering', 'no').send(stream);
  }
}
