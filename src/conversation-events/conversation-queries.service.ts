import { Injectable } from '@nestjs/common';
import { CodedError, type FieldProblem } from '../errors/coded-error';
import { describeValue } from '../errors/describe';
import { OPENING_BALANCE } from '../friendship-status/opening-balance.sql';
import { scoreComponents, scoreConversation } from '../scoring/score';
import type { ScoreBreakdown } from '../scoring/score-breakdown';
import { EVENT_STATUSES, type ConversationEventEntity, type EventStatus } from './conversation-event.entity';
import { IDENTIFIER } from './conversation-end.schema';
import { ConversationEventsRepository, type ListPosition } from './conversation-events.repository';
import { toEventSummary, toEventView, type EventSummary, type EventView } from './event-view';

export const DEFAULT_PAGE = 50;
export const LARGEST_PAGE = 200;

/** A misspelt filter must not answer with everybody's conversations. */
const PARAMETERS: ReadonlySet<string> = new Set(['user_id', 'status', 'cursor', 'limit']);

export interface EventPage {
  readonly items: readonly EventSummary[];
  /** Pass it as `cursor` for the next page; null on the last one. */
  readonly next_cursor: string | null;
}

/** Raw query parameters; a repeated one arrives as an array, and is refused. */
export type ListQuery = Readonly<Record<'user_id' | 'status' | 'cursor' | 'limit', unknown>>;

/** Answers questions about stored events. */
@Injectable()
export class ConversationQueriesService {
  constructor(private readonly repository: ConversationEventsRepository) {}

  /** @throws CodedError `CONVERSATION_NOT_FOUND` */
  async get(conversationId: string, withLog: boolean): Promise<EventView> {
    const row = await this.findOrThrow(conversationId, withLog);
    return withLog ? { ...toEventView(row), conversation_log: row.conversation_log } : toEventView(row);
  }

  /** @throws CodedError `VALIDATION_FAILED` for a parameter that is not as expected */
  async list(query: ListQuery): Promise<EventPage> {
    const problems: FieldProblem[] = [];
    const check = <T>(
      field: keyof ListQuery,
      expected: string,
      parse: (text: string) => T | undefined,
    ): T | undefined => {
      const given = query[field];
      if (given === undefined || given === '') return undefined;
      const value = typeof given === 'string' ? parse(given) : undefined;
      if (value === undefined) problems.push({ field, expected, got: describeValue(given) });
      return value;
    };
    const others = Object.keys(query).filter((name) => !PARAMETERS.has(name)).length;
    if (others > 0) {
      problems.push({ field: '', expected: `only ${[...PARAMETERS].join(', ')}`, got: `${others} other parameter(s)` });
    }
    const user_id = check('user_id', '3 to 255 visible ASCII characters', (text) =>
      IDENTIFIER.test(text) ? text : undefined,
    );
    const status = check('status', `one of ${EVENT_STATUSES.join(', ')}`, (text) =>
      EVENT_STATUSES.find((candidate) => candidate === text.toUpperCase()),
    );
    const position = check('cursor', 'the next_cursor of an earlier page', decodeCursor);
    const limit = check('limit', `an integer 1..${LARGEST_PAGE}`, parseLimit) ?? DEFAULT_PAGE;
    if (problems.length > 0) {
      throw new CodedError('VALIDATION_FAILED', `${problems.length} parameter(s) are not as expected.`, problems);
    }
    return this.page({ user_id, status }, position, limit);
  }

  /**
   * The score that the current rules give, without storing anything or asking anybody: of analysers counts what they answered before. After the text was purged, from the stored components.
   * @throws CodedError `CONVERSATION_NOT_FOUND`
   */
  async dryRun(conversationId: string): Promise<ScoreBreakdown> {
    const row = await this.findOrThrow(conversationId, true);
    // What a former system had counted was not scored here.
    if (row.rule_version === OPENING_BALANCE && row.score_breakdown) return row.score_breakdown;
    const input = {
      userInitiatedQuestions: row.user_initiated_questions,
      sessionEmotion: row.session_emotion,
      newMemoriesCount: row.new_memories_count,
      analysis: row.analysis,
    };
    return row.conversation_log === null && row.score_breakdown
      ? scoreComponents({ ...input, totalTurns: row.score_breakdown.total_turns })
      : scoreConversation({ ...input, lines: row.conversation_log ?? [] });
  }

  private async page(
    filter: { user_id?: string; status?: EventStatus },
    position: ListPosition | undefined,
    limit: number,
  ): Promise<EventPage> {
    const rows = await this.repository.list(filter, position, limit + 1);
    const items = rows.slice(0, limit);
    return {
      items: items.map(toEventSummary),
      next_cursor: rows.length > limit ? encodeCursor(items[limit - 1]) : null,
    };
  }

  private async findOrThrow(conversationId: string, withLog: boolean): Promise<ConversationEventEntity> {
    // What cannot be an id is not asked for: PostgreSQL would refuse U+0000 in a parameter.
    const row = IDENTIFIER.test(conversationId) ? await this.repository.find(conversationId, withLog) : null;
    if (!row) throw new CodedError('CONVERSATION_NOT_FOUND', 'No conversation with this id has been stored.');
    return row;
  }
}

function parseLimit(text: string): number | undefined {
  const value = Number(text);
  return /^\d{1,4}$/.test(text) && value >= 1 && value <= LARGEST_PAGE ? value : undefined;
}

function encodeCursor(position: ListPosition): string {
  return Buffer.from(`${position.accepted_at.getTime()} ${position.conversation_id}`).toString('base64url');
}

function decodeCursor(cursor: string): ListPosition | undefined {
  const match = /^(\d{1,15}) ([!-~]{3,255})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'));
  return match ? { accepted_at: new Date(Number(match[1])), conversation_id: match[2] } : undefined;
}
