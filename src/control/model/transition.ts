/**
 * What one change of the switch comes to: operations for the engines, FDB entries to flush, and what is left to do when
 * they are done. It is gathered by `reconcile.ts` and `port-entries.ts`, and carried out by `live-control.ts`.
 */

import type { Operation } from '../../dataplane/operations/operations.js';
import { destinationOf } from '../../dataplane/state/destination.js';
import { LAST_FID } from '../../dataplane/state/fid.js';
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
  /** Remotes that go: from `structure` on nobody comes upon them any more. */
  readonly departures: Departure[] = [];
  /** Sockets of ports that end in this change, and that another port has too: the engines keep them. */
  readonly keptSockets = new Set<number>();
  /** Ports that take no unknown VTEP any more: those that they have met go too. */
  readonly retiring: number[] = [];
  /** Closes devices and takes numbers back, once no engine has them any more. */
  readonly afterwards: (() => void)[] = [];

  /** Nothing to tell the engines. */
  get isEmpty(): boolean {
    return this.structure.length + this.flushes.length + this.entries.length === 0;
  }

  /** Whether VTEPs come or go. */
  get changesRemotes(): boolean {
    return this.entries.some(({ op }) => op === 'remote') || this.departures.length > 0;
  }

  /** A remote goes. */
  letGo(port: number, remote: number): void {
    this.structure.push({ op: 'remote-del', remote });
    this.departures.push({ port, remote });
  }

  /**
   * The lists to be carried out one after the other. One list, which no frame sees half done, unless the table is so
   * large that flushing it at once would hold up frames.
   * @param slots rows of the FDB
   */
  lists(slots: number): Operation[][] {
    return cut(this.structure, this.flushes, this.entries, slots);
  }
}

/** A remote that goes, and the port that it is behind. */
export interface Departure {
  port: number;
  remote: number;
  /** The number that its VTEP has from now on. */
  heir?: number;
}

/**
 * What is left to do about remotes once nobody comes upon them any more. Two lists at least: when the last one is begun, every
 * engine has forgotten all that led there.
 * @param operations end what leads there beside the FDB
 */
export function partings(gone: readonly Departure[], operations: readonly Operation[], slots: number): Operation[][] {
  const destinations = new Set(gone.map(({ port, remote }) => destinationOf(port, remote)));
  const frees = gone.map(({ remote }): Operation => ({ op: 'remote-free', remote }));
  return [...cut(operations, [{ destinations, lastSegment: LAST_FID }], [], slots), frees];
}

function cut(
  before: readonly Operation[],
  flushes: readonly FdbMatch[],
  after: readonly Operation[],
  slots: number,
): Operation[][] {
  const pieces = flushes.flatMap((match) => flush(match, slots));
  if (slots <= FLUSH_ROWS * 2) return [[...before, ...pieces, ...after]];
  return [[...before], ...pieces.map((piece) => [piece]), [...after]].filter((list) => list.length > 0);
}

/** A flush of the whole table, in pieces of bounded length. */
function flush(match: FdbMatch, slots: number): Operation[] {
  const rowCount = Math.min(slots, FLUSH_ROWS);
  return Array.from({ length: Math.ceil(slots / rowCount) }, (_, piece) => ({
    op: 'flush',
    match,
    fromRow: piece * rowCount,
    rowCount,
  }));
}
