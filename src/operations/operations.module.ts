import { Module, type DynamicModule } from '@nestjs/common';
import { ConfigurationModule } from '../config/configuration.module';
import type { Environment } from '../config/environment';
import { DeadLettersRepository } from '../conversation-events/dead-letters.repository';
import { DatabaseModule } from '../database/database.module';
import { TopicAgentsRepository } from './topic-agents.repository';

/** What the CLI needs: the database, no broker. */
@Module({})
export class OperationsModule {
  static for(environment: Environment): DynamicModule {
    return {
      module: OperationsModule,
      imports: [ConfigurationModule.for(environment), DatabaseModule],
      providers: [DeadLettersRepository, TopicAgentsRepository],
    };
  }
}
