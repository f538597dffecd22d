import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { DatabaseMonitor } from '../database/database-monitor';
import { isDatabaseAway } from '../database/database-errors';
import { GroupedWork } from '../database/grouped-work';
import { QueryRunners } from '../database/query-runners';
import type { Analysis } from '../scoring/analyser';
import { ConversationEventsRepository } from './conversation-events.repository';

/** Answers saved in one statement: hundreds may come at the same moment, and the pool is small. */
const LARGEST_GROUP = 500;

interface Answer {
  readonly conversationId: string;
  readonly analysis: Analysis;
}

/** Keeps answers with their events, so that nobody is asked twice. */
@Injectable()
export class AnalysisAnswers implements OnModuleDestroy {
  private readonly stopping = new AbortController();
  private readonly saves = new GroupedWork<Answer, undefined>(
    'answers group',
    (answers) => this.save(answers),
    LARGEST_GROUP,
  );

  constructor(
    private readonly queryRunners: QueryRunners,
    private readonly repository: ConversationEventsRepository,
    private readonly database: DatabaseMonitor,
  ) {}

  onModuleDestroy(): void {
    this.stopping.abort();
  }

  /** Resolves when the answer is on the event's row. While the database is away it waits: the answer has cost seconds. */
  async keep(conversationId: string, analysis: Analysis): Promise<void> {
    for (;;) {
      try {
        return await this.saves.do({ conversationId, analysis });
      } catch (error) {
        if (!isDatabaseAway(error)) throw error;
        await this.database.waitUntilUp(this.stopping.signal);
      }
    }
  }

  private async save(answers: readonly Answer[]): Promise<undefined[]> {
    // Two services may have answered about the same event.
    const byEvent = new Map<string, Analysis>();
    for (const { conversationId, analysis } of answers) {
      byEvent.set(conversationId, { ...byEvent.get(conversationId), ...analysis });
    }
    await this.queryRunners.use((runner) => this.repository.saveAnalyses(runner, byEvent));
    return answers.map(() => undefined);
  }
}
