import { readCsvLine } from './csv';
import type { TopicAgent } from './topic-agents.repository';

/** A file that is not as expected: every problem with its line. */
export class TopicFileError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`The file has ${problems.length} problem(s):\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'TopicFileError';
  }
}

/**
 * Reads `agent_tag,topic_id` pairs from CSV with that header (fields may be quoted), or from a JSON array of objects.
 * @throws TopicFileError
 */
export function parseTopicAgents(text: string, format: 'csv' | 'json'): TopicAgent[] {
  const problems: string[] = [];
  const content = text.replace(/^\uFEFF/, '');
  const records = format === 'json' ? jsonRecords(content) : csvRecords(content);
  const topics = new Map<string, string>();
  for (const { place, problem, agent_tag, topic_id } of records) {
    if (problem !== undefined) {
      problems.push(`${place}: ${problem}`);
      continue;
    }
    for (const [name, value] of Object.entries({ agent_tag, topic_id })) {
      if (typeof value !== 'string' || value.length < 1 || value.length > 255 || value.includes('\0')) {
        problems.push(
          `${place}: ${name}: expected 1 to 255 characters, got ${JSON.stringify(value)?.slice(0, 60) ?? 'nothing'}`,
        );
      }
    }
    const known = topics.get(String(agent_tag));
    if (agent_tag !== undefined && known !== undefined && known !== topic_id) {
      problems.push(`${place}: expected each agent_tag once, got ${JSON.stringify(agent_tag)} for two topics`);
    }
    topics.set(String(agent_tag), String(topic_id));
  }
  if (problems.length > 0) throw new TopicFileError(problems);
  return [...topics].map(([agent_tag, topic_id]) => ({ agent_tag, topic_id }));
}

type TopicRecord = {
  readonly place: string;
  readonly problem?: string;
  readonly agent_tag: unknown;
  readonly topic_id: unknown;
};

function jsonRecords(text: string): TopicRecord[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new TopicFileError(['expected a JSON array, got text that is not JSON']);
  }
  if (!Array.isArray(value)) throw new TopicFileError([`expected a JSON array of objects, got ${typeof value}`]);
  return value.map((item: unknown, index) => {
    const { agent_tag, topic_id } = (item ?? {}) as Partial<TopicAgent>;
    return { place: `item ${index + 1}`, agent_tag, topic_id };
  });
}

const HEADER = 'agent_tag,topic_id';

function csvRecords(text: string): TopicRecord[] {
  const lines = text.split(/\r?\n/);
  if (lines[0]?.trim() !== HEADER) {
    throw new TopicFileError([
      `line 1: expected the header ${HEADER}, got ${JSON.stringify(lines[0]?.slice(0, 60) ?? '')}`,
    ]);
  }
  return lines.flatMap((line, index) => {
    if (index === 0 || line.trim() === '') return [];
    const { problem, fields } = readCsvLine(line, 2);
    return [{ place: `line ${index + 1}`, problem, agent_tag: fields[0], topic_id: fields[1] }];
  });
}
