import { Inject, Injectable, Logger } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { QueryRunners } from '../database/query-runners';
import { errorCode } from '../errors/describe';
import { Publisher, type OutgoingMessage } from '../messaging/publisher';
import { laneOf, type LaneName, type Topology } from '../messaging/topology';
import { TOPOLOGY } from '../messaging/tokens';
import { encodeReference } from './conversation-message';
import { ConversationEventsRepository } from './conversation-events.repository';

type Reference = { readonly conversation_id: string; readonly user_id: string; readonly bot_id: string };

/** Puts references to stored events on the queue of their lane. */
@Injectable()
export class EventPublisher {
  private readonly logger = new Logger('EventPublisher');

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(TOPOLOGY) private readonly topology: Topology,
    private readonly publisher: Publisher,
    private readonly queryRunners: QueryRunners,
    private readonly repository: ConversationEventsRepository,
  ) {}

  get ready(): boolean {
    return this.publisher.ready;
  }

  /**
   * @param enqueuedAt by the database's clock, as `accepted_at` is: the sweeper compares the two
   * @throws PublishError
   */
  publish(event: Reference, lane: LaneName, enqueuedAt: Date, headers?: OutgoingMessage['headers']): Promise<void> {
    return this.publisher.publish(
      {
        exchange: this.topology.exchange,
        routingKey: laneOf(this.topology, lane).routingKey,
        body: encodeReference(event, enqueuedAt),
        messageId: event.conversation_id,
        headers,
      },
      this.environment.PUBLISH_TIMEOUT,
    );
  }

  /**
   * Publishes, and if that fails leaves a mark for the sweeper. Never throws: the event is safe in PostgreSQL, and if even
   * the mark fails, the sweeper finds the event once the queue has passed it.
   * @returns whether the event is known to be queued
   */
  async publishOrMark(event: Reference, lane: LaneName, acceptedAt: Date): Promise<boolean> {
    try {
      await this.publish(event, lane, acceptedAt);
      return true;
    } catch (error) {
      this.logger.warn({ msg: 'not queued yet', conversation_id: event.conversation_id, code: errorCode(error) });
    }
    await this.queryRunners
      .use((runner) => this.repository.markUnpublished(runner, event.conversation_id))
      .catch(() => undefined);
    return false;
  }
}
