import { Global, Module } from '@nestjs/common';
import { ENVIRONMENT } from '../config/environment';
import { BackgroundRabbitMQModule } from './background-rabbitmq.module';
import { BrokerMonitor } from './broker-monitor';
import { Consumers } from './consumers';
import { Deliveries } from './deliveries';
import { Publisher } from './publisher';
import { rabbitmqOptions } from './rabbitmq-options';
import { TelemetryChannel } from './telemetry-channel';
import { TOPOLOGY } from './tokens';
import { TopologyReport } from './topology-report';
import { TopologyModule } from './topology.module';

/** RabbitMQ: the topology, one connection, publishing with confirms, consuming with outcomes. Knows nothing of conversations. */
@Global()
@Module({
  imports: [
    TopologyModule,
    BackgroundRabbitMQModule.forRootAsync({
      imports: [TopologyModule],
      inject: [ENVIRONMENT, TOPOLOGY, TopologyReport],
      useFactory: rabbitmqOptions,
    }),
  ],
  providers: [BrokerMonitor, Publisher, Consumers, Deliveries, TelemetryChannel],
  exports: [TopologyModule, BrokerMonitor, Publisher, Consumers, Deliveries, TelemetryChannel],
})
export class MessagingModule {}
