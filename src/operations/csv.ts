/**
 * One line of CSV as of RFC 4180, without line breaks inside quotes.
 * @param count how many fields it should have
 * @returns the fields without their quotes, and what is wrong with the line, if anything is
 */
export function readCsvLine(line: string, count?: number): { fields: string[]; problem?: string } {
  const matches = line.match(/("([^"]|"")*"|[^,]*)(,|$)/g) ?? [];
  // The pattern matches the empty end once more, unless the line ends with a comma.
  const kept = matches.slice(0, matches.findIndex((field) => !field.endsWith(',')) + 1);
  const fields = kept.map((field) => field.replace(/,$/, '').trim());
  return { fields: fields.map(unquote), problem: problemOf(fields, count ?? fields.length) };
}

function problemOf(fields: readonly string[], count: number): string | undefined {
  const unclosed = fields.find((field) => field.startsWith('"') && !/^"([^"]|"")*"$/.test(field));
  if (unclosed !== undefined) {
    return `expected a field in quotes to end with one, and quotes inside it doubled, got ${JSON.stringify(unclosed.slice(0, 60))}`;
  }
  return fields.length === count ? undefined : `expected ${count} fields, got ${fields.length}`;
}

function unquote(field: string): string {
  return field.replace(/^"(.*)"$/, '$1').replaceAll('""', '"');
}
