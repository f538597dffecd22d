import { Global, Module } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { BackgroundRabbitMQModule } from './background-rabbitmq.module';
import { BrokerMonitor } from './broker-monitor';
import { Consumers } from './consumers';
import { Deliveries } from './deliveries';
import { Publisher } from './publisher';
import { rabbitmqOptions } from './rabbitmq-options';
import { TOPOLOGY } from './tokens';
import { buildTopology } from './topology';

/** RabbitMQ: the topology, one connection, publishing with confirms, consuming with outcomes. Knows nothing of conversations. */
@Global()
@Module({
  imports: [
    BackgroundRabbitMQModule.forRootAsync({
      inject: [ENVIRONMENT],
      useFactory: (environment: Environment) => rabbitmqOptions(environment, buildTopology(environment)),
    }),
  ],
  providers: [
    { provide: TOPOLOGY, inject: [ENVIRONMENT], useFactory: buildTopology },
    BrokerMonitor,
    Publisher,
    Consumers,
    Deliveries,
  ],
  exports: [TOPOLOGY, BrokerMonitor, Publisher, Consumers, Deliveries],
})
export class MessagingModule {}
