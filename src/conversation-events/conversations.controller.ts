import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { problemResponse } from '../http/problem-docs';
import { MOST_LOG_ITEMS, conversationEndJsonSchema } from './conversation-end.schema';
import { EVENT_EXAMPLE, SCORE_EXAMPLE } from './conversations.examples';
import { EVENT_STATUSES } from './conversation-event.entity';
import { ConversationIntakeService } from './conversation-intake.service';
import {
  ConversationQueriesService,
  DEFAULT_PAGE,
  LARGEST_PAGE,
  type EventPage,
  type ListQuery,
} from './conversation-queries.service';
import type { EventView } from './event-view';

/** The answer that the backend knows from the service's predecessor. */
interface AcceptedAnswer {
  readonly success: true;
  readonly message: string;
  /** `duplicate` is true when the same conversation had been posted before. */
  readonly data: EventView & { readonly duplicate: boolean };
}

@ApiTags('conversations')
@Controller('conversations')
export class ConversationsController {
  constructor(
    private readonly intake: ConversationIntakeService,
    private readonly queries: ConversationQueriesService,
  ) {}

  @Post('end')
  @HttpCode(202)
  @ApiOperation({
    summary: 'A conversation ended: store it and queue it',
    description:
      'Answers 202 as soon as the event is committed, also when the broker is away. The same conversation may be posted again: it counts once. ' +
      `Unknown fields are ignored. A log holds at most ${MOST_LOG_ITEMS} items.`,
  })
  @ApiBody({ schema: conversationEndJsonSchema() })
  @ApiResponse({
    status: 202,
    description: 'Stored',
    example: { success: true, message: 'Conversation accepted and queued.', data: EVENT_EXAMPLE },
  })
  @problemResponse('MALFORMED_JSON', 'UNAUTHORIZED', 'CONVERSATION_CONFLICT', 'CONVERSATION_ERASED', 'BODY_TOO_LARGE')
  @problemResponse('UNSUPPORTED_MEDIA_TYPE', 'VALIDATION_FAILED', 'TOO_MANY_REQUESTS', 'DATABASE_UNAVAILABLE')
  async end(@Body() body: unknown): Promise<AcceptedAnswer> {
    const { event, duplicate, queued } = await this.intake.accept(body);
    return { success: true, message: acceptedMessage(duplicate, queued), data: { ...event, duplicate } };
  }

  @Get()
  @ApiOperation({ summary: 'Stored conversations, newest first, without their logs' })
  @ApiQuery({ name: 'user_id', required: false, description: 'Only this child' })
  @ApiQuery({ name: 'status', required: false, enum: EVENT_STATUSES })
  @ApiQuery({ name: 'cursor', required: false, description: 'The `next_cursor` of the page before' })
  @ApiQuery({ name: 'limit', required: false, description: `1..${LARGEST_PAGE}, default ${DEFAULT_PAGE}` })
  @ApiResponse({ status: 200, description: 'One page', example: { items: [EVENT_EXAMPLE], next_cursor: null } })
  @problemResponse('UNAUTHORIZED', 'TOO_MANY_REQUESTS', 'VALIDATION_FAILED', 'DATABASE_UNAVAILABLE')
  list(@Query() query: ListQuery): Promise<EventPage> {
    return this.queries.list(query);
  }

  @Get(':conversation_id')
  @ApiOperation({ summary: 'One conversation: status, attempts, score and how it came about' })
  @ApiParam({ name: 'conversation_id', example: EVENT_EXAMPLE.conversation_id })
  @ApiQuery({ name: 'include', required: false, enum: ['conversation_log'], description: 'Also the stored lines' })
  @ApiResponse({ status: 200, description: 'The event', example: { ...EVENT_EXAMPLE, score_breakdown: SCORE_EXAMPLE } })
  @problemResponse('UNAUTHORIZED', 'TOO_MANY_REQUESTS', 'CONVERSATION_NOT_FOUND', 'DATABASE_UNAVAILABLE')
  get(@Param('conversation_id') conversationId: string, @Query('include') include?: unknown): Promise<EventView> {
    return this.queries.get(conversationId, include === 'conversation_log');
  }

  @Post(':conversation_id/score')
  @HttpCode(200)
  @ApiOperation({ summary: 'Dry run: what the current rules make of a stored conversation; nothing is stored' })
  @ApiParam({ name: 'conversation_id', example: EVENT_EXAMPLE.conversation_id })
  @ApiResponse({
    status: 200,
    description: 'The breakdown',
    example: { conversation_id: EVENT_EXAMPLE.conversation_id, ...SCORE_EXAMPLE },
  })
  @problemResponse('UNAUTHORIZED', 'TOO_MANY_REQUESTS', 'CONVERSATION_NOT_FOUND', 'DATABASE_UNAVAILABLE')
  async score(@Param('conversation_id') conversationId: string) {
    return { conversation_id: conversationId, ...(await this.queries.dryRun(conversationId)) };
  }
}

function acceptedMessage(duplicate: boolean, queued: boolean): string {
  if (duplicate) return 'Conversation was accepted before; it counts once.';
  return queued ? 'Conversation accepted and queued.' : 'Conversation accepted; it is queued when the broker is back.';
}
