import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { errorCode } from '../errors/describe';
import { TelemetryChannel } from '../messaging/telemetry-channel';
import { ProcessFiguresReader, type ProcessFigures } from './process-figures';

/** How often each process says how it is, milliseconds. */
export const TELEMETRY_INTERVAL = 2_000;

/**
 * Says at intervals how this process is, to whoever listens (the apis that serve the operators' page). Reading takes well below a
 * millisecond; no message pays for it.
 */
@Injectable()
export class Telemetry implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Telemetry');
  private readonly listeners: ((figures: ProcessFigures) => void)[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly reader: ProcessFiguresReader,
    private readonly channel: TelemetryChannel,
  ) {}

  /** Calls `listener` with what this process says, whether the broker is there or not. */
  onFigures(listener: (figures: ProcessFigures) => void): void {
    this.listeners.push(listener);
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.tell(), TELEMETRY_INTERVAL).unref();
  }

  /** To the end, so that the page shows who drains. */
  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  private async tell(): Promise<void> {
    try {
      const figures = await this.reader.read();
      for (const listener of this.listeners) listener(figures);
      this.channel.publish(Buffer.from(JSON.stringify(figures)));
    } catch (error) {
      this.logger.warn({ msg: 'no telemetry', code: errorCode(error) });
    }
  }
}
