import type { WrongStatus } from './audit.repository';

/** One thing about a status that is not what the events say. Values as text; null: there is none. */
export interface StatusDifference {
  readonly user_id: string;
  /** A column, one field of a topic (`topic_metrics.movie.score`), or `row` for a whole status that is missing or should not be. */
  readonly what: string;
  readonly expected: string | null;
  readonly got: string | null;
}

/** Names each difference as narrowly as it can. */
export function statusDifferences({ user_id, differing, expected, stored }: WrongStatus): StatusDifference[] {
  if (!expected || !stored) {
    const row = (columns: typeof expected) => (columns ? JSON.stringify(columns) : null);
    return [{ user_id, what: 'row', expected: row(expected), got: row(stored) }];
  }
  return differing.flatMap((column) => {
    const whole = { what: column, expected: expected[column], got: stored[column] };
    const parts = column === 'topic_metrics' ? topicDifferences(expected[column], stored[column]) : [];
    return (parts.length > 0 ? parts : [whole]).map((part) => ({ user_id, ...part }));
  });
}

type Part = Omit<StatusDifference, 'user_id'>;

function topicDifferences(expected: string, got: string): Part[] {
  const [wanted, found] = [objectOf(JSON.parse(expected)), objectOf(JSON.parse(got))];
  return keysOf(wanted, found).flatMap((topic) => {
    const what = `topic_metrics.${topic}`;
    if (!(topic in wanted) || !(topic in found)) return partsOf(what, wanted[topic], found[topic]);
    const [wantedTopic, foundTopic] = [objectOf(wanted[topic]), objectOf(found[topic])];
    return keysOf(wantedTopic, foundTopic).flatMap((field) =>
      partsOf(`${what}.${field}`, wantedTopic[field], foundTopic[field]),
    );
  });
}

function partsOf(what: string, expected: unknown, got: unknown): Part[] {
  const text = (value: unknown) => (value === undefined ? null : JSON.stringify(value));
  return text(expected) === text(got) ? [] : [{ what, expected: text(expected), got: text(got) }];
}

/** Anything else than an object has no topics, and no fields. */
function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function keysOf(...objects: Record<string, unknown>[]): string[] {
  return [...new Set(objects.flatMap((object) => Object.keys(object)))].sort();
}
