import { Injectable } from '@nestjs/common';
import { GroupedWork } from '../database/grouped-work';
import { QueryRunners } from '../database/query-runners';
import { CodedError } from '../errors/coded-error';
import { Metrics } from '../observability/metrics';
import type { PreparedConversation } from './conversation-end';
import { ConversationEventsRepository } from './conversation-events.repository';
import { EventPublisher } from './event-publisher';
import { Lanes } from './lanes';
import { LONG_LOG, LongLogs } from './long-logs';
import { toEventView, type EventView } from './event-view';

/** What became of a post. */
export interface Accepted {
  readonly event: EventView;
  /** The same conversation was posted before; it counts once. */
  readonly duplicate: boolean;
  /** Known to be on the queue; if not, it will be once the broker takes it. */
  readonly queued: boolean;
}

/** Posts stored in one statement; whoever waits for the disk meanwhile makes up the next group. */
const LARGEST_GROUP = 50;

/** Takes conversations in: validate, store, queue. The insert is committed before the message is published. */
@Injectable()
export class ConversationIntakeService {
  /** A commit waits for the disk, so posts that come together share one; each has its own answer. */
  private readonly inserts = new GroupedWork<PreparedConversation, Date | undefined>(
    'insert group',
    (posts) => this.queryRunners.use((runner) => this.repository.insertGroup(runner, posts)),
    LARGEST_GROUP,
  );

  constructor(
    private readonly queryRunners: QueryRunners,
    private readonly repository: ConversationEventsRepository,
    private readonly publisher: EventPublisher,
    private readonly metrics: Metrics,
    private readonly logs: LongLogs,
    private readonly lanes: Lanes,
  ) {}

  /**
   * @param body parsed, or the bytes of a long one
   * @throws CodedError `VALIDATION_FAILED`, `MALFORMED_JSON`, or `CONVERSATION_CONFLICT` when the id is taken by another conversation,
   * `CONVERSATION_ERASED`
   */
  async accept(body: unknown): Promise<Accepted> {
    const prepared = await this.logs.prepare(body);
    const acceptedAt = await this.store(prepared);
    if (!acceptedAt) return this.acceptAgain(prepared);
    const { fields } = prepared;
    const lane = this.lanes.of(fields, prepared.logJson);
    const queued = await this.publisher.publishOrMark(fields, lane, acceptedAt);
    this.metrics.of.accepted.inc({ result: queued ? 'queued' : 'stored' });
    return { event: newEventView(fields, acceptedAt), duplicate: false, queued };
  }

  /** @returns as {@link ConversationEventsRepository.insert}; a long log is company enough for itself */
  private store(prepared: PreparedConversation): Promise<Date | undefined> {
    if (prepared.logJson.length < LONG_LOG) return this.inserts.do(prepared);
    return this.queryRunners.use((runner) => this.repository.insert(runner, prepared));
  }

  private async acceptAgain({ fields, hash }: PreparedConversation): Promise<Accepted> {
    const stored = await this.repository.findWithFingerprint(fields.conversation_id);
    if (!stored) {
      throw new CodedError('CONVERSATION_ERASED', 'This child was erased, with every conversation up to then.');
    }
    if (!stored.fingerprint.equals(hash)) {
      throw new CodedError(
        'CONVERSATION_CONFLICT',
        'A conversation with this id was posted before, with other content. The stored one is unchanged.',
      );
    }
    this.metrics.of.accepted.inc({ result: 'duplicate' });
    return { event: toEventView(stored), duplicate: true, queued: true };
  }
}

function newEventView(conversation: PreparedConversation['fields'], acceptedAt: Date): EventView {
  return toEventView({
    ...conversation,
    status: 'PENDING',
    attempt_count: 0,
    first_error_code: null,
    last_error_code: null,
    accepted_at: acceptedAt,
    processed_at: null,
    friendship_score_change: null,
    score_breakdown: null,
    rule_version: null,
    topic_id: null,
    business_day: null,
  });
}
