import { Controller, Get, Res, VERSION_NEUTRAL } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Public } from '../http/api-key.guard';
import { Metrics } from './metrics';
import { RuntimeGauges } from './runtime-gauges';

/** For Prometheus. It asks for no key: metrics hold no id and no text, and SECURITY.md says who may reach the path. */
@Public()
@ApiExcludeController()
@Controller({ path: 'metrics', version: VERSION_NEUTRAL })
export class MetricsController {
  constructor(
    private readonly metrics: Metrics,
    private readonly gauges: RuntimeGauges,
  ) {}

  @Get()
  async scrape(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    await this.gauges.read();
    void reply.type(this.metrics.registry.contentType);
    return this.metrics.registry.metrics();
  }
}
