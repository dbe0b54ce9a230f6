/**
 * Reading an FDB from another thread, for listings.
 *
 * Writers never wait for a reader. A row is read again if its version was odd or has changed during the read, so each row is
 * consistent. A listing is not a snapshot: it contains each unchanged entry exactly once, and may or may not contain
 * entries that change meanwhile.
 *
 * Never writes to the table's memory.
 */
import { probeLimit } from '../shared-memory/probing.js';
import { isStable, readPatiently, versionAt } from '../shared-memory/seqlock.js';
import {
  COUNTER_AGED,
  COUNTER_ENTRIES,
  COUNTER_EVICTED,
  COUNTER_LEARNED,
  COUNTER_MOVED,
  COUNTER_REFUSED,
  HEAD_CAPACITY,
  HEAD_SEED,
  HEAD_SLOTS,
  homeRow,
  ROW_DESTINATION,
  ROW_MAC_HIGH,
  ROW_MAC_LOW,
  ROW_MOVES,
  ROW_OWNER,
  ROW_FID,
  ROW_SHIFT,
  ROW_STAMP,
  ROW_VERSION,
  FID_EMPTY,
  viewsOf,
} from './layout.js';

/** An entry at the time of reading. */
export interface FdbRow {
  row: number;
  high: number;
  low: number;
  fid: number;
  destination: number;
  owner: number;
  /** FLAG_*; a learned entry has none of FLAGS_SET. */
  flags: number;
  /** Tick of the last refresh. */
  stamp: number;
  moves: number;
}

export interface FdbCounters {
  entries: number;
  learned: number;
  moved: number;
  aged: number;
  refused: number;
  /** Learned entries evicted from a full table. */
  evicted: number;
}

export class FdbReader {
  readonly slots: number;
  readonly capacity: number;
  /** Present numbers of learned entries. */
  readonly learnedByOwner: Int32Array;
  readonly learnedByGroup: Int32Array;
  /** Present numbers of entries with a flag of FLAGS_SET, which were set by control. */
  readonly setByOwner: Int32Array;
  private readonly seed: number;
  private readonly rows: Int32Array;
  private readonly totals: Float64Array;

  /** @throws TypeError when the memory is not an FDB's */
  constructor(memory: SharedArrayBuffer) {
    const views = viewsOf(memory);
    this.slots = views.header[HEAD_SLOTS];
    this.capacity = views.header[HEAD_CAPACITY];
    this.learnedByOwner = views.learnedByOwner;
    this.learnedByGroup = views.learnedByGroup;
    this.setByOwner = views.setByOwner;
    this.seed = views.header[HEAD_SEED];
    this.rows = views.rows;
    this.totals = views.counters;
  }

  static attach(memory: SharedArrayBuffer): FdbReader {
    return new FdbReader(memory);
  }

  /** The present counters; not a snapshot of one moment. */
  counters(): FdbCounters {
    return {
      entries: this.totals[COUNTER_ENTRIES],
      learned: this.totals[COUNTER_LEARNED],
      moved: this.totals[COUNTER_MOVED],
      aged: this.totals[COUNTER_AGED],
      refused: this.totals[COUNTER_REFUSED],
      evicted: this.totals[COUNTER_EVICTED],
    };
  }

  /** All rows, for `transfer.ts`. They change while engines run; rows of a copy that was made meanwhile may be torn. */
  get words(): Int32Array {
    return this.rows;
  }

  /**
   * Calls back for each entry with a new object.
   * @param fromRow, rowCount a part of the rows, to list a large table in pieces
   * @returns the number of unreadable rows: 0, unless a writer was killed during a write
   */
  forEach(callback: (entry: FdbRow) => void, fromRow = 0, rowCount = this.slots): number {
    const end = Math.min(fromRow + rowCount, this.slots);
    let unreadable = 0;
    for (let row = fromRow; row < end; row++) {
      if (Atomics.load(this.rows, (row << ROW_SHIFT) + ROW_FID) <= FID_EMPTY) continue;
      const entry = this.read(row);
      if (entry === null) unreadable++;
      else if (entry.fid > FID_EMPTY) callback(entry);
    }
    return unreadable;
  }

  /**
   * The entry of a key, or null. If another thread reuses the row between search and read, the search starts again.
   * @param high first two bytes of the MAC, unsigned
   * @param low last four bytes, signed
   * @param FID at least 1
   */
  find(high: number, low: number, fid: number): FdbRow | null {
    for (;;) {
      const row = this.search(high, low, fid);
      if (row < 0) return null;
      const entry = this.read(row);
      if (entry === null) return null;
      if (entry.fid === fid && entry.low === low && entry.high === high) return entry;
    }
  }

  private search(high: number, low: number, fid: number): number {
    const { rows } = this;
    let row = homeRow(high, low, fid, this.seed, this.slots - 1);
    for (let left = probeLimit(this.slots); left > 0; left--) {
      const base = row << ROW_SHIFT;
      const found = Atomics.load(rows, base + ROW_FID);
      if (found === FID_EMPTY) return -1;
      const same =
        Atomics.load(rows, base + ROW_MAC_LOW) === low && (Atomics.load(rows, base + ROW_MAC_HIGH) & 0xffff) === high;
      if (found === fid && same) return row;
      row = (row + 1) & (this.slots - 1);
    }
    return -1;
  }

  private read(row: number): FdbRow | null {
    return readPatiently(this.tryRead, row);
  }

  private readonly tryRead = (row: number): FdbRow | null => {
    const rows = this.rows;
    const base = row << ROW_SHIFT;
    const version = versionAt(rows, base + ROW_VERSION);
    if ((version & 1) !== 0) return null;
    const word = Atomics.load(rows, base + ROW_MAC_HIGH);
    const entry: FdbRow = {
      row,
      high: word & 0xffff,
      low: Atomics.load(rows, base + ROW_MAC_LOW),
      fid: Atomics.load(rows, base + ROW_FID),
      destination: Atomics.load(rows, base + ROW_DESTINATION),
      owner: Atomics.load(rows, base + ROW_OWNER),
      flags: word >>> 16,
      stamp: Atomics.load(rows, base + ROW_STAMP),
      moves: Atomics.load(rows, base + ROW_MOVES),
    };
    return isStable(rows, base + ROW_VERSION, version) ? entry : null;
  };
}
