import type { AnalysedLine } from './analyser';

/**
 * The end of a conversation, as much of it as may be sent. Lines are left out from the beginning; the first one that is
 * sent may have lost its beginning.
 * @param mostChars UTF-16 code units over all lines
 */
export function lastLines(lines: readonly AnalysedLine[], mostChars: number): AnalysedLine[] {
  const kept: AnalysedLine[] = [];
  let left = mostChars;
  for (let index = lines.length - 1; index >= 0 && left > 0; index--) {
    const { speaker, text } = lines[index];
    // A cut may leave half a surrogate pair, which no JSON parser has to take.
    kept.push({ speaker, text: text.length <= left ? text : text.slice(-left).toWellFormed() });
    left -= text.length;
  }
  return kept.reverse();
}
