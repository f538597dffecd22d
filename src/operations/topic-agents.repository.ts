import { Injectable } from '@nestjs/common';
import { QueryRunners } from '../database/query-runners';
import { execute, type Statement } from '../database/statement';

/** Which topic an agent's tag stands for. */
export interface TopicAgent {
  readonly agent_tag: string;
  readonly topic_id: string;
}

const UPSERT: Statement = {
  name: 'topic_agents_upsert',
  text: `INSERT INTO topic_agents (agent_tag, topic_id) SELECT * FROM unnest($1::text[], $2::text[])
         ON CONFLICT (agent_tag) DO UPDATE SET topic_id = excluded.topic_id WHERE topic_agents.topic_id <> excluded.topic_id`,
};

@Injectable()
export class TopicAgentsRepository {
  constructor(private readonly queryRunners: QueryRunners) {}

  /** All or none. Events that were processed before keep the topic they had. @returns how many rows were new or changed */
  async upsert(rows: readonly TopicAgent[]): Promise<number> {
    const { rowCount } = await this.queryRunners.use((runner) =>
      execute(runner, UPSERT, [rows.map((row) => row.agent_tag), rows.map((row) => row.topic_id)]),
    );
    return rowCount ?? 0;
  }
}
