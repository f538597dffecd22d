import { Global, Module } from '@nestjs/common';
import { Metrics } from './metrics';

/** The instruments, for everybody who has something to measure. */
@Global()
@Module({ providers: [Metrics], exports: [Metrics] })
export class MetricsModule {}
