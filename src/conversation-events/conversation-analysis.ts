import { Inject, Injectable } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { ExternalServiceError } from '../external-services/external-service-error';
import { ExternalServices } from '../external-services/external-services';
import type { Outcome } from '../messaging/outcome';
import type { Analysis } from '../scoring/analyser';
import { AnalysisService } from '../scoring/analysis.service';
import { AnalysisAnswers } from './analysis-answers';
import type { LoadedEvent } from './conversation-events.repository';
import { Lanes } from './lanes';
import { LongLogs } from './long-logs';

/** What a log and those who were asked about it say: all that scoring needs. */
export interface AnalysedEvent {
  readonly totalTurns: number;
  readonly analysis: Analysis | undefined;
}

/** The step between loading and scoring: it may take minutes, and holds no connection to the database meanwhile. */
@Injectable()
export class ConversationAnalysis {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    private readonly services: ExternalServices,
    private readonly lanes: Lanes,
    private readonly logs: LongLogs,
    private readonly analysis: AnalysisService,
    private readonly answers: AnalysisAnswers,
  ) {}

  isNeeded(event: LoadedEvent): boolean {
    return this.lanes.needsAnalysis(event, event.conversation_log ?? '');
  }

  /** @throws ExternalServiceError */
  async analyse(event: LoadedEvent): Promise<AnalysedEvent> {
    const needed = this.isNeeded(event);
    const mostChars = needed ? this.environment.ANALYSIS_MAX_CHARS : 0;
    const { totalTurns, transcript } = await this.logs.digest(event.conversation_log ?? '[]', mostChars);
    if (!needed) return { totalTurns, analysis: this.analysis.withoutAsking(event.analysis) };
    const { conversation_id: conversationId, user_id: userId } = event;
    const analysis = await this.analysis.analyse(
      { conversationId, userId, lines: transcript },
      event,
      event.analysis,
      (answer) => this.answers.keep(conversationId, answer),
    );
    return { totalTurns, analysis };
  }

  /**
   * Nothing is wrong with the message when a service is left alone that it needs, or when this process stops: it waits, and
   * no attempt is spent.
   * @returns undefined when the failure is one of the message's attempts
   */
  deferral(error: unknown): Extract<Outcome, { kind: 'defer' }> | undefined {
    if (!(error instanceof ExternalServiceError)) return undefined;
    const service = this.services.all.find(({ name }) => name === error.service);
    if (!service || !(service.recovery.open || error.failure === 'ABORTED')) return undefined;
    return { kind: 'defer', reason: error.code, until: (signal) => service.recovery.wait(signal) };
  }
}
