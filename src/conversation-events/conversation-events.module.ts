import { Module, type DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { Environment } from '../config/environment';
import { ScoringModule } from '../scoring/scoring.module';
import { AnalysisAnswers } from './analysis-answers';
import { CommitGroups } from './commit-groups';
import { AdaptiveConcurrency } from './adaptive-concurrency';
import { ConsumptionGate } from './consumption-gate';
import { ConversationAnalysis } from './conversation-analysis';
import { ConversationEndedConsumer } from './conversation-ended.consumer';
import { ConversationEventEntity } from './conversation-event.entity';
import { ConversationEventsRepository } from './conversation-events.repository';
import { ConversationFetcher } from './conversation-fetcher';
import { ConversationIntakeService } from './conversation-intake.service';
import { ConversationProcessingService } from './conversation-processing.service';
import { ConversationQueriesService } from './conversation-queries.service';
import { ConversationsController } from './conversations.controller';
import { CrashGuard } from './crash-guard';
import { DeadLettersConsumer } from './dead-letters.consumer';
import { DeadLettersRepository } from './dead-letters.repository';
import { EventPublisher } from './event-publisher';
import { Lanes } from './lanes';
import { LongLogs } from './long-logs';
import { ProcessingLog } from './processing-log';
import { QueuePassage } from './queue-passage';
import { Retention } from './retention';
import { RetentionRepository } from './retention.repository';
import { ReplayedLetters } from './replayed-letters';
import { ReplayedLettersRepository } from './replayed-letters.repository';
import { SuspectsRepository } from './suspects.repository';
import { Sweeper } from './sweeper';
import { SweeperRepository } from './sweeper.repository';
import { Tombstones } from './tombstones';

/** Conversations from the request to the commit. */
@Module({
  imports: [ScoringModule, TypeOrmModule.forFeature([ConversationEventEntity])],
  providers: [
    ConversationEventsRepository,
    Tombstones,
    EventPublisher,
    Lanes,
    LongLogs,
    QueuePassage,
    ProcessingLog,
    SweeperRepository,
    Sweeper,
    ReplayedLetters,
    ReplayedLettersRepository,
    SuspectsRepository,
    DeadLettersRepository,
  ],
  exports: [ProcessingLog, SuspectsRepository],
})
export class ConversationEventsModule {
  /** Intake and queries for the api, the consumers for the worker; the sweeper runs in both. */
  static forRole(role: Environment['APP_ROLE']): DynamicModule {
    const api = [ConversationIntakeService, ConversationQueriesService];
    const worker = [
      Retention,
      RetentionRepository,
      CommitGroups,
      CrashGuard,
      ConversationEndedConsumer,
      DeadLettersConsumer,
      ConversationAnalysis,
      AnalysisAnswers,
      ConversationFetcher,
      ConversationProcessingService,
      ConsumptionGate,
      AdaptiveConcurrency,
    ];
    return {
      module: ConversationEventsModule,
      controllers: role === 'worker' ? [] : [ConversationsController],
      providers: [...(role === 'worker' ? [] : api), ...(role === 'api' ? [] : worker)],
      exports: role === 'worker' ? [] : [ConversationQueriesService],
    };
  }
}
