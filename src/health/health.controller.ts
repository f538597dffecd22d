import { Controller, Get, Res, ServiceUnavailableException, VERSION_NEUTRAL } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { HealthCheckService } from '@nestjs/terminus';
import type { FastifyReply } from 'fastify';
import { Public } from '../http/api-key.guard';
import { Readiness } from './readiness';

@Public()
@ApiTags('health')
@Controller({ path: 'health', version: VERSION_NEUTRAL })
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly readiness: Readiness,
  ) {}

  @Get(['', 'live'])
  @ApiOperation({ summary: 'The process runs; asks nothing external' })
  @ApiResponse({ status: 200, description: 'Alive', example: { status: 'ok' } })
  live(): { status: string; uptime_seconds: number } {
    return { status: 'ok', uptime_seconds: Math.round(process.uptime()) };
  }

  @Get('ready')
  @ApiOperation({ summary: 'Whether this process can do its work; says which part cannot, and since when' })
  @ApiResponse({ status: 200, description: 'Ready; `degraded` when the api does without a part' })
  @ApiResponse({ status: 503, description: 'Not ready' })
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    try {
      const result = await this.health.check(this.readiness.indicators());
      const degraded = Object.values(result.details).some((part) => part.degraded === true);
      return { ...result, status: degraded ? 'degraded' : result.status };
    } catch (error) {
      if (!(error instanceof ServiceUnavailableException)) throw error;
      void reply.status(503);
      return error.getResponse() as object;
    }
  }
}
