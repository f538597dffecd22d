import { Inject, Injectable } from '@nestjs/common';
import type { QueryRunner } from 'typeorm';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { DatabaseMonitor } from '../database/database-monitor';
import { isDatabaseAway } from '../database/database-errors';
import { QueryRunners } from '../database/query-runners';
import { errorCode } from '../errors/describe';
import type { IncomingMessage } from '../messaging/incoming-message';
import { ack, type DeadLetterReason, type Outcome } from '../messaging/outcome';
import { retryPolicy, type RetryPolicy } from '../messaging/retry-policy';
import { scoreComponents } from '../scoring/score';
import { CommitGroups } from './commit-groups';
import { ConversationAnalysis } from './conversation-analysis';
import type { PreparedConversation } from './conversation-end';
import { ConversationEventsRepository, type LoadedEvent } from './conversation-events.repository';
import { ConversationFetcher } from './conversation-fetcher';
import { InvalidMessage, type ConversationMessage } from './conversation-message';
import { Lanes } from './lanes';
import { LongLogs } from './long-logs';
import { ProcessingLog, type Settlement } from './processing-log';
import { QueuePassage } from './queue-passage';
import type { StepAside } from './shared-gate';

/** No such conversation here. It may still arrive: a publisher can be faster than its own insert. */
class UnknownConversation extends Error {
  readonly code = 'CONVERSATION_NOT_FOUND';
}

/** The conversation was erased: its message has nothing to count any more. */
class ErasedConversation extends Error {
  readonly code = 'CONVERSATION_ERASED';
}

/** The text was purged before the event could be counted: without it nobody knows its turns. */
class PurgedConversation extends Error {
  readonly code = 'CONVERSATION_PURGED';
}

/** The message carries another conversation under a known id. */
class ConflictingConversation extends Error {
  readonly code = 'CONVERSATION_CONFLICT';
}

/** The main flow: what happens to a conversation between its delivery and its commit. */
@Injectable()
export class ConversationProcessingService {
  private readonly retries: RetryPolicy;

  constructor(
    @Inject(ENVIRONMENT) environment: Environment,
    private readonly queryRunners: QueryRunners,
    private readonly repository: ConversationEventsRepository,
    private readonly groups: CommitGroups,
    private readonly logs: LongLogs,
    private readonly lanes: Lanes,
    private readonly analysis: ConversationAnalysis,
    private readonly fetcher: ConversationFetcher,
    private readonly database: DatabaseMonitor,
    private readonly passage: QueuePassage,
    private readonly log: ProcessingLog,
  ) {
    this.retries = retryPolicy(environment.RETRY_DELAYS);
  }

  /** Never throws: whatever happens has an outcome. */
  async process(message: IncomingMessage, stepAside: StepAside): Promise<Outcome> {
    let parsed: ConversationMessage | undefined;
    try {
      parsed = await this.logs.readMessage(message.body);
      this.passage.observe(message, parsed);
      const settlement = await this.settle(message, parsed, stepAside);
      this.log.settled(message, parsed, settlement);
      return settlement.outcome;
    } catch (error) {
      return this.outcomeOf(error, message, parsed);
    }
  }

  /** load ► analyse ► score ► apply. Database connections are lent for a statement each, and none is held in between. */
  private async settle(
    message: IncomingMessage,
    parsed: ConversationMessage,
    stepAside: StepAside,
  ): Promise<Settlement> {
    const begin = performance.now();
    const event = await this.load(parsed);
    const loaded = performance.now();
    if (!event) return this.fetch(message, parsed, stepAside);
    if (event.status === 'FAILED') return this.confirmDeadLetter(event);
    if (event.status !== 'PENDING') return { result: 'duplicate', event, outcome: ack };
    if (this.lanes.isSkipped(event)) return this.skip(event);
    const asks = this.analysis.isNeeded(event);
    if (asks && message.lane !== 'analysis') return { result: 'forwarded', event, outcome: toAnalysis };
    const analysing = () => this.analysis.analyse(event);
    const { totalTurns, analysis } = await (asks ? stepAside(analysing) : analysing());
    const score = scoreComponents({ ...saidByProducer(event), totalTurns, analysis });
    const scored = performance.now();
    if (!(await this.groups.applyScore(event.conversation_id, score)))
      return { result: 'duplicate', event, outcome: ack };
    const committedAt = performance.now();
    const spent = { database: loaded - begin + committedAt - scored, analysis: asks ? scored - loaded : undefined };
    return { result: 'processed', event, score, spent, outcome: { kind: 'ack', committedAt } };
  }

  /** @returns undefined for a conversation that may be had elsewhere */
  private async load({ conversationId, conversation }: ConversationMessage): Promise<LoadedEvent | undefined> {
    if (conversation) await this.queryRunners.use((runner) => this.store(runner, conversation));
    const event = await this.groups.load(conversationId);
    if (!event) {
      const erased = conversation !== undefined || (await this.isErased(conversationId));
      if (erased) throw new ErasedConversation();
      if (!this.fetcher.available) throw new UnknownConversation();
      return undefined;
    }
    if (event.status === 'PENDING' && event.conversation_log === null) throw new PurgedConversation();
    return event;
  }

  private isErased(conversationId: string): Promise<boolean> {
    return this.queryRunners.use((runner) => this.repository.isErased(runner, conversationId));
  }

  /** A whole conversation in a message is stored like a posted one; a known one must be the same. */
  private async store(runner: QueryRunner, conversation: PreparedConversation): Promise<void> {
    if (await this.repository.insert(runner, conversation)) return;
    if (await this.repository.isAnother(runner, conversation)) throw new ConflictingConversation();
  }

  /** What was never posted here is fetched over the second lane, and goes on as if it had come with the message. */
  private async fetch(
    message: IncomingMessage,
    parsed: ConversationMessage,
    stepAside: StepAside,
  ): Promise<Settlement> {
    if (message.lane !== 'analysis') return { result: 'forwarded', outcome: toAnalysis };
    const conversation = await stepAside(() => this.fetcher.fetch(parsed.conversationId));
    if (!conversation) throw new UnknownConversation();
    return this.settle(message, { ...parsed, conversation }, stepAside);
  }

  private async skip(event: LoadedEvent): Promise<Settlement> {
    const skipped = await this.queryRunners.use((runner) => this.repository.skip(runner, event.conversation_id));
    return { result: skipped ? 'skipped' : 'duplicate', event, outcome: ack };
  }

  /** The worker died between marking the event FAILED and dead-lettering its message: now it is dead-lettered. */
  private async confirmDeadLetter(event: LoadedEvent): Promise<Settlement> {
    const recorded = await this.queryRunners.use((runner) =>
      this.repository.hasSettlingDeadLetter(runner, event.conversation_id),
    );
    if (recorded) return { result: 'duplicate', event, outcome: ack };
    const outcome = deadLetter('ATTEMPTS_EXHAUSTED', event.attempt_count, event.conversation_id, true);
    return { result: 'dead-lettered', event, outcome: { ...outcome, errorCode: event.last_error_code ?? undefined } };
  }

  private async outcomeOf(error: unknown, message: IncomingMessage, parsed?: ConversationMessage): Promise<Outcome> {
    if (error instanceof InvalidMessage) {
      this.log.rejected(message, error.message);
      return deadLetter('INVALID_MESSAGE', message.attempts + 1, parsed?.conversationId, false);
    }
    const conversationId = parsed?.conversationId ?? '';
    if (error instanceof ConflictingConversation) {
      this.log.failed(message, conversationId, error, 'dead-lettered');
      return deadLetter('CONVERSATION_CONFLICT', message.attempts + 1, conversationId, false);
    }
    if (error instanceof ErasedConversation) {
      this.log.failed(message, conversationId, error, 'erased');
      return ack;
    }
    if (isDatabaseAway(error)) return this.defer(error, conversationId, message);
    const deferral = this.analysis.deferral(error);
    if (deferral) {
      this.log.failed(message, conversationId, error, 'deferred');
      return deferral;
    }
    if (error instanceof UnknownConversation) return this.retryUnknown(error, conversationId, message);
    return this.retry(error, conversationId, message);
  }

  /** Nothing is wrong with the message: it waits, unacknowledged, until the database is back. */
  private defer(error: unknown, conversationId: string, message: IncomingMessage): Outcome {
    this.log.failed(message, conversationId, error, 'deferred');
    return { kind: 'defer', reason: errorCode(error), until: (signal) => this.database.waitUntilUp(signal) };
  }

  /** There is no row to count on, so the headers count. */
  private retryUnknown(error: unknown, conversationId: string, message: IncomingMessage): Outcome {
    const attempts = message.attempts + 1;
    const reason = errorCode(error);
    const lastReason = error instanceof UnknownConversation ? 'CONVERSATION_NOT_FOUND' : 'ATTEMPTS_EXHAUSTED';
    const afterMs = this.retries.delayAfter(attempts);
    this.log.failed(message, conversationId, error, afterMs === undefined ? 'dead-lettered' : 'retried');
    return afterMs === undefined
      ? { ...deadLetter(lastReason, attempts, conversationId, false), errorCode: reason }
      : { kind: 'retry', afterMs, attempts, reason };
  }

  /** The row counts the attempts, so that a copy of the message cannot have more of them. */
  private async retry(error: unknown, conversationId: string, message: IncomingMessage): Promise<Outcome> {
    const reason = errorCode(error);
    let attempts = message.attempts + 1;
    try {
      const row = await this.queryRunners.use((runner) =>
        this.repository.recordFailure(runner, conversationId, reason, this.retries.mostAttempts),
      );
      if (row === 'settled') return ack;
      if (row === 'unknown') return this.retryUnknown(error, conversationId, message);
      attempts = row.attempt_count;
      if (row.status === 'FAILED') {
        this.log.failed(message, conversationId, error, 'dead-lettered');
        return { ...deadLetter('ATTEMPTS_EXHAUSTED', attempts, conversationId, true), errorCode: reason };
      }
    } catch (recordError) {
      if (isDatabaseAway(recordError)) return this.defer(recordError, conversationId, message);
    }
    this.log.failed(message, conversationId, error, 'retried');
    const afterMs = this.retries.delayAfter(attempts) ?? this.retries.lastDelay;
    return { kind: 'retry', afterMs, attempts, reason };
  }
}

const toAnalysis: Outcome = { kind: 'forward', to: 'analysis' };

function deadLetter(
  reason: DeadLetterReason,
  attempts: number,
  conversationId: string | undefined,
  settlesEvent: boolean,
): Extract<Outcome, { kind: 'deadLetter' }> {
  return { kind: 'deadLetter', reason, attempts, conversationId, settlesEvent };
}

function saidByProducer(event: LoadedEvent) {
  return {
    userInitiatedQuestions: event.user_initiated_questions,
    sessionEmotion: event.session_emotion,
    newMemoriesCount: event.new_memories_count,
  };
}
