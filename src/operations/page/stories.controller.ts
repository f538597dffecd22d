import { Controller, Get, Param, UseGuards, VERSION_NEUTRAL } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { messageKey } from '../../conversation-events/crash-guard';
import { ConversationQueriesService } from '../../conversation-events/conversation-queries.service';
import type { EventSummary, EventView } from '../../conversation-events/event-view';
import { SuspectsRepository } from '../../conversation-events/suspects.repository';
import { CodedError } from '../../errors/coded-error';
import { FriendshipStatusService, type FriendshipView } from '../../friendship-status/friendship-status.service';
import { Public } from '../../http/api-key.guard';
import { FailuresRepository, type Letter } from './failures.repository';
import { OperatorGuard } from './operator.guard';
import { timelineOf, type Happening } from './stories';

/** Events of a child that are shown. */
const LISTED_EVENTS = 20;

/** Everything that is known about one event, except what was said. */
interface Story {
  readonly event: EventView;
  readonly dead_letters: readonly Letter[];
  /** How often work on its message began and did not end. */
  readonly suspect_count: number;
  readonly timeline: readonly Happening[];
}

interface Child {
  /** null: nothing of the child was counted yet. */
  readonly friendship: FriendshipView | null;
  readonly events: readonly EventSummary[];
}

/** One event, one child, by id. */
@Public()
@ApiExcludeController()
@UseGuards(OperatorGuard)
@Controller({ path: 'ops/api', version: VERSION_NEUTRAL })
export class StoriesController {
  constructor(
    private readonly queries: ConversationQueriesService,
    private readonly friendships: FriendshipStatusService,
    private readonly failures: FailuresRepository,
    private readonly suspects: SuspectsRepository,
  ) {}

  /** @throws CodedError `CONVERSATION_NOT_FOUND` */
  @Get('conversations/:conversation_id')
  async conversation(@Param('conversation_id') conversationId: string): Promise<Story> {
    const event = await this.queries.get(conversationId, false);
    const key = messageKey({ messageId: conversationId, body: Buffer.alloc(0) });
    const [letters, starts] = await Promise.all([
      this.failures.ofConversation(conversationId),
      this.suspects.starts(key),
    ]);
    return { event, dead_letters: letters, suspect_count: starts, timeline: timelineOf(event, letters) };
  }

  /** @throws CodedError `FRIENDSHIP_NOT_FOUND` when nothing at all is known of the child, `VALIDATION_FAILED` */
  @Get('children/:user_id')
  async child(@Param('user_id') userId: string): Promise<Child> {
    const query = { user_id: userId, limit: String(LISTED_EVENTS), status: undefined, cursor: undefined };
    const [{ items }, friendship] = await Promise.all([this.queries.list(query), this.friendshipOf(userId)]);
    if (!friendship && items.length === 0) {
      throw new CodedError('FRIENDSHIP_NOT_FOUND', 'No conversation of this user has been stored.');
    }
    return { friendship, events: items };
  }

  private async friendshipOf(userId: string): Promise<FriendshipView | null> {
    try {
      return await this.friendships.get(userId);
    } catch (error) {
      if (error instanceof CodedError && error.code === 'FRIENDSHIP_NOT_FOUND') return null;
      throw error;
    }
  }
}
