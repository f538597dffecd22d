import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { ConnectionLimitRepository } from '../database/connection-limit.repository';
import { ConnectionBudgetCheck } from './connection-budget-check';
import { HealthController } from './health.controller';
import { Readiness } from './readiness';

@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [Readiness, ConnectionBudgetCheck, ConnectionLimitRepository],
})
export class HealthModule {}
