/** Figures as people read them. */

/** Three digits that count: `0.65`, `12.3`, `4,800`. */
export function number(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return Number(value.toFixed(digits)).toLocaleString('en-US');
}

/** @param milliseconds */
export function timeText(milliseconds: number): string {
  if (milliseconds < 1_000) return `${number(milliseconds)}ms`;
  if (milliseconds < 120_000) return `${number(milliseconds / 1_000)}s`;
  return `${number(milliseconds / 60_000)}m`;
}

export function bytesText(bytes: number): string {
  if (bytes < 2 ** 20) return `${number(bytes / 2 ** 10)} KiB`;
  return bytes < 2 ** 30 ? `${number(bytes / 2 ** 20)} MiB` : `${number(bytes / 2 ** 30)} GiB`;
}

/** A text table, its first column to the left and the others to the right. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
      .join('  ')
      .trimEnd(),
  );
}
