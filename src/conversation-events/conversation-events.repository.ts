import { Inject, Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { QueryRunner, Repository, SelectQueryBuilder } from 'typeorm';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { DatabaseNotReady } from '../database/database-errors';
import { execute, type Statement } from '../database/statement';
import { foldIntoFriendshipStatus, foldOneIntoFriendshipStatus } from '../friendship-status/friendship-fold.sql';
import type { Analysis } from '../scoring/analyser';
import type { ScoreBreakdown } from '../scoring/score-breakdown';
import type { PreparedConversation } from './conversation-end';
import { ConversationEventEntity, type EventStatus } from './conversation-event.entity';
import { Tombstones } from './tombstones';

/** What the worker needs to know of an event. The log is null when the event is settled, or purged. */
export interface LoadedEvent {
  readonly conversation_id: string;
  readonly user_id: string;
  readonly bot_type: string;
  readonly status: EventStatus;
  readonly attempt_count: number;
  readonly last_error_code: string | null;
  readonly accepted_at: Date;
  /** The lines as JSON text: a long one is parsed elsewhere. */
  readonly conversation_log: string | null;
  readonly analysis: Analysis | null;
  readonly user_initiated_questions: number | null;
  readonly session_emotion: string | null;
  readonly new_memories_count: number | null;
}

/** An event and what it is worth. */
export interface ScoredEvent {
  readonly conversationId: string;
  readonly score: ScoreBreakdown;
}

const STORED_COLUMNS = `conversation_id, user_id, bot_id, bot_name, bot_type, agent_tag, start_time, end_time, conversation_log,
            user_initiated_questions, session_emotion, new_memories_count, fingerprint`;

/** Of the values of an insert. */
const LOG_COLUMN = 8;

const INSERT: Statement = {
  name: 'conversation_events_insert',
  text: `INSERT INTO conversation_events (${STORED_COLUMNS})
         SELECT $1, $2, $3, $4, $5, $6, $7::timestamptz, $8::timestamptz, $9::json, $10::int, $11, $12::int, $13::bytea
          WHERE ${isNotErased('$14', '$15', '$8::timestamptz')}
         ON CONFLICT (conversation_id) DO NOTHING
         RETURNING accepted_at`,
};

/**
 * The same for several in one transaction. Two groups that share ids wait for each other's, in the same order since the ids come
 * sorted. Should the planner choose another order, PostgreSQL ends the deadlock and the group is split. The logs come as one JSON array:
 * as an array of texts, each would have its quotes escaped, which held the event loop for 90 ms on a busy machine where there were 50 logs of 32 KiB.
 */
const INSERT_GROUP: Statement = {
  name: 'conversation_events_insert_group',
  text: `INSERT INTO conversation_events (${STORED_COLUMNS})
         SELECT ${STORED_COLUMNS}
           FROM ROWS FROM (
                  unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[]),
                  json_array_elements($9::json),
                  unnest($10::int[], $11::text[], $12::int[], $13::bytea[], $14::bytea[], $15::bytea[]))
             AS posted (${STORED_COLUMNS}, conversation_hash, user_hash)
          WHERE ${isNotErased('conversation_hash', 'user_hash', 'end_time')}
         ON CONFLICT (conversation_id) DO NOTHING
         RETURNING conversation_id, accepted_at`,
};

function isNotErased(conversationHash: string, userHash: string, endTime: string): string {
  return `NOT EXISTS (SELECT FROM tombstones WHERE key_hash = ${conversationHash})
            AND NOT EXISTS (SELECT FROM tombstones WHERE key_hash = ${userHash} AND erased_at >= ${endTime})`;
}

const WHAT_IS_LOADED = `
         SELECT conversation_id, user_id, bot_type, status, attempt_count, last_error_code, accepted_at,
                CASE WHEN status = 'PENDING' THEN conversation_log::text END AS conversation_log,
                analysis, user_initiated_questions, session_emotion, new_memories_count
           FROM conversation_events`;

export const LOAD: Statement = {
  name: 'conversation_events_load',
  text: `${WHAT_IS_LOADED} WHERE conversation_id = $1`,
};

const LOAD_GROUP: Statement = {
  name: 'conversation_events_load_group',
  text: `${WHAT_IS_LOADED} WHERE conversation_id = ANY ($1)`,
};

const IS_ANOTHER: Statement = {
  name: 'conversation_events_is_another',
  text: 'SELECT FROM conversation_events WHERE conversation_id = $1 AND fingerprint <> $2',
};

/**
 * Keeps answers of external services, which cost seconds and money. What is lost with a crash of the server is only asked
 * again, so nobody waits for the disk. Rows are taken in the order of their ids, as by everybody who takes several.
 */
const SAVE_ANALYSES: Statement = {
  name: 'conversation_events_save_analyses',
  text: `UPDATE conversation_events AS event SET analysis = coalesce(event.analysis, '{}') || answer.analysis
           FROM (SELECT conversation_id, analysis, set_config('synchronous_commit', 'off', true)
                   FROM unnest($1::text[], $2::jsonb[]) AS given (conversation_id, analysis)
                  ORDER BY conversation_id) AS answer
          WHERE event.conversation_id = answer.conversation_id AND status = 'PENDING'`,
};

/**
 * Claim and fold in one statement, which is one transaction: the row lock that the claim takes makes a second delivery
 * wait, find the event no longer PENDING, and count nothing.
 */
export const APPLY_SCORE: Statement = {
  name: 'conversation_events_apply_score',
  text: `WITH counted AS (
           UPDATE conversation_events AS event SET
                  ${whatCountingSets('$2::numeric', '$3::jsonb', '$4', '$6')}
            WHERE conversation_id = $1 AND status = 'PENDING'
        RETURNING user_id, bot_id, end_time, business_day, topic_id, $2::numeric AS change, $5::bigint AS turns)
         ${foldOneIntoFriendshipStatus('counted')}`,
};

/**
 * The same for a group. One transaction takes the locks of several events; the ids come sorted, so that two groups take those that
 * they share in the same order. Should the planner choose another order, PostgreSQL ends the deadlock and the group is split.
 */
const APPLY_SCORES: Statement = {
  name: 'conversation_events_apply_scores',
  text: `WITH scored AS (
           SELECT * FROM unnest($1::varchar[], $2::numeric[], $3::jsonb[], $4::varchar[], $5::bigint[])
               AS scored (conversation_id, change, breakdown, rule_version, turns)
         ), counted AS (
           UPDATE conversation_events AS event SET
                  ${whatCountingSets('scored.change', 'scored.breakdown', 'scored.rule_version', '$6')}
             FROM scored WHERE event.conversation_id = scored.conversation_id AND event.status = 'PENDING'
        RETURNING event.conversation_id, user_id, bot_id, end_time, business_day, topic_id, change, turns
         ), folded AS (${foldIntoFriendshipStatus('counted')})
         SELECT conversation_id FROM counted`,
};

function whatCountingSets(change: string, breakdown: string, ruleVersion: string, timeZone: string): string {
  return `status = 'PROCESSED', attempt_count = attempt_count + 1, processed_at = clock_timestamp(),
                  friendship_score_change = ${change}, score_breakdown = ${breakdown}, rule_version = ${ruleVersion},
                  topic_id = (SELECT topic_id FROM topic_agents WHERE topic_agents.agent_tag = event.agent_tag),
                  business_day = (end_time AT TIME ZONE ${timeZone})::date, publish_due_at = NULL`;
}

/** Takes the row's lock; a second delivery finds it no longer PENDING. */
const SKIP: Statement = {
  name: 'conversation_events_skip',
  text: `UPDATE conversation_events
            SET status = 'SKIPPED', attempt_count = attempt_count + 1, processed_at = clock_timestamp(), publish_due_at = NULL
          WHERE conversation_id = $1 AND status = 'PENDING'`,
};

/**
 * Counts a failed attempt; after the last one the event is FAILED. The sweeper looks again well after the retry is due, or after the
 * dead letter should have been recorded: a letter may be lost with its queue.
 */
const RECORD_FAILURE: Statement = {
  name: 'conversation_events_record_failure',
  text: `UPDATE conversation_events SET
                attempt_count = attempt_count + 1,
                first_error_code = coalesce(first_error_code, $2), last_error_code = $2,
                status = CASE WHEN attempt_count + 1 >= $3 THEN 'FAILED' ELSE status END,
                publish_due_at = now() + make_interval(secs => 300 + CASE WHEN attempt_count + 1 >= $3 THEN 0
                                                                          ELSE ($4::int[])[attempt_count + 1] / 1000.0 END)
          WHERE conversation_id = $1 AND status = 'PENDING'
      RETURNING attempt_count, status`,
};

/** "Was never queued", which is due at any time; written only when a publish is known to have failed. */
const MARK_UNPUBLISHED: Statement = {
  name: 'conversation_events_mark_unpublished',
  text: `UPDATE conversation_events SET publish_due_at = '-infinity' WHERE conversation_id = $1 AND status = 'PENDING'`,
};

const HAS_SETTLING_DEAD_LETTER: Statement = {
  name: 'dead_letters_settling_event',
  text: `SELECT FROM dead_letters WHERE conversation_id = $1 AND settles_event AND state IN ('OPEN', 'DISCARDED')`,
};

const IS_ERASED: Statement = {
  name: 'tombstones_is_erased',
  text: 'SELECT FROM tombstones WHERE key_hash = $1',
};

/** Where a page of a listing ended: events come newest first. */
export interface ListPosition {
  readonly accepted_at: Date;
  readonly conversation_id: string;
}

/** All SQL on `conversation_events`. Every method on the worker's path takes the runner of its scope. */
@Injectable()
export class ConversationEventsRepository {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @InjectRepository(ConversationEventEntity) private readonly events: Repository<ConversationEventEntity>,
    private readonly tombstones: Tombstones,
  ) {}

  /** @returns when it was stored; undefined if an event with this id was there before (which is left as it is), or was erased */
  async insert(runner: QueryRunner, conversation: PreparedConversation): Promise<Date | undefined> {
    const { rows } = await execute<{ accepted_at: Date }>(runner, INSERT, this.valuesOf(conversation));
    return rows[0]?.accepted_at;
  }

  /** Like {@link insert}, for several in one transaction: in their order. Of two with the same id, the first is stored. */
  async insertGroup(
    runner: QueryRunner,
    conversations: readonly PreparedConversation[],
  ): Promise<(Date | undefined)[]> {
    const firsts = new Map<string, PreparedConversation>();
    for (const conversation of conversations) {
      const { conversation_id } = conversation.fields;
      if (!firsts.has(conversation_id)) firsts.set(conversation_id, conversation);
    }
    const values = [...firsts.keys()].sort().map((id) => this.valuesOf(firsts.get(id) as PreparedConversation));
    const columns: unknown[] = values[0].map((_, column) => values.map((row) => row[column]));
    columns[LOG_COLUMN] = `[${values.map((row) => row[LOG_COLUMN]).join(',')}]`;
    const { rows } = await execute<{ conversation_id: string; accepted_at: Date }>(runner, INSERT_GROUP, columns);
    const accepted = new Map(rows.map((row) => [row.conversation_id, row.accepted_at]));
    return conversations.map((conversation) => {
      const { conversation_id } = conversation.fields;
      return firsts.get(conversation_id) === conversation ? accepted.get(conversation_id) : undefined;
    });
  }

  private valuesOf({ fields, logJson, hash }: PreparedConversation): unknown[] {
    return [
      fields.conversation_id,
      fields.user_id,
      fields.bot_id,
      fields.bot_name,
      fields.bot_type,
      fields.agent_tag,
      fields.start_time,
      fields.end_time,
      logJson,
      fields.user_initiated_questions,
      fields.session_emotion,
      fields.new_memories_count,
      hash,
      this.tombstones.ofConversation(fields.conversation_id),
      this.tombstones.ofUser(fields.user_id),
    ];
  }

  /** One read by primary key; takes no lock, since the claim decides. */
  async load(runner: QueryRunner, conversationId: string): Promise<LoadedEvent | undefined> {
    const { rows } = await execute<LoadedEvent>(runner, LOAD, [conversationId]);
    return rows[0];
  }

  /** Whether another conversation is stored under this one's id. */
  async isAnother(runner: QueryRunner, { fields, hash }: PreparedConversation): Promise<boolean> {
    const { rowCount } = await execute(runner, IS_ANOTHER, [fields.conversation_id, hash]);
    return rowCount === 1;
  }

  /** Like {@link load}, for several: in the order of the ids. */
  async loadGroup(runner: QueryRunner, conversationIds: readonly string[]): Promise<(LoadedEvent | undefined)[]> {
    const { rows } = await execute<LoadedEvent>(runner, LOAD_GROUP, [conversationIds]);
    const events = new Map(rows.map((event) => [event.conversation_id, event]));
    return conversationIds.map((id) => events.get(id));
  }

  /** Several events' answers in one statement; an event that was settled meanwhile needs none. */
  async saveAnalyses(runner: QueryRunner, answers: ReadonlyMap<string, Analysis>): Promise<void> {
    const analyses = [...answers.values()].map((analysis) => JSON.stringify(analysis));
    await execute(runner, SAVE_ANALYSES, [[...answers.keys()], analyses]);
  }

  /** @returns false when the event was settled meanwhile: nothing was counted */
  async applyScore(runner: QueryRunner, conversationId: string, score: ScoreBreakdown): Promise<boolean> {
    const { rowCount } = await execute(runner, APPLY_SCORE, [
      conversationId,
      score.friendship_score_change,
      JSON.stringify(score),
      score.rule_version,
      score.total_turns,
      this.environment.BUSINESS_TIME_ZONE,
    ]);
    return rowCount === 1;
  }

  /** Like {@link applyScore}, for several in one transaction: in the order of the scores. An event that stands in it twice counts once. */
  async applyScores(runner: QueryRunner, scored: readonly ScoredEvent[]): Promise<boolean[]> {
    const byId = new Map(scored.map((event) => [event.conversationId, event]));
    const sorted = [...byId.keys()].sort();
    const scores = sorted.map((id) => (byId.get(id) as ScoredEvent).score);
    const { rows } = await execute<{ conversation_id: string }>(runner, APPLY_SCORES, [
      sorted,
      scores.map((score) => score.friendship_score_change),
      scores.map((score) => JSON.stringify(score)),
      scores.map((score) => score.rule_version),
      scores.map((score) => score.total_turns),
      this.environment.BUSINESS_TIME_ZONE,
    ]);
    const counted = new Set(rows.map((row) => row.conversation_id));
    // The second of two deliveries of one event finds it taken.
    return scored.map(({ conversationId }) => counted.delete(conversationId));
  }

  /** @returns false when the event was settled meanwhile */
  async skip(runner: QueryRunner, conversationId: string): Promise<boolean> {
    const { rowCount } = await execute(runner, SKIP, [conversationId]);
    return rowCount === 1;
  }

  /** @returns the attempts so far and the status now; or that the event was settled meanwhile, or is not there */
  async recordFailure(
    runner: QueryRunner,
    conversationId: string,
    errorCode: string,
    mostAttempts: number,
  ): Promise<{ attempt_count: number; status: EventStatus } | 'settled' | 'unknown'> {
    const { rows } = await execute<{ attempt_count: number; status: EventStatus }>(runner, RECORD_FAILURE, [
      conversationId,
      errorCode,
      mostAttempts,
      this.environment.RETRY_DELAYS,
    ]);
    if (rows.length > 0) return rows[0];
    return (await this.load(runner, conversationId)) ? 'settled' : 'unknown';
  }

  /** Whether a conversation that is not there was erased. */
  async isErased(runner: QueryRunner, conversationId: string): Promise<boolean> {
    const { rowCount } = await execute(runner, IS_ERASED, [this.tombstones.ofConversation(conversationId)]);
    return rowCount === 1;
  }

  async markUnpublished(runner: QueryRunner, conversationId: string): Promise<void> {
    await execute(runner, MARK_UNPUBLISHED, [conversationId]);
  }

  /** Whether an entry that was not replayed is what became of the event. */
  async hasSettlingDeadLetter(runner: QueryRunner, conversationId: string): Promise<boolean> {
    const { rowCount } = await execute(runner, HAS_SETTLING_DEAD_LETTER, [conversationId]);
    return rowCount === 1;
  }

  /** The event without its log, or with it. */
  async find(conversationId: string, withLog = false): Promise<ConversationEventEntity | null> {
    const query = this.query().where({ conversation_id: conversationId });
    if (withLog) query.addSelect(['event.conversation_log', 'event.analysis']);
    return query.getOne();
  }

  /** The event with its fingerprint, to compare a repeated post with. */
  async findWithFingerprint(conversationId: string): Promise<ConversationEventEntity | null> {
    return this.query().addSelect('event.fingerprint').where({ conversation_id: conversationId }).getOne();
  }

  /** Newest first, from after `position`. Served by the index on time, or by the one on user and time. */
  async list(
    filter: { readonly user_id?: string; readonly status?: EventStatus },
    position: ListPosition | undefined,
    limit: number,
  ): Promise<ConversationEventEntity[]> {
    const query = this.query().orderBy({ 'event.accepted_at': 'DESC', 'event.conversation_id': 'DESC' }).limit(limit);
    if (filter.user_id !== undefined) query.andWhere('event.user_id = :user', { user: filter.user_id });
    if (filter.status !== undefined) query.andWhere('event.status = :status', { status: filter.status });
    if (position) {
      query.andWhere('(event.accepted_at, event.conversation_id) < (:at, :id)', {
        at: position.accepted_at,
        id: position.conversation_id,
      });
    }
    return query.getMany();
  }

  /** @throws DatabaseNotReady where TypeORM would not know the entity yet */
  private query(): SelectQueryBuilder<ConversationEventEntity> {
    if (!this.events.manager.dataSource.isInitialized) throw new DatabaseNotReady();
    return this.events.createQueryBuilder('event');
  }
}
