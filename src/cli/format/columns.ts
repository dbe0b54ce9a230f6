/**
 * Text in columns. Pure: it returns text and never prints.
 */

export type Alignment = 'left' | 'right';

/**
 * Lines up `rows`, two spaces between columns, nothing after the last character of a line. Columns beyond
 * `alignments` are aligned to the right.
 * @returns one line a row, each with its newline
 */
export function alignColumns(rows: readonly (readonly string[])[], alignments: readonly Alignment[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows
    .map((row) => {
      const cells = row.map((cell, column) =>
        alignments[column] === 'left' ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      );
      return `${cells.join('  ').trimEnd()}\n`;
    })
    .join('');
}

/** `100` or `100-199`. */
export function range(first: number, last: number | undefined): string {
  return last === undefined || last === first ? String(first) : `${first}-${last}`;
}
