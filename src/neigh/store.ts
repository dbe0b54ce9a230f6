/**
 * The rows of the neighbour table: search, writes, release, and their counts.
 *
 * Open addressing with linear probing at a load of one half at most (`probing.ts`). A binding keeps its row until it is removed.
 *
 * **Other threads** may look up at any time: a row is written under its sequence lock (`seqlock.ts`). A refresh is one plain write.
 * **Writers** hold the lock of `lock.ts`.
 *
 * `table.ts` decides whether a binding is learned, changed or expired.
 */
import { hashAddress } from '../shared-memory/hash.js';
import { findFree, freeRow, type ProbedRows, probeLimit } from '../shared-memory/probing.js';
import { close, open } from '../shared-memory/seqlock.js';
import {
  COUNTER_ENTRIES,
  COUNTER_ROWS,
  FID_EMPTY,
  HEAD_CAPACITY,
  HEAD_SEED,
  HEAD_SLOTS,
  NEIGH_SET,
  type NeighViews,
  ROUTERS,
  ROW_ADDRESS,
  ROW_CHANGES,
  ROW_FID,
  ROW_MAC_HIGH,
  ROW_MAC_LOW,
  ROW_PORT,
  ROW_SHIFT,
  ROW_SINCE,
  ROW_STAMP,
  ROW_VERSION,
  viewsOf,
} from './layout.js';

/** Words of the result of `read`. */
export const BINDING_HIGH = 0;
export const BINDING_LOW = 1;
/** NEIGH_* flags. */
export const BINDING_FLAGS = 2;
export const BINDING_PORT = 3;
/** Tick of the last message. */
export const BINDING_STAMP = 4;
export const BINDING_WORDS = 5;

export class NeighStore {
  /** What `attach` and `NeighReader` take. */
  readonly memory: SharedArrayBuffer;
  readonly capacity: number;
  readonly slots: number;
  /** COUNTER_*; entries and rows are present numbers, the others only increase. */
  readonly counters: Float64Array;
  protected readonly views: NeighViews;
  protected readonly header: Int32Array;
  protected readonly rows: Int32Array;
  private readonly mask: number;
  private readonly seed: number;
  private readonly probeLimit: number;
  private readonly probed: ProbedRows;

  constructor(memory: SharedArrayBuffer) {
    const views = viewsOf(memory);
    this.memory = memory;
    this.views = views;
    this.header = views.header;
    this.rows = views.rows;
    this.counters = views.counters;
    this.capacity = views.header[HEAD_CAPACITY];
    this.slots = views.header[HEAD_SLOTS];
    this.seed = views.header[HEAD_SEED];
    this.mask = this.slots - 1;
    this.probeLimit = probeLimit(this.slots);
    this.probed = {
      rows: this.rows,
      shift: ROW_SHIFT,
      keyWord: ROW_FID,
      mask: this.mask,
      limit: this.probeLimit,
      homeOf: (row) => this.homeOfRow(row),
    };
  }

  // ---- Search ----

  /** The row of a key, or -1. @param FID at least 1 */
  protected find(fid: number, a0: number, a1: number, a2: number, a3: number): number {
    const { rows } = this;
    let row = hashAddress(fid, a0, a1, a2, a3, this.seed) & this.mask;
    for (let left = this.probeLimit; left > 0; left--) {
      const base = row << ROW_SHIFT;
      const found = rows[base + ROW_FID];
      if (found === FID_EMPTY) return -1;
      if (found === fid && this.isAddress(base, a0, a1, a2, a3)) return row;
      row = (row + 1) & this.mask;
    }
    return -1;
  }

  protected isAddress(base: number, a0: number, a1: number, a2: number, a3: number): boolean {
    const { rows } = this;
    return (
      rows[base + ROW_ADDRESS + 3] === a3 &&
      rows[base + ROW_ADDRESS + 2] === a2 &&
      rows[base + ROW_ADDRESS + 1] === a1 &&
      rows[base + ROW_ADDRESS] === a0
    );
  }

  /** A free row for a key that is not in the table, or -1; valid until the next removal. */
  protected findFree(fid: number, a0: number, a1: number, a2: number, a3: number): number {
    return findFree(this.probed, hashAddress(fid, a0, a1, a2, a3, this.seed) & this.mask);
  }

  protected fidOf(row: number): number {
    return this.rows[(row << ROW_SHIFT) + ROW_FID];
  }

  protected flagsOf(row: number): number {
    return this.rows[(row << ROW_SHIFT) + ROW_MAC_HIGH] >>> 16;
  }

  /** Whether the row has a binding; false for a router's row and an empty one. */
  protected isBinding(row: number): boolean {
    const fid = this.fidOf(row);
    return fid > FID_EMPTY && fid < ROUTERS;
  }

  // ---- Changes; the caller holds the lock ----

  /**
   * Writes a key to a free row and leaves its sequence lock open until `fill`, so that readers do not take it for a binding. The
   * FID is written last, so that a search, which compares only keys, finds a complete key or none.
   */
  protected claim(row: number, fid: number, a0: number, a1: number, a2: number, a3: number): void {
    const { rows } = this;
    const base = row << ROW_SHIFT;
    open(rows, base + ROW_VERSION);
    Atomics.store(rows, base + ROW_ADDRESS, a0);
    Atomics.store(rows, base + ROW_ADDRESS + 1, a1);
    Atomics.store(rows, base + ROW_ADDRESS + 2, a2);
    Atomics.store(rows, base + ROW_ADDRESS + 3, a3);
    Atomics.store(rows, base + ROW_CHANGES, 0);
    Atomics.store(rows, base + ROW_SINCE, 0);
    Atomics.store(rows, base + ROW_FID, fid);
    this.counters[COUNTER_ROWS]++;
  }

  /** Writes the rest of a claimed row, or changes a binding. */
  protected fill(row: number, high: number, low: number, flags: number, port: number, stamp: number): void {
    const { rows } = this;
    const base = row << ROW_SHIFT;
    open(rows, base + ROW_VERSION);
    Atomics.store(rows, base + ROW_MAC_HIGH, high | (flags << 16));
    Atomics.store(rows, base + ROW_MAC_LOW, low);
    Atomics.store(rows, base + ROW_PORT, port);
    Atomics.store(rows, base + ROW_STAMP, stamp);
    close(rows, base + ROW_VERSION);
  }

  /** Counts a binding for its port. @param by 1: added, -1: removed */
  protected count(row: number, by: number): void {
    const port = this.rows[(row << ROW_SHIFT) + ROW_PORT];
    this.counters[COUNTER_ENTRIES] += by;
    this.views.ofPort[port] += by;
    if ((this.flagsOf(row) & NEIGH_SET) === 0) this.views.learnedOfPort[port] += by;
  }

  protected release(row: number): void {
    this.counters[COUNTER_ROWS]--;
    freeRow(this.probed, row);
  }

  /** The row at which the search for the key of a row in use begins. */
  private homeOfRow(row: number): number {
    const { rows } = this;
    const at = (row << ROW_SHIFT) + ROW_ADDRESS;
    return hashAddress(this.fidOf(row), rows[at], rows[at + 1], rows[at + 2], rows[at + 3], this.seed) & this.mask;
  }
}
