import { Module, type DynamicModule } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../../config/environment';
import { ConnectionLimitRepository } from '../../database/connection-limit.repository';
import { BacklogRepository } from '../../observability/backlog.repository';
import { TelemetryModule } from '../../observability/telemetry.module';
import { DeadLetterInboxRepository } from '../dead-letter-inbox.repository';
import { DeadLetterSettlement } from '../dead-letter-settlement';
import { FailuresController } from './failures.controller';
import { FailuresRepository } from './failures.repository';
import { FiguresRepository } from './figures.repository';
import { LiveState } from './live-state';
import { OperatorActions } from './operator-actions';
import { OperatorActionsRepository } from './operator-actions.repository';
import { OperatorSessions } from './operator-session';
import { PageController } from './page.controller';
import { SessionController } from './session.controller';
import { StateController } from './state.controller';
import { StateStream } from './state-stream';
import { StoriesController } from './stories.controller';

/** The operators' live page, and its api. */
@Module({})
export class PageModule {
  /** @param features those that it acts through: of the conversations and of the friendships */
  static on(...features: DynamicModule[]): DynamicModule {
    return {
      module: PageModule,
      imports: [TelemetryModule, ...features],
      controllers: [SessionController, StateController, FailuresController, StoriesController, PageController],
      providers: [
        {
          provide: OperatorSessions,
          inject: [ENVIRONMENT],
          useFactory: ({ OPERATOR_KEY }: Environment) => {
            if (OPERATOR_KEY === undefined) throw new Error('expected OPERATOR_KEY, without which there is no page');
            return new OperatorSessions(OPERATOR_KEY);
          },
        },
        BacklogRepository,
        ConnectionLimitRepository,
        DeadLetterInboxRepository,
        DeadLetterSettlement,
        FailuresRepository,
        FiguresRepository,
        LiveState,
        OperatorActions,
        OperatorActionsRepository,
        StateStream,
      ],
    };
  }
}
