import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { DatabaseMonitor } from '../database/database-monitor';
import { errorCode } from '../errors/describe';
import { HEADERS } from '../messaging/incoming-message';
import { Publisher } from '../messaging/publisher';
import type { LaneName } from '../messaging/topology';
import { Metrics } from '../observability/metrics';
import { AnalysisService } from '../scoring/analysis.service';
import { EventPublisher } from './event-publisher';
import { Lanes } from './lanes';
import { QueuePassage } from './queue-passage';
import { ReplayedLetters } from './replayed-letters';
import { SweeperRepository, type DueEvent, type Passage } from './sweeper.repository';

const SWEPT = { [HEADERS.swept]: true };

/** The pause between two rounds, milliseconds: an event that missed its publish waits about this long once the broker is back. */
const INTERVAL = 1_000;

/** Events published in one round. With the interval this paces a flood: at most so many a second from each replica. */
const EVENTS_PER_ROUND = 500;

/**
 * Publishes what is stored but not queued: events whose publish failed, and events that the queue has passed without anybody
 * settling them (the api died before publishing, the queue was deleted). A queue that is merely long has not passed them.
 * Every replica may sweep; the database gives each event to one. An event published twice is still counted once.
 */
@Injectable()
export class Sweeper implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Sweeper');
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    private readonly repository: SweeperRepository,
    private readonly events: EventPublisher,
    private readonly publisher: Publisher,
    private readonly passage: QueuePassage,
    private readonly letters: ReplayedLetters,
    private readonly database: DatabaseMonitor,
    private readonly metrics: Metrics,
    private readonly analysis: AnalysisService,
    private readonly lanes: Lanes,
  ) {}

  onApplicationBootstrap(): void {
    this.running = this.run();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await delay(INTERVAL * (0.75 + Math.random() / 2), undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted || !this.database.state.up || !this.events.ready) continue;
      await this.round().catch((error: unknown) => this.logger.warn({ msg: 'round failed', code: errorCode(error) }));
    }
  }

  private async round(): Promise<void> {
    const first = await this.passageOf('processing');
    await this.sweep('processing', first);
    // An event that lacks something may be in either queue: it may not have been forwarded yet.
    if (this.analysis.available) await this.sweep('analysis', earliest(first, await this.passageOf('analysis')));
    await this.letters.publishDue();
  }

  private async sweep(lane: LaneName, passage: Passage): Promise<void> {
    if (passage !== 'unknown') await this.markPassed(lane, passage);
    const due = await this.repository.takeDue(lane, passage, EVENTS_PER_ROUND);
    if (due.length > 0) await this.publish(due);
  }

  /** Only workers see deliveries; the api republishes just what it knows was never queued. */
  private async passageOf(lane: LaneName): Promise<Passage> {
    if (this.environment.APP_ROLE === 'api') return 'unknown';
    if ((await this.publisher.queueLength(lane)) === 0) return 'empty';
    return this.passage.passedUntil(lane) ?? 'unknown';
  }

  private async markPassed(lane: LaneName, passage: Passage): Promise<void> {
    for (let more = true; more && !this.stopping.signal.aborted;) {
      const step = await this.repository.markPassed(lane, passage);
      if (step.marked > 0) this.logger.warn({ msg: 'events were not queued', events: step.marked });
      more = step.more;
    }
  }

  private async publish(due: readonly DueEvent[]): Promise<void> {
    // A copy of the headers for each: tracing writes into them.
    const results = await Promise.allSettled(
      due.map((event) =>
        this.events.publish(event, this.lanes.of(event, event.child_line ?? ''), event.enqueued_at, { ...SWEPT }),
      ),
    );
    const failed = due.filter((_, index) => results[index].status === 'rejected');
    if (failed.length > 0) await this.repository.putBack(failed.map(({ conversation_id }) => conversation_id));
    this.metrics.of.republished.inc(due.length - failed.length);
    this.logger.log({ msg: 'published again', events: due.length - failed.length, failed: failed.length });
  }
}

/** As far as both have come. */
function earliest(one: Passage, other: Passage): Passage {
  if (one === 'unknown' || other === 'unknown') return 'unknown';
  if (one === 'empty' || other === 'empty') return one === 'empty' ? other : one;
  return one < other ? one : other;
}
