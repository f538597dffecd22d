import fc from 'fast-check';
import { DataSource, type QueryRunner } from 'typeorm';
import { readEnvironment, type Environment } from '../../src/config/environment';
import { ConversationEventEntity } from '../../src/conversation-events/conversation-event.entity';
import { ConversationEventsRepository } from '../../src/conversation-events/conversation-events.repository';
import { Tombstones } from '../../src/conversation-events/tombstones';
import { dataSourceOptions } from '../../src/database/data-source';
import type { FriendshipStatusEntity } from '../../src/friendship-status/friendship-status.entity';
import { toView } from '../../src/friendship-status/friendship-status.service';
import { scoreComponents } from '../../src/scoring/score';
import { createNamespace, type Namespace } from '../support/namespace';
import vectors from '../vectors/scoring.json';

interface Happening {
  readonly bot_id: string;
  readonly agent_tag: string | null;
  readonly end_time: string;
  readonly total_turns: number;
  readonly user_initiated_questions: number;
  readonly session_emotion: string | null;
  readonly new_memories_count: number;
}

describe('the fold of events into a friendship status', () => {
  let namespace: Namespace;
  let dataSource: DataSource;
  let repository: ConversationEventsRepository;
  let runner: QueryRunner;
  let children = 0;

  beforeAll(async () => {
    namespace = await createNamespace();
    const environment: Environment = readEnvironment(namespace.variables);
    dataSource = await new DataSource({
      ...dataSourceOptions(environment),
      entities: [ConversationEventEntity],
    }).initialize();
    repository = new ConversationEventsRepository(
      environment,
      dataSource.getRepository(ConversationEventEntity),
      new Tombstones(environment),
    );
    runner = dataSource.createQueryRunner();
  });
  afterAll(async () => {
    await runner.release();
    await dataSource.destroy();
    await namespace.remove();
  });

  /**
   * Stores the happenings as events of a new child and applies them in the given order (indexes, repeats allowed): one by one, or
   * `groupSize` at once.
   */
  async function statusAfter(happenings: readonly Happening[], order: readonly number[], groupSize?: number) {
    const child = `child-${++children}`;
    for (const [index, happening] of happenings.entries()) {
      const end = new Date(happening.end_time);
      await repository.insert(runner, {
        fields: {
          conversation_id: `${child}-${index}`,
          user_id: child,
          bot_id: happening.bot_id,
          bot_name: 'Bot',
          bot_type: 'TALK',
          agent_tag: happening.agent_tag,
          start_time: new Date(end.getTime() - 60_000),
          end_time: end,
          user_initiated_questions: happening.user_initiated_questions,
          session_emotion: happening.session_emotion,
          new_memories_count: happening.new_memories_count,
        },
        logJson: '[]',
        hash: Buffer.alloc(32),
      });
    }
    const changes: number[] = [];
    const scored = order.map((index) => {
      const happening = happenings[index];
      const score = scoreComponents({
        totalTurns: happening.total_turns,
        userInitiatedQuestions: happening.user_initiated_questions,
        sessionEmotion: happening.session_emotion,
        newMemoriesCount: happening.new_memories_count,
      });
      changes[index] = score.friendship_score_change;
      return { conversationId: `${child}-${index}`, score };
    });
    if (groupSize === undefined) {
      for (const { conversationId, score } of scored) await repository.applyScore(runner, conversationId, score);
    } else {
      for (let start = 0; start < scored.length; start += groupSize) {
        await repository.applyScores(runner, scored.slice(start, start + groupSize));
      }
    }
    const { rows } = await namespace.database.query(
      `SELECT 'any' AS user_id, friendship_score, last_interaction_date, interaction_days::text, topic_metrics
         FROM friendship_status WHERE user_id = $1`,
      [child],
    );
    return { changes, row: rows[0] as FriendshipStatusEntity | undefined };
  }

  async function topics(rows: readonly { agent_tag: string; topic_id: string }[]) {
    await namespace.database.query('DELETE FROM topic_agents');
    for (const { agent_tag, topic_id } of rows) {
      await namespace.database.query('INSERT INTO topic_agents VALUES ($1, $2)', [agent_tag, topic_id]);
    }
  }

  it.each(vectors.folds.map((fold) => [fold.about, fold] as const))('%s', async (_about, fold) => {
    await topics(fold.topic_agents);
    const indexes = fold.events.map((_, index) => index);
    for (const order of [indexes, [...indexes].reverse(), [...indexes, ...indexes]]) {
      const { changes, row } = await statusAfter(fold.events, order);
      expect(changes).toEqual(fold.events.map(({ change }) => change));
      const view = toView(row!);
      const { topic_metrics, ...rest } = fold.status;
      expect(view).toMatchObject(rest);
      expect(view.topics).toEqual(topic_metrics);
    }
  });

  it.each(vectors.streaks.map((streak) => [streak.about ?? 'days', streak] as const))(
    'streak: %s',
    async (_about, streak) => {
      const happenings = streak.end_times.map((end_time) => ({ ...QUIET, end_time }));
      const { row } = await statusAfter(
        happenings,
        happenings.map((_, index) => index),
      );
      expect(toView(row!).streak_day).toBe(streak.streak_day);
    },
  );

  it('gives the same row for any order, any duplication and any grouping of a random set of conversations', async () => {
    await topics([
      { agent_tag: 'tag-1', topic_id: 'topic-1' },
      { agent_tag: 'tag-2', topic_id: 'topic-1' },
      { agent_tag: 'tag-3', topic_id: 'topic-2' },
    ]);
    const happening = fc.record({
      bot_id: fc.constantFrom('bot-a', 'bot-b', 'Bot-ü', 'bot "c"'),
      agent_tag: fc.constantFrom(null, 'tag-1', 'tag-2', 'tag-3', 'nobody'),
      end_time: fc
        .date({ min: new Date('2026-11-01T00:00:00Z'), max: new Date('2026-11-20T00:00:00Z'), noInvalidDate: true })
        .map((date) => date.toISOString()),
      total_turns: fc.nat(40),
      user_initiated_questions: fc.nat(1000),
      session_emotion: fc.constantFrom(null, 'interesting', 'boring', 'happy'),
      new_memories_count: fc.nat(1000),
    });
    const scenario = fc.array(happening, { minLength: 1, maxLength: 8 }).chain((happenings) => {
      const indexes = happenings.map((_, index) => index);
      const extra = fc.array(fc.constantFrom(...indexes), { maxLength: 6 });
      const order = extra.chain((more) =>
        fc.shuffledSubarray([...indexes, ...more], { minLength: indexes.length + more.length }),
      );
      return fc.tuple(fc.constant(happenings), order, fc.integer({ min: 1, max: 15 }));
    });
    await fc.assert(
      fc.asyncProperty(scenario, async ([happenings, order, groupSize]) => {
        const straight = await statusAfter(
          happenings,
          happenings.map((_, index) => index),
        );
        const shuffled = await statusAfter(happenings, order);
        expect(shuffled.row).toEqual(straight.row);
        const grouped = await statusAfter(happenings, order, groupSize);
        expect(grouped.row).toEqual(straight.row);
        const sum = straight.changes.reduce((total, change) => total + change, 0);
        expect(Number(straight.row!.friendship_score)).toBe(sum);
      }),
      { numRuns: 60 },
    );
  });
});

const QUIET: Omit<Happening, 'end_time'> = {
  bot_id: 'bot',
  agent_tag: null,
  total_turns: 1,
  user_initiated_questions: 0,
  session_emotion: null,
  new_memories_count: 0,
};
