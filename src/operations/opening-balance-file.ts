/** Reads a file of opening balances line by line, however long it is. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { readCsvLine } from './csv';
import { readOpeningBalance, type ReadBalance } from './opening-balance';

export const BALANCE_FORMATS = ['.csv', '.jsonl', '.ndjson'] as const;

/** What the first line of a CSV file has to name; the order is free, the level may be missing. */
const COLUMNS = ['user_id', 'friendship_score', 'last_interaction_date', 'streak_day', 'topics'];

/** A line of the file, from 1 on. */
export type BalanceLine = ReadBalance & { readonly line: number };

/** @param format by the file's name */
export async function* readBalances(
  file: string,
  format: (typeof BALANCE_FORMATS)[number],
  now: Date,
): AsyncGenerator<BalanceLine> {
  const lines = createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Infinity });
  let header: string[] | undefined;
  let number = 0;
  for await (const text of lines) {
    number++;
    const content = number === 1 ? text.replace(/^\uFEFF/, '') : text;
    if (content.trim() === '') continue;
    if (format !== '.csv') yield { line: number, ...fromJson(content, now) };
    else if (header) yield { line: number, ...fromCsv(content, header, now) };
    else {
      header = readCsvLine(content).fields;
      const missing = COLUMNS.filter((column) => !header?.includes(column));
      if (missing.length === 0) continue;
      // Without a header, nothing of the rest can be read.
      yield {
        line: number,
        problems: [`expected a header with ${COLUMNS.join(', ')}; got none of ${missing.join(', ')}`],
      };
      return;
    }
  }
}

function fromJson(text: string, now: Date): ReadBalance {
  try {
    return readOpeningBalance(JSON.parse(text), now);
  } catch {
    return { problems: [`expected a JSON object, got a line of ${text.length} characters that is not JSON`] };
  }
}

function fromCsv(text: string, header: readonly string[], now: Date): ReadBalance {
  const { fields, problem } = readCsvLine(text, header.length);
  if (problem !== undefined) return { problems: [problem] };
  const record: Record<string, unknown> = Object.fromEntries(header.map((name, index) => [name, fields[index]]));
  if (record.topics === '') delete record.topics;
  try {
    if (typeof record.topics === 'string') record.topics = JSON.parse(record.topics);
  } catch {
    return { problems: ['topics: expected JSON (quoted, its quotes doubled), got a text that is not JSON'] };
  }
  return readOpeningBalance(record, now);
}
