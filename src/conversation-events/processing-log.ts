import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { describeError } from '../errors/describe';
import type { IncomingMessage } from '../messaging/incoming-message';
import type { Outcome } from '../messaging/outcome';
import { Metrics } from '../observability/metrics';
import type { ScoreBreakdown } from '../scoring/score-breakdown';
import type { LoadedEvent } from './conversation-events.repository';
import type { ConversationMessage } from './conversation-message';

/** How the flow ended for one message. */
export interface Settlement {
  readonly result: 'processed' | 'skipped' | 'duplicate' | 'forwarded' | 'dead-lettered';
  /** Undefined where it is not known here yet. */
  readonly event?: LoadedEvent;
  readonly score?: ScoreBreakdown;
  /** Where the time went of an event that was counted, milliseconds. `analysis`: undefined when nobody was asked. */
  readonly spent?: { readonly database: number; readonly analysis: number | undefined };
  readonly outcome: Outcome;
}

type Counts = Record<Settlement['result'] | 'retried' | 'deferred' | 'rejected' | 'erased', number>;

/** How often a worker that did something says how much, milliseconds. */
const SUMMARY_INTERVAL = 10_000;

/**
 * Ids, outcomes and times (milliseconds), never a word of the conversation. What went well is a line a message at debug level only, since
 * at thousands a second a line costs as much as the score; at info level a summary stands for it. What failed is always a line.
 */
@Injectable()
export class ProcessingLog implements OnModuleInit, OnModuleDestroy {
  readonly counts: Counts = {
    processed: 0,
    skipped: 0,
    duplicate: 0,
    forwarded: 0,
    'dead-lettered': 0,
    retried: 0,
    deferred: 0,
    rejected: 0,
    erased: 0,
  };
  private readonly logger = new Logger('Conversations');
  private summarised: Counts = { ...this.counts };
  private timer: NodeJS.Timeout | undefined;

  /** Whether what went well is told; if not, its line is not even made. */
  private readonly tellsAll: boolean;

  constructor(
    @Inject(ENVIRONMENT) { LOG_LEVEL }: Environment,
    private readonly metrics: Metrics,
  ) {
    this.tellsAll = LOG_LEVEL === 'debug' || LOG_LEVEL === 'trace';
  }

  onModuleInit(): void {
    this.timer = setInterval(() => this.summarise(), SUMMARY_INTERVAL).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  settled(message: IncomingMessage, { conversationId }: ConversationMessage, settlement: Settlement): void {
    const { event, result, score, spent } = settlement;
    this.count(result);
    const criticalMs = event && Date.now() - event.accepted_at.getTime();
    if (result === 'processed' && criticalMs !== undefined) {
      this.metrics.of.criticalTime.observe(criticalMs / 1000);
      this.metrics.of.queueWait.observe(Math.max(0, criticalMs - since(message)) / 1000);
    }
    if (spent) {
      this.metrics.of.databaseTime.observe(spent.database / 1000);
      if (spent.analysis !== undefined) this.metrics.of.analysisTime.observe(spent.analysis / 1000);
    }
    if (result !== 'dead-lettered' && !this.tellsAll) return;
    const line = {
      msg: result,
      conversation_id: conversationId,
      user_id: event?.user_id,
      change: score?.friendship_score_change,
      processing_ms: since(message),
      critical_ms: criticalMs,
    };
    if (result === 'dead-lettered') this.logger.warn(line);
    else this.logger.debug(line);
  }

  failed(
    message: IncomingMessage,
    conversationId: string,
    error: unknown,
    outcome: 'retried' | 'deferred' | 'dead-lettered' | 'erased',
  ): void {
    this.count(outcome);
    this.logger.warn({
      msg: outcome,
      conversation_id: conversationId,
      attempts: message.attempts + 1,
      processing_ms: since(message),
      error: describeError(error),
    });
  }

  /** @param problem what was expected and what came; by construction without any text of the body */
  rejected(message: IncomingMessage, problem: string): void {
    this.count('rejected');
    this.logger.warn({ msg: 'rejected', reason: 'INVALID_MESSAGE', problem, bytes: message.body.length });
  }

  private count(result: keyof Counts): void {
    this.counts[result]++;
    this.metrics.of.conversations.inc({ result });
  }

  private summarise(): void {
    const names = Object.keys(this.counts) as (keyof Counts)[];
    const news = names.filter((name) => this.counts[name] > this.summarised[name]);
    if (news.length === 0) return;
    const since = Object.fromEntries(news.map((name) => [name, this.counts[name] - this.summarised[name]]));
    this.summarised = { ...this.counts };
    this.logger.log({ msg: 'summary', seconds: SUMMARY_INTERVAL / 1_000, ...since });
  }
}

function since({ receivedAt }: IncomingMessage): number {
  return Math.round((performance.now() - receivedAt) * 10) / 10;
}
