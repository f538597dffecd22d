import { Inject, Injectable } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { GroupedWork } from '../database/grouped-work';
import { QueryRunners } from '../database/query-runners';
import type { ScoreBreakdown } from '../scoring/score-breakdown';
import { Metrics } from '../observability/metrics';
import { ConversationEventsRepository, type LoadedEvent, type ScoredEvent } from './conversation-events.repository';

/** The most events read in one statement, unless commit groups are larger. A read takes no lock and commits nothing, so it is shared in any case. */
const LARGEST_LOAD = 20;

/**
 * The database's two parts in the life of a message: what is to be scored, and what it is worth.
 * Messages that come together are loaded together. With a `COMMIT_GROUP_SIZE` of 1 each is committed with a query runner and a
 * transaction of its own; above, they share these as well. Each still has its own outcome, and one that fails is told apart from its
 * neighbours.
 */
@Injectable()
export class CommitGroups {
  private readonly loads: GroupedWork<string, LoadedEvent | undefined>;
  private readonly applies: GroupedWork<ScoredEvent, boolean>;
  private readonly grouped: boolean;

  constructor(
    @Inject(ENVIRONMENT) environment: Environment,
    private readonly queryRunners: QueryRunners,
    private readonly repository: ConversationEventsRepository,
    metrics: Metrics,
  ) {
    const { COMMIT_GROUP_SIZE: size } = environment;
    this.grouped = size > 1;
    this.loads = new GroupedWork(
      'load group',
      (ids) => queryRunners.use((runner) => repository.loadGroup(runner, ids)),
      Math.max(size, LARGEST_LOAD),
    );
    this.applies = new GroupedWork(
      'commit group',
      (scored) => {
        metrics.of.commitGroupSize.observe(scored.length);
        return queryRunners.use((runner) => repository.applyScores(runner, scored));
      },
      size,
    );
  }

  /** The event, or undefined where there is none. Takes no lock, since the claim decides. */
  load(conversationId: string): Promise<LoadedEvent | undefined> {
    return this.loads.do(conversationId);
  }

  /** @returns false when the event was settled meanwhile: nothing was counted */
  applyScore(conversationId: string, score: ScoreBreakdown): Promise<boolean> {
    if (this.grouped) return this.applies.do({ conversationId, score });
    return this.queryRunners.use((runner) => this.repository.applyScore(runner, conversationId, score));
  }
}
