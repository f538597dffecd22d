import { Module } from '@nestjs/common';
import { BacklogRepository } from './backlog.repository';
import { MetricsController } from './metrics.controller';
import { RuntimeGauges } from './runtime-gauges';

/** `/metrics`: serves the instruments, and reads what is a state at the moment it is asked. */
@Module({ controllers: [MetricsController], providers: [BacklogRepository, RuntimeGauges] })
export class ScrapeModule {}
