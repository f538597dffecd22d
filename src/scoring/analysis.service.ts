import { Inject, Injectable } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { errorCode } from '../errors/describe';
import { ExternalServiceError } from '../external-services/external-service-error';
import { ExternalServices } from '../external-services/external-services';
import {
  analysersNeeded,
  type AnalysedConversation,
  type Analyser,
  type AnalyserName,
  type Analysis,
  type AnalysisPart,
  type Components,
} from './analyser';
import { LlmAnalyser } from './llm-analyser';
import { MemoryAnalyser } from './memory-analyser';

/** Asks the analysers for what the producer did not say. */
@Injectable()
export class AnalysisService {
  private readonly analysers: readonly Analyser[];

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    { llm, memory }: ExternalServices,
  ) {
    this.analysers = [
      ...(llm ? [new LlmAnalyser(llm, environment.ANALYSIS_LLM_MODEL ?? '')] : []),
      ...(memory ? [new MemoryAnalyser(memory)] : []),
    ];
  }

  /** Whether anybody could be asked at all. */
  get available(): boolean {
    return this.analysers.length > 0;
  }

  /** Whether somebody has to be asked. */
  isNeeded(known: Components, before: Analysis | null): boolean {
    return analysersNeeded(this.analysers, known, before).length > 0;
  }

  /**
   * Asks all analysers that are needed, side by side.
   * @param before what they answered for an earlier attempt
   * @param keep called with each answer as soon as it is there
   * @returns every analyser's part. With ANALYSIS_ON_FAILURE `neutral`, failures are among them.
   * @throws the first failure otherwise, once all have ended, and always when the process stops meanwhile
   */
  async analyse(
    conversation: AnalysedConversation,
    known: Components,
    before: Analysis | null,
    keep: (part: Analysis) => Promise<void>,
  ): Promise<Analysis> {
    const needed = analysersNeeded(this.analysers, known, before);
    const failures: unknown[] = [];
    const ask = async (analyser: Analyser): Promise<[AnalyserName, AnalysisPart]> => {
      const startedAt = performance.now();
      const ms = () => Math.round(performance.now() - startedAt);
      try {
        const answer = await analyser.analyse(conversation);
        const part = { status: 'answered', ...answer, ms: ms() } as const;
        await keep({ [analyser.name]: part });
        return [analyser.name, part];
      } catch (error) {
        failures.push(error);
        return [analyser.name, { status: 'failed', code: errorCode(error), ms: ms() }];
      }
    };
    const parts = await Promise.all(needed.map(ask));
    const fatal = failures.find(
      (error) => this.environment.ANALYSIS_ON_FAILURE === 'retry' || !isServiceFailure(error),
    );
    if (fatal !== undefined) throw fatal as Error;
    return { ...this.withoutAsking(before), ...Object.fromEntries(parts) };
  }

  /**
   * What is known without asking anybody.
   * @returns undefined where nobody could be asked, and nobody was before
   */
  withoutAsking(before: Analysis | null): Analysis | undefined {
    if (!this.available) return before ?? undefined;
    return { ...Object.fromEntries(this.analysers.map(({ name }) => [name, { status: 'skipped' }])), ...before };
  }
}

/** The process that stops is no failure of the service, and neither is whatever else goes wrong here. */
function isServiceFailure(error: unknown): boolean {
  return error instanceof ExternalServiceError && error.failure !== 'ABORTED';
}
