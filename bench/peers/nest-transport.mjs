// @ts-check
/**
 * Nest's own RabbitMQ transport with TypeORM entities: the way of Nest's documentation. Decorators are called as the functions that they are.
 * Its messages are foreign, so a deserializer names their pattern, as the documentation advises.
 *
 * Reads DATABASE_URL, RABBITMQ_URL, RABBITMQ_QUEUE, MESSAGE_CONCURRENCY_PER_WORKER, BUSINESS_TIME_ZONE.
 */
import 'reflect-metadata';
import { Controller, Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload, Transport } from '@nestjs/microservices';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { dataSourceOptions, processWithEntities } from './entities.mjs';

const PATTERN = 'conversation.end';

class ConversationsController {
  constructor(/** @type {DataSource} */ dataSource) {
    this.dataSource = dataSource;
  }

  /** @param {{ conversation_id: string }} message @param {import('@nestjs/microservices').RmqContext} context */
  async onConversationEnded(message, context) {
    const receivedAt = performance.now();
    await processWithEntities(this.dataSource, message.conversation_id);
    if (process.env.BENCH_LATENCY)
      console.log(JSON.stringify({ msg: 'processed', processing_ms: performance.now() - receivedAt }));
    context.getChannelRef().ack(context.getMessage());
  }
}
Controller()(ConversationsController);
Inject(DataSource)(ConversationsController, undefined, 0);
const handler = ConversationsController.prototype;
Payload()(handler, 'onConversationEnded', 0);
Ctx()(handler, 'onConversationEnded', 1);
EventPattern(PATTERN)(
  handler,
  'onConversationEnded',
  /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(handler, 'onConversationEnded')),
);

class AppModule {}
Module({ imports: [TypeOrmModule.forRoot(dataSourceOptions())], controllers: [ConversationsController] })(AppModule);

const app = await NestFactory.createMicroservice(AppModule, {
  transport: Transport.RMQ,
  options: {
    urls: [process.env.RABBITMQ_URL],
    queue: process.env.RABBITMQ_QUEUE,
    noAssert: true,
    noAck: false,
    prefetchCount: Number(process.env.MESSAGE_CONCURRENCY_PER_WORKER),
    deserializer: { deserialize: (/** @type {unknown} */ data) => ({ pattern: PATTERN, data }) },
  },
});
app.enableShutdownHooks();
await app.listen();
