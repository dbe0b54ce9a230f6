/**
 * The FDB's rows: finding, claiming, writing and freeing them, and the counts that follow from that.
 *
 * Open addressing with linear probing. There are at least twice as many rows as entries are allowed, so searches are
 * short. A row never moves while its entry lives: its index may be kept for a batch, and another thread that walks the
 * table meets each lasting entry exactly once.
 *
 * **Removal.** A removed row stays a tombstone only as long as the search for a living entry passes over it; each
 * removal looks at the rows on the way to its own. Insertion reuses the first tombstone on its path. So churn has a
 * steady state, and a table that empties is as good as new. Rows looked at in a search, measured with random keys:
 *
 *   | table                                    | hit | miss |
 *   |------------------------------------------|-----|------|
 *   | just filled to capacity (load 1/2)       | 1.5 | 2.5  |
 *   | full, each entry replaced 20 times       | 2.3 | 5.3  |
 *
 * **Bound.** No search looks at more than PROBE_LIMIT rows; an entry that would lie further from its home is refused.
 * With a load of one half and a hash that nobody foresees this does not happen.
 *
 * **Other threads** may read at any time. What belongs together is written between two changes of the row's version, all
 * by Atomics: only those are ordered for other threads on every machine. Refreshing writes one word, plainly.
 *
 * **Writers** hold the lock of `lock.ts`; `write` and `release` claim rows and change counts, and are called with it held.
 * Finding and refreshing need none, because rows do not move.
 *
 * It never decides whether an entry may be learned, may move or is too old.
 */
import { enterRing, leaveRing } from './eviction.js';
import {
  COUNTER_ENTRIES,
  type FdbViews,
  HEAD_CAPACITY,
  HEAD_SEED,
  HEAD_SLOTS,
  HEAD_TOMBSTONES,
  homeRow,
  PROBE_LIMIT,
  ROW_DESTINATION,
  ROW_MAC_HIGH,
  ROW_MAC_LOW,
  ROW_MOVES,
  ROW_OWNER,
  ROW_SEGMENT,
  ROW_SHIFT,
  ROW_STAMP,
  ROW_VERSION,
  SEGMENT_EMPTY,
  SEGMENT_TOMBSTONE,
  viewsOf,
} from './layout.js';
import { rankDown, rankUp } from './ranking.js';

export class FdbStore {
  /** What `attach` and `FdbReader` take. */
  readonly memory: SharedArrayBuffer;
  readonly capacity: number;
  readonly slots: number;
  readonly rows: Int32Array;
  /** COUNTER_*; entries is the present number, the others only grow. */
  readonly counters: Float64Array;
  /** Most learned entries of an owner, 0: no limit. To be set by the table's user. */
  readonly ownerLimit: Int32Array;
  /** Most learned entries of a group, 0: no limit. To be set by the table's user. */
  readonly groupLimit: Int32Array;
  /** Ageing limit of an owner's entries in ticks; 0: its group's. To be set by the table's user. */
  readonly ageingOfOwner: Int32Array;
  /** Ageing limit in ticks. To be set by the table's user. */
  readonly ageingOfGroup: Int32Array;
  /** Group of an owner. Changed by `assignGroup` only, which keeps the counts right. */
  readonly groupOfOwner: Int32Array;
  readonly learnedByOwner: Int32Array;
  readonly learnedByGroup: Int32Array;
  readonly header: Int32Array;
  /** All of the above, and what else lies in the memory. */
  protected readonly views: FdbViews;
  protected readonly mask: number;
  protected readonly seed: number;
  protected readonly probeLimit: number;

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
    this.probeLimit = Math.min(this.slots, PROBE_LIMIT);
  }

  /** Number of rows that are neither empty nor an entry. */
  get tombstones(): number {
    return this.header[HEAD_TOMBSTONES] as number;
  }

  // ---- Words of a row, by their names

  destinationOf(row: number): number {
    return this.rows[(row << ROW_SHIFT) + ROW_DESTINATION];
  }

  /** FLAG_*; 0 for a learned entry. */
  flagsOf(row: number): number {
    return this.rows[(row << ROW_SHIFT) + ROW_MAC_HIGH] >>> 16;
  }

  ownerOf(row: number): number {
    return this.rows[(row << ROW_SHIFT) + ROW_OWNER];
  }

  /** 0 or -1 when the row holds no entry. */
  segmentOf(row: number): number {
    return this.rows[(row << ROW_SHIFT) + ROW_SEGMENT];
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
  homeOf(high: number, low: number, segment: number): number {
    return homeRow(high, low, segment, this.seed, this.mask);
  }

  /** The row of a key, or -1 (hot). @param segment from 1 on */
  find(high: number, low: number, segment: number): number {
    const rows = this.rows;
    let row = this.homeOf(high, low, segment);
    for (let left = this.probeLimit; left > 0; left--) {
      const base = row << ROW_SHIFT;
      const found = rows[base + ROW_SEGMENT];
      if (found === SEGMENT_EMPTY) return -1;
      if (found === segment && rows[base + ROW_MAC_LOW] === low && (rows[base + ROW_MAC_HIGH] & 0xffff) === high)
        return row;
      row = (row + 1) & this.mask;
    }
    return -1;
  }

  /**
   * A free row for a key that is not in the table: the first tombstone on its path, else the empty row at its end; -1:
   * none within PROBE_LIMIT. It has to be looked for again when an entry was removed meanwhile.
   */
  protected findFree(high: number, low: number, segment: number): number {
    let row = this.homeOf(high, low, segment);
    for (let left = this.probeLimit; left > 0; left--) {
      // Both kinds of free rows are below every segment.
      if (this.rows[(row << ROW_SHIFT) + ROW_SEGMENT] <= SEGMENT_EMPTY) return row;
      row = (row + 1) & this.mask;
    }
    return -1;
  }

  /** Makes a row hold an entry: one that was found, or a free one. Keeps the counts. */
  protected write(
    row: number,
    high: number,
    low: number,
    segment: number,
    destination: number,
    owner: number,
    flags: number,
    stamp: number,
    moves: number,
  ): void {
    const rows = this.rows;
    const base = row << ROW_SHIFT;
    const before = rows[base + ROW_SEGMENT];
    if (before > SEGMENT_EMPTY) this.uncount(row);
    else this.counters[COUNTER_ENTRIES]++;
    if (before === SEGMENT_TOMBSTONE) this.header[HEAD_TOMBSTONES]--;

    const version = rows[base + ROW_VERSION];
    Atomics.store(rows, base + ROW_VERSION, version + 1);
    Atomics.store(rows, base + ROW_MAC_LOW, low);
    Atomics.store(rows, base + ROW_MAC_HIGH, high | (flags << 16));
    Atomics.store(rows, base + ROW_SEGMENT, segment);
    Atomics.store(rows, base + ROW_DESTINATION, destination);
    Atomics.store(rows, base + ROW_STAMP, stamp);
    Atomics.store(rows, base + ROW_MOVES, moves);
    Atomics.store(rows, base + ROW_OWNER, owner);
    Atomics.store(rows, base + ROW_VERSION, version + 2);

    this.count(row);
  }

  /**
   * Frees the row of an entry. Keeps the counts.
   *
   * Only the searches of this entry end with it, and they led from its home to its row. So the tombstones on that path,
   * and no others, may have lost their purpose.
   */
  protected release(row: number): void {
    const base = row << ROW_SHIFT;
    const home = this.homeOf(
      this.rows[base + ROW_MAC_HIGH] & 0xffff,
      this.rows[base + ROW_MAC_LOW],
      this.rows[base + ROW_SEGMENT],
    );
    this.uncount(row);
    this.counters[COUNTER_ENTRIES]--;
    this.header[HEAD_TOMBSTONES]++;
    this.mark(row, SEGMENT_TOMBSTONE);
    for (let at = row; ; at = (at - 1) & this.mask) {
      if (this.rows[(at << ROW_SHIFT) + ROW_SEGMENT] === SEGMENT_TOMBSTONE && !this.isCrossed(at)) {
        this.header[HEAD_TOMBSTONES]--;
        this.mark(at, SEGMENT_EMPTY);
      }
      if (at === home) return;
    }
  }

  /** True when the search for a living entry passes over this row. */
  private isCrossed(row: number): boolean {
    const rows = this.rows;
    for (let distance = 1; distance < this.probeLimit; distance++) {
      const at = (row + distance) & this.mask;
      const base = at << ROW_SHIFT;
      const segment = rows[base + ROW_SEGMENT];
      if (segment === SEGMENT_EMPTY) return false;
      if (segment === SEGMENT_TOMBSTONE) continue;
      const home = this.homeOf(rows[base + ROW_MAC_HIGH] & 0xffff, rows[base + ROW_MAC_LOW], segment);
      if (((at - home) & this.mask) >= distance) return true;
    }
    return false;
  }

  private mark(row: number, segment: number): void {
    const base = row << ROW_SHIFT;
    const version = this.rows[base + ROW_VERSION];
    Atomics.store(this.rows, base + ROW_VERSION, version + 1);
    Atomics.store(this.rows, base + ROW_SEGMENT, segment);
    Atomics.store(this.rows, base + ROW_VERSION, version + 2);
  }

  /** Counts the entry of a row for its owner and group. Nothing but learning leaves an entry without a flag. */
  private count(row: number): void {
    const base = row << ROW_SHIFT;
    const owner = this.rows[base + ROW_OWNER];
    if (this.rows[base + ROW_MAC_HIGH] >>> 16 !== 0) {
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
    if (this.rows[base + ROW_MAC_HIGH] >>> 16 !== 0) {
      this.views.setByOwner[owner]--;
      return;
    }
    this.learnedByOwner[owner]--;
    this.learnedByGroup[this.groupOfOwner[owner]]--;
    rankDown(this.views, owner);
    leaveRing(this.views, row, owner);
  }
}
