/**
 * The neighbour table's rows: finding, filling and freeing them, and the counts that follow from that.
 *
 * Open addressing with linear probing at a load of one half at most. A row never moves while its binding lives. A removed
 * row stays a tombstone only as long as the search for a living one passes over it, so that churn leaves searches short.
 *
 * **Other threads** look up at any time: what belongs together is written between two changes of the row's version.
 * Refreshing writes one word, plainly. **Writers** hold the lock of `lock.ts`.
 *
 * It never decides whether a binding may be learned, may change or is too old: `table.ts` does.
 */
import {
  COUNTER_ENTRIES,
  COUNTER_ROWS,
  HEAD_CAPACITY,
  HEAD_SEED,
  HEAD_SLOTS,
  homeRow,
  NEIGH_MANUAL,
  type NeighViews,
  PROBE_LIMIT,
  ROUTERS,
  ROW_ADDRESS,
  ROW_CHANGES,
  ROW_MAC_HIGH,
  ROW_MAC_LOW,
  ROW_PORT,
  ROW_SEGMENT,
  ROW_SHIFT,
  ROW_SINCE,
  ROW_STAMP,
  ROW_VERSION,
  SEGMENT_EMPTY,
  SEGMENT_TOMBSTONE,
  viewsOf,
} from './layout.js';

/** Words that `read` gives. */
export const BINDING_HIGH = 0;
export const BINDING_LOW = 1;
/** NEIGH_* flags. */
export const BINDING_FLAGS = 2;
export const BINDING_PORT = 3;
export const BINDING_WORDS = 4;

export class NeighStore {
  /** What `attach` and `NeighReader` take. */
  readonly memory: SharedArrayBuffer;
  readonly capacity: number;
  readonly slots: number;
  /** COUNTER_*; entries and rows are the present numbers, the others only grow. */
  readonly counters: Float64Array;
  protected readonly views: NeighViews;
  protected readonly header: Int32Array;
  protected readonly rows: Int32Array;
  private readonly mask: number;
  private readonly seed: number;
  private readonly probeLimit: number;

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
    this.probeLimit = Math.min(this.slots, PROBE_LIMIT);
  }

  // ---- Search ----

  /** The row of a key, or -1. @param segment from 1 on */
  protected find(segment: number, a0: number, a1: number, a2: number, a3: number): number {
    const { rows } = this;
    let row = homeRow(segment, a0, a1, a2, a3, this.seed, this.mask);
    for (let left = this.probeLimit; left > 0; left--) {
      const base = row << ROW_SHIFT;
      const found = rows[base + ROW_SEGMENT];
      if (found === SEGMENT_EMPTY) return -1;
      if (found === segment && this.isAddress(base, a0, a1, a2, a3)) return row;
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

  /** A free row for a key that is not in the table, or -1. */
  protected findFree(segment: number, a0: number, a1: number, a2: number, a3: number): number {
    let row = homeRow(segment, a0, a1, a2, a3, this.seed, this.mask);
    for (let left = this.probeLimit; left > 0; left--) {
      // Both kinds of free rows are below every segment.
      if (this.rows[(row << ROW_SHIFT) + ROW_SEGMENT] <= SEGMENT_EMPTY) return row;
      row = (row + 1) & this.mask;
    }
    return -1;
  }

  protected segmentOf(row: number): number {
    return this.rows[(row << ROW_SHIFT) + ROW_SEGMENT];
  }

  protected flagsOf(row: number): number {
    return this.rows[(row << ROW_SHIFT) + ROW_MAC_HIGH] >>> 16;
  }

  /** Whether the row holds a binding, and not a router's MAC or nothing. */
  protected isBinding(row: number): boolean {
    const segment = this.segmentOf(row);
    return segment > SEGMENT_EMPTY && segment < ROUTERS;
  }

  // ---- Change, with the lock held ----

  /**
   * Puts a key into a free row and leaves it open, so that no reader takes it for a binding before `fill` has closed it.
   * The segment comes last: whoever looks for the key alone meets it whole.
   */
  protected claim(row: number, segment: number, a0: number, a1: number, a2: number, a3: number): void {
    const { rows } = this;
    const base = row << ROW_SHIFT;
    this.open(base);
    Atomics.store(rows, base + ROW_ADDRESS, a0);
    Atomics.store(rows, base + ROW_ADDRESS + 1, a1);
    Atomics.store(rows, base + ROW_ADDRESS + 2, a2);
    Atomics.store(rows, base + ROW_ADDRESS + 3, a3);
    Atomics.store(rows, base + ROW_CHANGES, 0);
    Atomics.store(rows, base + ROW_SINCE, 0);
    Atomics.store(rows, base + ROW_SEGMENT, segment);
    this.counters[COUNTER_ROWS]++;
  }

  /** What a row holds from now on, one that was just claimed or a binding that changes. */
  protected fill(row: number, high: number, low: number, flags: number, port: number, stamp: number): void {
    const { rows } = this;
    const base = row << ROW_SHIFT;
    this.open(base);
    Atomics.store(rows, base + ROW_MAC_HIGH, high | (flags << 16));
    Atomics.store(rows, base + ROW_MAC_LOW, low);
    Atomics.store(rows, base + ROW_PORT, port);
    Atomics.store(rows, base + ROW_STAMP, stamp);
    this.close(base);
  }

  /** Counts a binding for its port. @param by 1 when it comes, -1 when it goes */
  protected count(row: number, by: number): void {
    const port = this.rows[(row << ROW_SHIFT) + ROW_PORT];
    this.counters[COUNTER_ENTRIES] += by;
    this.views.ofPort[port] += by;
    if ((this.flagsOf(row) & NEIGH_MANUAL) === 0) this.views.learnedOfPort[port] += by;
  }

  /**
   * Frees a row. Only the searches for its key end with it, and they led from its home to it: the tombstones on that path,
   * and no others, may have lost their purpose.
   */
  protected release(row: number): void {
    const home = this.homeOf(row);
    this.counters[COUNTER_ROWS]--;
    this.mark(row, SEGMENT_TOMBSTONE);
    for (let at = row; ; at = (at - 1) & this.mask) {
      if (this.segmentOf(at) === SEGMENT_TOMBSTONE && !this.isCrossed(at)) this.mark(at, SEGMENT_EMPTY);
      if (at === home) return;
    }
  }

  /** True when the search for a living row passes over this one. */
  private isCrossed(row: number): boolean {
    for (let distance = 1; distance < this.probeLimit; distance++) {
      const at = (row + distance) & this.mask;
      const segment = this.segmentOf(at);
      if (segment === SEGMENT_EMPTY) return false;
      if (segment !== SEGMENT_TOMBSTONE && ((at - this.homeOf(at)) & this.mask) >= distance) return true;
    }
    return false;
  }

  private homeOf(row: number): number {
    const { rows } = this;
    const base = row << ROW_SHIFT;
    const at = base + ROW_ADDRESS;
    return homeRow(rows[base], rows[at], rows[at + 1], rows[at + 2], rows[at + 3], this.seed, this.mask);
  }

  private mark(row: number, segment: number): void {
    const base = row << ROW_SHIFT;
    this.open(base);
    Atomics.store(this.rows, base + ROW_SEGMENT, segment);
    this.close(base);
  }

  /** Makes the version odd. A row that is open already stays so. */
  private open(base: number): void {
    Atomics.or(this.rows, base + ROW_VERSION, 1);
  }

  /** Makes the version of an open row even, and another one than before. */
  private close(base: number): void {
    Atomics.add(this.rows, base + ROW_VERSION, 1);
  }
}
