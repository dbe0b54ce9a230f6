/**
 * What one change of the switch comes to: operations for the engines, FDB entries to flush, and what is left to do when
 * they are done. It is gathered by `reconcile.ts` and `port-entries.ts`, and carried out by `switch.ts`.
 */
import type { Operation } from '../../dataplane/operations.js';
import type { FdbMatch } from '../../fdb/table.js';

/** Rows that are flushed in one go: about a millisecond. */
const FLUSH_ROWS = 131_072;

export class Transition {
  /** Ports, bridges, memberships: what there is. */
  readonly structure: Operation[] = [];
  /** Entries that go with what has been taken away. */
  readonly flushes: FdbMatch[] = [];
  /** Entries and flood lists, once the old ones have gone. */
  readonly entries: Operation[] = [];
  /** Closes devices and takes numbers back, once no engine has them any more. */
  readonly afterwards: (() => void)[] = [];

  /** Nothing to tell the engines. */
  get isEmpty(): boolean {
    return this.structure.length + this.flushes.length + this.entries.length === 0;
  }

  /** Whether VTEPs come or go. */
  get changesRemotes(): boolean {
    return this.entries.some(({ op }) => op === 'remote') || this.structure.some(({ op }) => op === 'remote-del');
  }

  /**
   * The lists to be carried out one after the other. One list, which no frame sees half done, unless the table is so
   * large that flushing it at once would hold up frames.
   * @param slots rows of the FDB
   */
  lists(slots: number): Operation[][] {
    const pieces = this.flushes.flatMap((match) => flush(match, slots));
    const whole = [...this.structure, ...pieces, ...this.entries];
    if (slots <= FLUSH_ROWS * 2) return [whole];
    return [this.structure, ...pieces.map((piece) => [piece]), this.entries].filter((list) => list.length > 0);
  }
}

/** A flush of the whole table, in pieces of bounded length. */
export function flush(match: FdbMatch, slots: number): Operation[] {
  const rowCount = Math.min(slots, FLUSH_ROWS);
  return Array.from({ length: Math.ceil(slots / rowCount) }, (_, piece) => ({
    op: 'flush',
    match,
    fromRow: piece * rowCount,
    rowCount,
  }));
}
