/** The check that follows every run of a benchmark: it must find each way in which a figure could be void. */
import type { PoolClient } from 'pg';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess } from '../support/service-process';
import { until } from '../support/until';

interface Workload {
  readonly EVENT_COLUMNS: Record<string, string>;
  readonly EXPECTED_CHANGE: string;
  readonly EXPECTED_TURNS: string;
  readonly LOGS: readonly object[];
  readonly NUMBER_OF_EVENT: string;
  readonly TIME_ZONE: string;
  readonly TOPIC_AGENTS: readonly { agent_tag: string; topic_id: string }[];
  conversationId(i: number): string;
}

// Plain JavaScript, since scripts/bench.mjs runs them without a compiler.
/* eslint-disable @typescript-eslint/no-require-imports */
const workload = require('../../bench/workload.cjs') as Workload;
const { findWrong } = require('../../bench/checker.cjs') as {
  findWrong(client: PoolClient, expectation: object, options?: { settled?: number }): Promise<string[]>;
};
/* eslint-enable @typescript-eslint/no-require-imports */

const EVENTS = 60;
const CHILDREN = 7;

const EXPECTATION = {
  number: workload.NUMBER_OF_EVENT,
  change: workload.EXPECTED_CHANGE,
  turns: workload.EXPECTED_TURNS,
  timeZone: workload.TIME_ZONE,
};

describe('the check of a benchmark', () => {
  let namespace: Namespace;
  let worker: ServiceProcess;

  beforeAll(async () => {
    namespace = await createNamespace({ MESSAGE_CONCURRENCY_PER_WORKER: '10' });
    const { database } = namespace;
    await database.query('CREATE SCHEMA bench CREATE TABLE logs (variant integer PRIMARY KEY, log json NOT NULL)');
    for (const [variant, log] of workload.LOGS.entries()) {
      await database.query('INSERT INTO bench.logs VALUES ($1, $2)', [variant, JSON.stringify(log)]);
    }
    for (const { agent_tag, topic_id } of workload.TOPIC_AGENTS) {
      await database.query('INSERT INTO topic_agents VALUES ($1, $2)', [agent_tag, topic_id]);
    }
    await database.query(
      `INSERT INTO conversation_events (${Object.keys(workload.EVENT_COLUMNS).join(', ')})
       SELECT ${Object.values(workload.EVENT_COLUMNS).join(', ')}
         FROM generate_series(1::bigint, $1::bigint) AS i JOIN bench.logs ON logs.variant = i % ${workload.LOGS.length}`,
      [EVENTS, CHILDREN],
    );
    worker = await ServiceProcess.start('worker', namespace.variables);
    await worker.ready();
    for (let i = 1; i <= EVENTS; i++) await namespace.broker.send({ conversation_id: workload.conversationId(i) });
    await until('every event to be counted', async () => {
      const { rowCount } = await database.query(`SELECT FROM conversation_events WHERE status = 'PENDING'`);
      return rowCount === 0;
    });
  });

  afterAll(async () => {
    await worker.stop();
    await namespace.remove();
  });

  /** What the check says after somebody meddled; the meddling is undone. */
  async function foundAfter(meddling: string): Promise<string[]> {
    const client = await namespace.database.connect();
    try {
      await client.query('BEGIN');
      const { rowCount } = await client.query(meddling);
      expect(rowCount).toBeGreaterThan(0);
      return await findWrong(client, EXPECTATION, { settled: EVENTS });
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  }

  it('finds nothing wrong with what the service has counted', async () => {
    expect(await foundAfter('SELECT 1')).toEqual([]);
  });

  it.each([
    [
      'a lost score',
      `UPDATE friendship_status SET friendship_score = friendship_score - 1 WHERE user_id = 'child-3'`,
      /^1 children are wrong, such as child-3: another score/,
    ],
    [
      'a wrong score of an event',
      `UPDATE conversation_events SET friendship_score_change = friendship_score_change + 1 WHERE conversation_id = 'bench-00000007'`,
      /^bench-00000007: expected a change of \d+, got \d+/,
    ],
    ['a status that is missing', `DELETE FROM friendship_status WHERE user_id = 'child-1'`, /child-1: no status/],
    [
      'a status of nobody',
      `INSERT INTO friendship_status VALUES ('child-x', 1, now(), '{}', '{}', now())`,
      /child-x: a status without a counted event/,
    ],
    [
      'another last date',
      `UPDATE friendship_status SET last_interaction_date = now() WHERE user_id = 'child-2'`,
      /child-2: another last date/,
    ],
    [
      'other days',
      `UPDATE friendship_status SET interaction_days = '{}' WHERE user_id = 'child-2'`,
      /child-2: other days/,
    ],
    [
      'other topics',
      `UPDATE friendship_status SET topic_metrics = '{}' WHERE user_id = 'child-2'`,
      /child-2: other topics/,
    ],
    [
      'an event that was not counted',
      `UPDATE conversation_events SET status = 'PENDING' WHERE conversation_id = 'bench-00000001'`,
      /^expected 60 events PROCESSED, got 59/,
    ],
    [
      'an event that failed',
      `UPDATE conversation_events SET status = 'FAILED' WHERE conversation_id = 'bench-00000001'`,
      /expected no event SKIPPED or FAILED, got 1/,
    ],
  ])('finds %s', async (_what, meddling, expected) => {
    const found = await foundAfter(meddling);
    expect(found.filter((line) => expected.test(line))).toHaveLength(1);
  });
});
