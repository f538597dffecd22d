import { RabbitSubscribe } from '@golevelup/nestjs-rabbitmq';
import { Injectable } from '@nestjs/common';
import type { ConsumeMessage } from 'amqplib';
import { Deliveries } from '../messaging/deliveries';
import { HANDLERS } from '../messaging/rabbitmq-options';
import { CrashGuard } from './crash-guard';
import { ConversationProcessingService } from './conversation-processing.service';

/** Where conversations arrive: one method, registered on K channels with prefetch P each. */
@Injectable()
export class ConversationEndedConsumer {
  constructor(
    private readonly deliveries: Deliveries,
    private readonly guard: CrashGuard,
    private readonly processing: ConversationProcessingService,
  ) {}

  @RabbitSubscribe({ name: HANDLERS.conversationEnded })
  onConversationEnded(_body: Buffer, delivery: ConsumeMessage): Promise<void> {
    return this.deliveries.settle(delivery, (message) =>
      this.guard.run(message, (guarded) => this.processing.process(guarded)),
    );
  }
}
