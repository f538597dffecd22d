import { Module } from '@nestjs/common';
import { ProcessFiguresReader } from './process-figures';
import { Telemetry } from './telemetry';

/** What each process says of itself at intervals, in every role. */
@Module({ providers: [ProcessFiguresReader, Telemetry], exports: [Telemetry] })
export class TelemetryModule {}
