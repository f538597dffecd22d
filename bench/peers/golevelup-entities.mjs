// @ts-check
/**
 * golevelup's RabbitMQ module, as this service uses it, with TypeORM entities instead of statements.
 *
 * Reads DATABASE_URL, RABBITMQ_URL, RABBITMQ_QUEUE, MESSAGE_CONCURRENCY_PER_WORKER, BUSINESS_TIME_ZONE.
 */
import 'reflect-metadata';
import golevelup from '@golevelup/nestjs-rabbitmq';
import { Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { dataSourceOptions, processWithEntities } from './entities.mjs';

const { RabbitMQModule, RabbitSubscribe } = golevelup;

class ConversationsConsumer {
  constructor(/** @type {DataSource} */ dataSource) {
    this.dataSource = dataSource;
  }

  /** @param {{ conversation_id: string }} message */
  async onConversationEnded(message) {
    const receivedAt = performance.now();
    await processWithEntities(this.dataSource, message.conversation_id);
    if (process.env.BENCH_LATENCY)
      console.log(JSON.stringify({ msg: 'processed', processing_ms: performance.now() - receivedAt }));
  }
}
Injectable()(ConversationsConsumer);
Inject(DataSource)(ConversationsConsumer, undefined, 0);
const handler = ConversationsConsumer.prototype;
RabbitSubscribe({ queue: process.env.RABBITMQ_QUEUE, createQueueIfNotExists: false })(
  handler,
  'onConversationEnded',
  /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(handler, 'onConversationEnded')),
);

class AppModule {}
Module({
  imports: [
    TypeOrmModule.forRoot(dataSourceOptions()),
    RabbitMQModule.forRoot({
      uri: process.env.RABBITMQ_URL ?? '',
      prefetchCount: Number(process.env.MESSAGE_CONCURRENCY_PER_WORKER),
    }),
  ],
  providers: [ConversationsConsumer],
})(AppModule);

const app = await NestFactory.createApplicationContext(AppModule);
app.enableShutdownHooks();
