import { Module, type DynamicModule } from '@nestjs/common';
import { ConfigurationModule } from '../config/configuration.module';
import type { Environment } from '../config/environment';
import { DeadLettersRepository } from '../conversation-events/dead-letters.repository';
import { SuspectsRepository } from '../conversation-events/suspects.repository';
import { DatabaseModule } from '../database/database.module';
import { AuditRepository } from './audit.repository';
import { Tombstones } from '../conversation-events/tombstones';
import { DeadLetterInboxRepository } from './dead-letter-inbox.repository';
import { DeadLetterSettlement } from './dead-letter-settlement';
import { ErasureRepository } from './erasure.repository';
import { OpeningBalancesRepository } from './opening-balances.repository';
import { RebuildRepository } from './rebuild.repository';
import { TopicAgentsRepository } from './topic-agents.repository';
import { UserRangesRepository } from './user-ranges.repository';

/** What the CLI needs: the database, no broker. */
@Module({})
export class OperationsModule {
  static for(environment: Environment): DynamicModule {
    return {
      module: OperationsModule,
      imports: [ConfigurationModule.for(environment), DatabaseModule],
      providers: [
        AuditRepository,
        DeadLetterInboxRepository,
        DeadLetterSettlement,
        DeadLettersRepository,
        ErasureRepository,
        OpeningBalancesRepository,
        RebuildRepository,
        SuspectsRepository,
        Tombstones,
        TopicAgentsRepository,
        UserRangesRepository,
      ],
    };
  }
}
