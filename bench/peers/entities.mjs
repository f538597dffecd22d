// @ts-check
/**
 * What most Nest services do with a message: TypeORM entities, read, changed and saved in a transaction.
 * The event and the child's status are read with a lock, the status after an INSERT that ignores a conflict: without that, two first messages
 * of a child both find no row, and one score is lost.
 */
import { createRequire } from 'node:module';
import { EntitySchema } from 'typeorm';

const built = createRequire(import.meta.url);
const { scoreConversation } = built('../../dist/scoring/score.js');

const text = /** @type {const} */ ({ type: 'varchar', nullable: true });
const instant = /** @type {const} */ ({ type: 'timestamptz', precision: 3, nullable: true });

/** @type {EntitySchema<any>} */
const Event = new EntitySchema({
  name: 'Event',
  tableName: 'conversation_events',
  columns: {
    conversation_id: { type: 'varchar', primary: true },
    user_id: text,
    bot_id: text,
    bot_type: text,
    agent_tag: text,
    end_time: instant,
    conversation_log: { type: 'json', nullable: true },
    user_initiated_questions: { type: 'integer', nullable: true },
    session_emotion: text,
    new_memories_count: { type: 'integer', nullable: true },
    status: text,
    attempt_count: { type: 'integer' },
    processed_at: instant,
    friendship_score_change: { type: 'numeric', nullable: true },
    score_breakdown: { type: 'jsonb', nullable: true },
    rule_version: text,
    topic_id: text,
    business_day: { type: 'date', nullable: true },
  },
});

/** @type {EntitySchema<any>} */
const Status = new EntitySchema({
  name: 'Status',
  tableName: 'friendship_status',
  columns: {
    user_id: { type: 'varchar', primary: true },
    friendship_score: { type: 'numeric' },
    last_interaction_date: instant,
    interaction_days: { type: 'datemultirange' },
    topic_metrics: { type: 'jsonb' },
    updated_at: instant,
  },
});

/** @type {EntitySchema<any>} */
const TopicAgent = new EntitySchema({
  name: 'TopicAgent',
  tableName: 'topic_agents',
  columns: { agent_tag: { type: 'varchar', primary: true }, topic_id: text },
});

const calendar = new Intl.DateTimeFormat('en-CA', { timeZone: process.env.BUSINESS_TIME_ZONE });

/** @returns {import('typeorm').DataSourceOptions} */
export function dataSourceOptions() {
  return {
    type: 'postgres',
    url: process.env.DATABASE_URL,
    entities: [Event, Status, TopicAgent],
    poolSize: Number(process.env.DATABASE_POOL_SIZE ?? 10),
    installExtensions: false,
  };
}

/** @param {import('typeorm').DataSource} dataSource @param {string} conversationId */
export async function processWithEntities(dataSource, conversationId) {
  await dataSource.transaction(async (manager) => {
    const lock = /** @type {const} */ ({ mode: 'pessimistic_write' });
    const event = await manager.findOneOrFail(Event, { where: { conversation_id: conversationId }, lock });
    if (event.status !== 'PENDING') return;
    const breakdown = scoreConversation({
      lines: event.conversation_log,
      userInitiatedQuestions: event.user_initiated_questions,
      sessionEmotion: event.session_emotion,
      newMemoriesCount: event.new_memories_count,
    });
    const topic = event.agent_tag === null ? null : await manager.findOneBy(TopicAgent, { agent_tag: event.agent_tag });
    const day = calendar.format(event.end_time);
    const now = new Date();

    const first = {
      friendship_score: 0,
      last_interaction_date: event.end_time,
      interaction_days: '{}',
      topic_metrics: {},
      updated_at: now,
    };
    await manager
      .createQueryBuilder()
      .insert()
      .into(Status)
      .values({ user_id: event.user_id, ...first })
      .orIgnore()
      .execute();
    const status = await manager.findOneOrFail(Status, { where: { user_id: event.user_id }, lock });
    status.friendship_score = String(Number(status.friendship_score) + breakdown.friendship_score_change);
    if (event.end_time > status.last_interaction_date) status.last_interaction_date = event.end_time;
    status.interaction_days = withDay(status.interaction_days, day);
    if (topic) status.topic_metrics = withTopic(status.topic_metrics, topic.topic_id, event, breakdown);
    status.updated_at = now;
    await manager.save(Status, status);

    event.status = 'PROCESSED';
    event.attempt_count += 1;
    event.friendship_score_change = String(breakdown.friendship_score_change);
    event.score_breakdown = breakdown;
    event.rule_version = breakdown.rule_version;
    event.topic_id = topic?.topic_id ?? null;
    event.business_day = day;
    event.processed_at = new Date();
    await manager.save(Event, event);
  });
}

/** PostgreSQL merges what overlaps or touches. @param {string} multirange @param {string} day */
function withDay(multirange, day) {
  const next = new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
  return multirange === '{}' ? `{[${day},${next})}` : `${multirange.slice(0, -1)},[${day},${next})}`;
}

/** @param {Record<string, any>} metrics @param {string} topicId @param {any} event @param {any} breakdown */
function withTopic(metrics, topicId, event, breakdown) {
  const topic = metrics[topicId] ?? { score: 0, turns: 0, last_date: '', agents_used: [] };
  const last = event.end_time.toISOString();
  return {
    ...metrics,
    [topicId]: {
      score: topic.score + breakdown.friendship_score_change,
      turns: topic.turns + breakdown.total_turns,
      last_date: last > topic.last_date ? last : topic.last_date,
      agents_used: [...new Set([...topic.agents_used, event.bot_id])].sort(),
    },
  };
}
