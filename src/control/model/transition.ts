/**
 * The effects of one change: operations for the engines, FDB entries to flush, and cleanup after completion. Filled by
 * `reconcile/`, carried out by `requests/live-control.ts`.
 */

import type { Operation } from '../../dataplane/operations/operations.js';
import { destinationOf } from '../../dataplane/state/destination.js';
import { LAST_FID } from '../../dataplane/state/fid.js';
import type { FdbMatch } from '../../fdb/table.js';

/** Rows flushed in one operation: about a millisecond. */
const FLUSH_ROWS = 131_072;

export class Transition {
  /** Ports, bridges, memberships. */
  readonly structure: Operation[] = [];
  /** Flushes of entries whose port, VLAN or VNI is removed. */
  readonly flushes: FdbMatch[] = [];
  /** Entries and flood lists, after the flushes. */
  readonly entries: Operation[] = [];
  /** Deleted remotes: after `structure` they are no longer found by source address. */
  readonly departures: Departure[] = [];
  /** Sockets of deleted ports that another port still uses: the engines keep them. */
  readonly keptSockets = new Set<number>();
  /** Ports that no longer accept unknown VTEPs: their learned VTEPs are removed too. */
  readonly retiring: number[] = [];
  /** Closes devices and releases indexes, after all engines have dropped them. */
  readonly afterwards: (() => void)[] = [];

  /** Nothing to send to the engines. */
  get isEmpty(): boolean {
    return this.structure.length + this.flushes.length + this.entries.length === 0;
  }

  /** Whether VTEPs are added or removed. */
  get changesRemotes(): boolean {
    return this.entries.some(({ op }) => op === 'remote') || this.departures.length > 0;
  }

  /** Adds a remote to delete. */
  letGo(port: number, remote: number): void {
    this.structure.push({ op: 'remote-del', remote });
    this.departures.push({ port, remote });
  }

  /**
   * The lists to carry out one after another. Normally a single list, so that no frame sees an intermediate state; more where
   * flushing a very large table at once would delay frames.
   * @param slots rows of the FDB
   */
  lists(slots: number): Operation[][] {
    return cut(this.structure, this.flushes, this.entries, slots);
  }
}

/** A remote to delete, and its port. */
export interface Departure {
  port: number;
  remote: number;
  /** The new remote of its VTEP. */
  heir?: number;
}

/**
 * Cleanup after remotes were removed from source lookup. At least two lists: when the last one begins, every engine has dropped
 * all references to them.
 * @param operations remove references other than FDB entries
 */
export function partings(gone: readonly Departure[], operations: readonly Operation[], slots: number): Operation[][] {
  const destinations = new Set(gone.map(({ port, remote }) => destinationOf(port, remote)));
  const frees = gone.map(({ remote }): Operation => ({ op: 'remote-free', remote }));
  return [...cut(operations, [{ destinations, lastFid: LAST_FID }], [], slots), frees];
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

/** A flush of the whole table, in pieces of bounded size. */
function flush(match: FdbMatch, slots: number): Operation[] {
  const rowCount = Math.min(slots, FLUSH_ROWS);
  return Array.from({ length: Math.ceil(slots / rowCount) }, (_, piece) => ({
    op: 'flush',
    match,
    fromRow: piece * rowCount,
    rowCount,
  }));
}
