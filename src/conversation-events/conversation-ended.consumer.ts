import { RabbitSubscribe } from '@golevelup/nestjs-rabbitmq';
import { Inject, Injectable } from '@nestjs/common';
import type { ConsumeMessage } from 'amqplib';
import { Deliveries, type Handler } from '../messaging/deliveries';
import { HANDLERS } from '../messaging/rabbitmq-options';
import { TOPOLOGY } from '../messaging/tokens';
import { laneOf, type LaneName, type Topology } from '../messaging/topology';
import { Metrics } from '../observability/metrics';
import { CrashGuard } from './crash-guard';
import { ConversationProcessingService } from './conversation-processing.service';

/** Where conversations arrive: one method for each lane, registered on K channels with prefetch P each. */
@Injectable()
export class ConversationEndedConsumer {
  constructor(
    @Inject(TOPOLOGY) private readonly topology: Topology,
    private readonly deliveries: Deliveries,
    private readonly guard: CrashGuard,
    private readonly processing: ConversationProcessingService,
    private readonly metrics: Metrics,
  ) {}

  @RabbitSubscribe({ name: HANDLERS.conversationEnded })
  onConversationEnded(_body: Buffer, delivery: ConsumeMessage): Promise<void> {
    return this.settle(delivery, 'processing');
  }

  @RabbitSubscribe({ name: HANDLERS.conversationToAnalyse })
  onConversationToAnalyse(_body: Buffer, delivery: ConsumeMessage): Promise<void> {
    return this.settle(delivery, 'analysis');
  }

  private settle(delivery: ConsumeMessage, lane: LaneName): Promise<void> {
    const handler: Handler = (message) =>
      this.guard.run(message, (guarded, stepAside) => {
        this.metrics.of.slotWait.observe((performance.now() - guarded.receivedAt) / 1000);
        return this.processing.process(guarded, stepAside);
      });
    return this.deliveries.settle(delivery, laneOf(this.topology, lane).queue.name, handler);
  }
}
