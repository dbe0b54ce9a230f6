/**
 * The rows of the FDB: search, writes, release, and their counts.
 *
 * Open addressing with linear probing (`probing.ts`). There are at least twice as many rows as entries are allowed, so searches
 * are short. An entry keeps its row until it is removed: its index stays valid for a batch, and a thread that reads all rows finds
 * each unchanged entry exactly once. Rows read in a search, measured with random keys:
 *
 *   | table                                    | hit | miss |
 *   |------------------------------------------|-----|------|
 *   | just filled to capacity (load 1/2)       | 1.5 | 2.5  |
 *   | full, each entry replaced 20 times       | 2.3 | 5.3  |
 *
 * **Other threads** may read at any time: a row is written under its sequence lock (`seqlock.ts`). A refresh is one plain write.
 *
 * **Writers** hold the lock of `lock.ts` for `write` and `release`, which change rows and counts. Search and refresh need no lock,
 * because rows do not move.
 *
 * `table.ts` decides whether an entry is learned, moved or expired.
 */
import { findFree, freeRow, type ProbedRows, probeLimit, TOMBSTONE } from '../shared-memory/probing.js';
import { close, open } from '../shared-memory/seqlock.js';
import { enterRing, leaveRing } from './eviction.js';
import {
  COUNTER_ENTRIES,
  type FdbViews,
  HEAD_CAPACITY,
  HEAD_SEED,
  HEAD_SLOTS,
  HEAD_TOMBSTONES,
  homeRow,
  isLearnedWord,
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
import { rankDown, rankUp } from './ranking.js';

export class FdbStore {
  /** What `attach` and `FdbReader` take. */
  readonly memory: SharedArrayBuffer;
  readonly capacity: number;
  readonly slots: number;
  readonly rows: Int32Array;
  /** COUNTER_*; `entries` is the present number, the others only increase. */
  readonly counters: Float64Array;
  /** Most learned entries of an owner, 0: no limit. Set by the user of the table. */
  readonly ownerLimit: Int32Array;
  /** Most learned entries of a group, 0: no limit. Set by the user of the table. */
  readonly groupLimit: Int32Array;
  /** Ageing limit of an owner's entries in ticks; 0: its group's. Set by the user of the table. */
  readonly ageingOfOwner: Int32Array;
  /** Ageing limit in ticks. Set by the user of the table. */
  readonly ageingOfGroup: Int32Array;
  /** Group of an owner. Changed by `assignGroup` only, which keeps the counts right. */
  readonly groupOfOwner: Int32Array;
  readonly learnedByOwner: Int32Array;
  readonly learnedByGroup: Int32Array;
  readonly header: Int32Array;
  /** All views on the memory. */
  protected readonly views: FdbViews;
  protected readonly mask: number;
  protected readonly seed: number;
  private readonly probeLimit: number;
  /** See `watch`. */
  private watcher: ((high: number, low: number, fid: number) => void) | null = null;
  private readonly probed: ProbedRows;

  constructor(memory: SharedArrayBuffer) {
    const views: FdbViews = viewsOf(memory);
    this.memory = memory;
    this.views = views;
    this.header = views.header;
    this.rows = views.rows;
    this.counters = views.counters;
    this.ownerLimit = views.ownerLimit;
    this.groupLimit = views.groupLimit;
    this.ageingOfOwner = views.ageingOfOwner;
    this.ageingOfGroup = views.ageingOfGroup;
    this.groupOfOwner = views.groupOfOwner;
    this.learnedByOwner = views.learnedByOwner;
    this.learnedByGroup = views.learnedByGroup;
    this.capacity = views.header[HEAD_CAPACITY] as number;
    this.slots = views.header[HEAD_SLOTS] as number;
    this.seed = views.header[HEAD_SEED] as number;
    this.mask = this.slots - 1;
    this.probeLimit = probeLimit(this.slots);
    this.probed = {
      rows: this.rows,
      shift: ROW_SHIFT,
      keyWord: ROW_FID,
      mask: this.mask,
      limit: this.probeLimit,
      homeOf: (row) => this.homeOf(this.macHighOf(row), this.macLowOf(row), this.fidAt(row)),
    };
  }

  /** Calls back after each change of an entry by this thread, but a refresh: under the lock of the change. */
  watch(watcher: (high: number, low: number, fid: number) => void): void {
    this.watcher = watcher;
  }

  /** The flags of an entry have changed. */
  protected tell(row: number): void {
    if (this.watcher !== null) this.watcher(this.macHighOf(row), this.macLowOf(row), this.fidAt(row));
  }

  /** Number of rows that are neither empty nor an entry. */
  get tombstones(): number {
    return this.header[HEAD_TOMBSTONES] as number;
  }

  /** Goes on counting from the counters of another table; the number of entries is the table's own. */
  continueCounters(counters: readonly number[]): void {
    for (let index = COUNTER_ENTRIES + 1; index < this.counters.length; index++)
      this.counters[index] = counters[index] ?? 0;
  }

  // ---- Words of a row, by their names

  destinationOf(row: number): number {
    return this.rows[(row << ROW_SHIFT) + ROW_DESTINATION];
  }

  /** FLAG_*; a learned entry has none of FLAGS_SET. */
  flagsOf(row: number): number {
    return this.rows[(row << ROW_SHIFT) + ROW_MAC_HIGH] >>> 16;
  }

  ownerOf(row: number): number {
    return this.rows[(row << ROW_SHIFT) + ROW_OWNER];
  }

  /** 0 or -1 when the row holds no entry. */
  fidAt(row: number): number {
    return this.rows[(row << ROW_SHIFT) + ROW_FID];
  }

  macHighOf(row: number): number {
    return this.rows[(row << ROW_SHIFT) + ROW_MAC_HIGH] & 0xffff;
  }

  macLowOf(row: number): number {
    return this.rows[(row << ROW_SHIFT) + ROW_MAC_LOW];
  }

  stampOf(row: number): number {
    return this.rows[(row << ROW_SHIFT) + ROW_STAMP];
  }

  movesOf(row: number): number {
    return this.rows[(row << ROW_SHIFT) + ROW_MOVES];
  }

  // ---- Search and change

  /** The row at which the search for a key begins. */
  homeOf(high: number, low: number, fid: number): number {
    return homeRow(high, low, fid, this.seed, this.mask);
  }

  /** The row of a key, or -1 (hot). @param FID at least 1 */
  find(high: number, low: number, fid: number): number {
    const rows = this.rows;
    let row = this.homeOf(high, low, fid);
    for (let left = this.probeLimit; left > 0; left--) {
      const base = row << ROW_SHIFT;
      const found = rows[base + ROW_FID];
      if (found === FID_EMPTY) return -1;
      if (found === fid && rows[base + ROW_MAC_LOW] === low && (rows[base + ROW_MAC_HIGH] & 0xffff) === high)
        return row;
      row = (row + 1) & this.mask;
    }
    return -1;
  }

  /** A free row for a key that is not in the table, or -1; valid until the next removal. */
  protected findFree(high: number, low: number, fid: number): number {
    return findFree(this.probed, this.homeOf(high, low, fid));
  }

  /** Writes an entry to a found or free row, and updates the counts. */
  protected write(
    row: number,
    high: number,
    low: number,
    fid: number,
    destination: number,
    owner: number,
    flags: number,
    stamp: number,
    moves: number,
  ): void {
    const rows = this.rows;
    const base = row << ROW_SHIFT;
    const before = rows[base + ROW_FID];
    if (before > FID_EMPTY) this.uncount(row);
    else this.counters[COUNTER_ENTRIES]++;
    if (before === TOMBSTONE) this.header[HEAD_TOMBSTONES]--;

    open(rows, base + ROW_VERSION);
    Atomics.store(rows, base + ROW_MAC_LOW, low);
    Atomics.store(rows, base + ROW_MAC_HIGH, high | (flags << 16));
    Atomics.store(rows, base + ROW_FID, fid);
    Atomics.store(rows, base + ROW_DESTINATION, destination);
    Atomics.store(rows, base + ROW_STAMP, stamp);
    Atomics.store(rows, base + ROW_MOVES, moves);
    Atomics.store(rows, base + ROW_OWNER, owner);
    close(rows, base + ROW_VERSION);

    this.count(row);
    if (this.watcher !== null) this.watcher(high, low, fid);
  }

  /** Frees the row of an entry, and updates the counts. */
  protected release(row: number): void {
    const { watcher } = this;
    const high = this.macHighOf(row);
    const low = this.macLowOf(row);
    const fid = this.fidAt(row);
    this.uncount(row);
    this.counters[COUNTER_ENTRIES]--;
    this.header[HEAD_TOMBSTONES] += freeRow(this.probed, row);
    if (watcher !== null) watcher(high, low, fid);
  }

  /** Counts the entry of a row for its owner and group. */
  private count(row: number): void {
    const base = row << ROW_SHIFT;
    const owner = this.rows[base + ROW_OWNER];
    if (!isLearnedWord(this.rows[base + ROW_MAC_HIGH])) {
      this.views.setByOwner[owner]++;
      return;
    }
    this.learnedByOwner[owner]++;
    this.learnedByGroup[this.groupOfOwner[owner]]++;
    rankUp(this.views, owner);
    enterRing(this.views, row, owner);
  }

  private uncount(row: number): void {
    const base = row << ROW_SHIFT;
    const owner = this.rows[base + ROW_OWNER];
    if (!isLearnedWord(this.rows[base + ROW_MAC_HIGH])) {
      this.views.setByOwner[owner]--;
      return;
    }
    this.learnedByOwner[owner]--;
    this.learnedByGroup[this.groupOfOwner[owner]]--;
    rankDown(this.views, owner);
    leaveRing(this.views, row, owner);
  }
}
