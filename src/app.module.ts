import { Module, type DynamicModule } from '@nestjs/common';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import { ConfigurationModule } from './config/configuration.module';
import type { Environment } from './config/environment';
import { ConversationEventsModule } from './conversation-events/conversation-events.module';
import { ConnectionBudgetCheck } from './database/connection-budget-check';
import { ConnectionLimitRepository } from './database/connection-limit.repository';
import { DatabaseModule } from './database/database.module';
import { ExternalServicesModule } from './external-services/external-services.module';
import { FriendshipStatusModule } from './friendship-status/friendship-status.module';
import { HealthModule } from './health/health.module';
import { ApiKeyGuard } from './http/api-key.guard';
import { ProblemFilter } from './http/problem.filter';
import { MessagingModule } from './messaging/messaging.module';
import { ScrapeModule } from './observability/scrape.module';
import { TelemetryModule } from './observability/telemetry.module';
import { PageModule } from './operations/page/page.module';

/** The modules, in the order in which a conversation passes through them. */
@Module({})
export class AppModule {
  static forEnvironment(environment: Environment): DynamicModule {
    const role = environment.APP_ROLE;
    // Once each: another call would make another module.
    const conversations = ConversationEventsModule.forRole(role);
    const friendships = FriendshipStatusModule.forRole(role);
    const hasPage = role !== 'worker' && environment.OPERATOR_KEY !== undefined;
    return {
      module: AppModule,
      imports: [
        ConfigurationModule.for(environment),
        DatabaseModule,
        MessagingModule,
        ExternalServicesModule,
        conversations,
        friendships,
        HealthModule,
        ScrapeModule,
        TelemetryModule,
        ...(hasPage ? [PageModule.on(conversations, friendships)] : []),
      ],
      providers: [
        ConnectionBudgetCheck,
        ConnectionLimitRepository,
        { provide: APP_GUARD, useClass: ApiKeyGuard },
        { provide: APP_FILTER, useClass: ProblemFilter },
      ],
    };
  }
}
