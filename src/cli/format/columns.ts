/**
 * Text in columns. Pure.
 */

export type Alignment = 'left' | 'right';

/**
 * Aligns the columns of `rows`, with two spaces between them and no trailing spaces. Columns beyond `alignments` are aligned to
 * the right.
 * @returns one line per row, each with its newline
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
