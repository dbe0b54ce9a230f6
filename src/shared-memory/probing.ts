/**
 * Open addressing with linear probing: free rows, and the removal of rows. Each table has its own search, written out by hand
 * for its own key; what is here runs only when an entry comes or goes.
 *
 * **Removal.** A row never moves while its entry lives, since other threads may be reading it. A removed row becomes a
 * tombstone: searches pass over it, insertions reuse it. It becomes empty as soon as no search for a living entry passes over
 * it any longer; each removal checks the rows on its own path. So churn has a steady state, and an emptied table is as good
 * as new.
 *
 * **Bound.** No search looks at more than PROBE_LIMIT rows; an entry that would lie farther from its home is refused. At a load
 * of one half at most, and with a hash that outsiders cannot predict, that does not happen.
 *
 * Called with the table's lock held. It changes one word of a row, atomically, so no version is needed (`seqlock.ts`).
 */

/** States of a row's key word; a row in use has a number from 1 on. Both are below every such number. */
export const EMPTY = 0;
export const TOMBSTONE = -1;

/** Most rows that a search looks at. */
export const PROBE_LIMIT = 256;

/** The rows of a table, as far as probing goes. */
export interface ProbedRows {
  readonly rows: Int32Array;
  /** Shift from a row's index to its first word. */
  readonly shift: number;
  /** The word of a row that holds EMPTY, TOMBSTONE, or a number from 1 on. */
  readonly keyWord: number;
  /** Number of rows, a power of two, less one. */
  readonly mask: number;
  /** Most rows that a search looks at. */
  readonly limit: number;
  /** The row at which the search for the key of a row in use begins. */
  readonly homeOf: (row: number) => number;
}

/** Most rows that a search looks at in a table of so many. */
export function probeLimit(slots: number): number {
  return Math.min(slots, PROBE_LIMIT);
}

/**
 * A free row for a key that is not in the table: the first tombstone on its path, else the empty row at its end. Valid until
 * the next removal. @returns -1 when none lies within the limit
 */
export function findFree({ rows, shift, keyWord, mask, limit }: ProbedRows, home: number): number {
  let row = home;
  for (let left = limit; left > 0; left--) {
    if (rows[(row << shift) + keyWord] <= EMPTY) return row;
    row = (row + 1) & mask;
  }
  return -1;
}

/**
 * Frees a row in use. Only searches for its own key end at it, and they begin at its home: the tombstones between the two, and no
 * others, may have become useless.
 * @returns by how many the number of tombstones has changed
 */
export function freeRow(table: ProbedRows, row: number): number {
  const { rows, shift, keyWord, mask } = table;
  const home = table.homeOf(row);
  let tombstones = 1;
  Atomics.store(rows, (row << shift) + keyWord, TOMBSTONE);
  for (let at = row; ; at = (at - 1) & mask) {
    const word = (at << shift) + keyWord;
    if (rows[word] === TOMBSTONE && !isCrossed(table, at)) {
      Atomics.store(rows, word, EMPTY);
      tombstones--;
    }
    if (at === home) return tombstones;
  }
}

/** Whether the search for some row in use passes over this one. */
function isCrossed(table: ProbedRows, row: number): boolean {
  const { rows, shift, keyWord, mask, limit } = table;
  for (let distance = 1; distance < limit; distance++) {
    const at = (row + distance) & mask;
    const key = rows[(at << shift) + keyWord];
    if (key === EMPTY) return false;
    if (key !== TOMBSTONE && ((at - table.homeOf(at)) & mask) >= distance) return true;
  }
  return false;
}
