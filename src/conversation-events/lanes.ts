import { Inject, Injectable } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../config/environment';
import type { LaneName } from '../messaging/topology';
import type { Analysis, Components } from '../scoring/analyser';
import { AnalysisService } from '../scoring/analysis.service';
import { childSpoke } from '../scoring/log-digest';

/** What decides, with the log, whether somebody has to be asked about an event. */
export interface Need extends Components {
  readonly bot_type: string;
  readonly analysis?: Analysis | null;
}

/** Which events are scored at all, and which of them need an external service first. */
@Injectable()
export class Lanes {
  private readonly skippedBotTypes: ReadonlySet<string>;

  constructor(
    @Inject(ENVIRONMENT) environment: Environment,
    private readonly analysis: AnalysisService,
  ) {
    this.skippedBotTypes = new Set(environment.SCORING_SKIP_BOT_TYPES.map((type) => type.toLowerCase()));
  }

  isSkipped({ bot_type }: { readonly bot_type: string }): boolean {
    return this.skippedBotTypes.has(bot_type.toLowerCase());
  }

  /**
   * In a monologue of the robot there is nothing to find out about the child.
   * @param logJson the stored lines, or enough of them to hold one of the child
   */
  needsAnalysis(event: Need, logJson: string): boolean {
    return (
      this.analysis.available &&
      this.analysis.isNeeded(event, event.analysis ?? null) &&
      !this.isSkipped(event) &&
      childSpoke(logJson)
    );
  }

  of(event: Need, logJson: string): LaneName {
    return this.needsAnalysis(event, logJson) ? 'analysis' : 'processing';
  }
}
