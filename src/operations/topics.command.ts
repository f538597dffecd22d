import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import type { INestApplicationContext } from '@nestjs/common';
import { print, UsageError, type Command } from './command';
import { parseTopicAgents } from './topic-agents-file';
import { TopicAgentsRepository } from './topic-agents.repository';

export const importTopics: Command = {
  usage: 'topics import FILE',
  summary:
    'reads agent tags and their topics from a .csv (header agent_tag,topic_id) or .json file; existing tags are updated',
  run,
};

async function run(app: INestApplicationContext, args: string[]): Promise<void> {
  const [file, ...more] = args;
  if (file === undefined || more.length > 0) throw new UsageError(`expected one FILE, got ${args.length} arguments`);
  const format = { '.csv': 'csv', '.json': 'json' }[extname(file).toLowerCase()];
  if (format !== 'csv' && format !== 'json') throw new UsageError(`expected a file named .csv or .json, got ${file}`);
  const text = await readFile(file, 'utf8').catch(() => {
    throw new UsageError(`expected a file that can be read, got ${file}`);
  });
  const rows = parseTopicAgents(text, format);
  const changed = await app.get(TopicAgentsRepository).upsert(rows);
  print(`${rows.length} agent tags read, ${changed} new or changed`);
}
