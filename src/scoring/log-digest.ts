import type { AnalysedLine } from './analyser';
import { countTurns } from './score';
import { lastLines } from './transcript';

/** All that scoring needs to know of a log. */
export interface LogDigest {
  readonly totalTurns: number;
  /** For analysers; empty where none is asked. */
  readonly transcript: readonly AnalysedLine[];
}

/**
 * @param json the stored lines
 * @param mostChars how much of the text analysers may see; 0 where none is asked
 */
export function digestLog(json: string, mostChars: number): LogDigest {
  const lines = JSON.parse(json) as AnalysedLine[];
  return { totalTurns: countTurns(lines), transcript: lastLines(lines, mostChars) };
}

/** A line of the child, in the JSON that is stored: a text that looks like it would have its quotes escaped. */
const CHILD_LINE = '"speaker":"user"';

/** Without parsing: {@link digestLog} may have to do that in a worker thread. */
export function childSpoke(json: string): boolean {
  return json.includes(CHILD_LINE);
}
