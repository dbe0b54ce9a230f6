/**
 * Reading a neighbour table from another thread, for listings.
 *
 * Writers never wait for a reader. A row is read again if its version shows a write during the read. A listing is not a snapshot:
 * it contains each unchanged binding exactly once, and may or may not contain bindings that change meanwhile.
 *
 * Never writes to the table's memory.
 */
import { hashAddress } from '../shared-memory/hash.js';
import { probeLimit } from '../shared-memory/probing.js';
import { isStable, readPatiently, versionAt } from '../shared-memory/seqlock.js';
import {
  COUNTER_AGED,
  COUNTER_CHANGED,
  COUNTER_CONFLICTS,
  COUNTER_ENTRIES,
  COUNTER_EVICTED,
  COUNTER_LEARNED,
  COUNTER_REFUSED,
  HEAD_CAPACITY,
  HEAD_SEED,
  HEAD_SLOTS,
  type NeighViews,
  ROUTERS,
  ROW_ADDRESS,
  ROW_CHANGES,
  ROW_MAC_HIGH,
  ROW_MAC_LOW,
  ROW_PORT,
  ROW_FID,
  ROW_SHIFT,
  ROW_SINCE,
  ROW_STAMP,
  ROW_VERSION,
  FID_EMPTY,
  viewsOf,
} from './layout.js';

/** A binding at the time of reading. */
export interface NeighRow {
  fid: number;
  /** Four words, IPv4 mapped. */
  address: [number, number, number, number];
  high: number;
  low: number;
  /** NEIGH_MANUAL and the like. */
  flags: number;
  /** The port of the last message, or of a manual binding. */
  port: number;
  /** Tick of the last message, or of a manual binding's change; `ageOf` converts it to an age. */
  stamp: number;
}

export interface NeighCounters {
  /** The present number; the other counters only increase. */
  entries: number;
  learned: number;
  changed: number;
  aged: number;
  refused: number;
  /** Learned bindings evicted from a full table. */
  evicted: number;
  conflicts: number;
}

export class NeighReader {
  readonly slots: number;
  readonly capacity: number;
  private readonly views: NeighViews;
  private readonly rows: Int32Array;

  /** @throws TypeError when the memory is not a neighbour table's */
  constructor(memory: SharedArrayBuffer) {
    this.views = viewsOf(memory);
    this.rows = this.views.rows;
    this.slots = this.views.header[HEAD_SLOTS];
    this.capacity = this.views.header[HEAD_CAPACITY];
  }

  /** The present counters; not a snapshot of one moment. */
  counters(): NeighCounters {
    const { counters } = this.views;
    return {
      entries: counters[COUNTER_ENTRIES],
      learned: counters[COUNTER_LEARNED],
      changed: counters[COUNTER_CHANGED],
      aged: counters[COUNTER_AGED],
      refused: counters[COUNTER_REFUSED],
      evicted: counters[COUNTER_EVICTED],
      conflicts: counters[COUNTER_CONFLICTS],
    };
  }

  /**
   * Calls back for each binding with a new object.
   * @param fromRow, rowCount a part of the rows, to list a large table in pieces
   * @returns the number of unreadable rows: 0, unless a writer was killed during a write
   */
  forEach(callback: (binding: NeighRow) => void, fromRow = 0, rowCount = this.slots): number {
    const end = Math.min(fromRow + rowCount, this.slots);
    let unreadable = 0;
    for (let row = fromRow; row < end; row++) {
      if (!isBinding(Atomics.load(this.rows, (row << ROW_SHIFT) + ROW_FID))) continue;
      const binding = this.read(row);
      if (binding === null) unreadable++;
      else if (isBinding(binding.fid)) callback(binding);
    }
    return unreadable;
  }

  /** The binding of an address, or null. @param address four words, IPv4 mapped */
  find(fid: number, address: readonly number[]): NeighRow | null {
    for (;;) {
      const row = this.search(fid, address);
      if (row < 0) return null;
      const binding = this.read(row);
      if (binding === null) return null;
      if (binding.fid === fid && binding.address.every((word, index) => word === address[index])) return binding;
    }
  }

  /** ROW_CHANGES and ROW_SINCE of a binding, as they are at the moment; zeros without one. */
  claims(fid: number, address: readonly number[]): { changes: number; since: number } {
    const row = this.search(fid, address);
    const base = row << ROW_SHIFT;
    return row < 0
      ? { changes: 0, since: 0 }
      : { changes: this.rows[base + ROW_CHANGES], since: this.rows[base + ROW_SINCE] };
  }

  private search(fid: number, address: readonly number[]): number {
    const { rows, slots } = this;
    const [a0, a1, a2, a3] = address;
    let row = hashAddress(fid, a0, a1, a2, a3, this.views.header[HEAD_SEED]) & (slots - 1);
    for (let left = probeLimit(slots); left > 0; left--) {
      const base = row << ROW_SHIFT;
      const found = Atomics.load(rows, base + ROW_FID);
      if (found === FID_EMPTY) return -1;
      const isSame = address.every((word, index) => word === Atomics.load(rows, base + ROW_ADDRESS + index));
      if (found === fid && isSame) return row;
      row = (row + 1) & (slots - 1);
    }
    return -1;
  }

  private read(row: number): NeighRow | null {
    return readPatiently(this.tryRead, row);
  }

  private readonly tryRead = (row: number): NeighRow | null => {
    const { rows } = this;
    const base = row << ROW_SHIFT;
    const version = versionAt(rows, base + ROW_VERSION);
    if ((version & 1) !== 0) return null;
    const word = Atomics.load(rows, base + ROW_MAC_HIGH);
    const at = base + ROW_ADDRESS;
    const binding: NeighRow = {
      fid: Atomics.load(rows, base + ROW_FID),
      address: [
        Atomics.load(rows, at),
        Atomics.load(rows, at + 1),
        Atomics.load(rows, at + 2),
        Atomics.load(rows, at + 3),
      ],
      high: word & 0xffff,
      low: Atomics.load(rows, base + ROW_MAC_LOW),
      flags: word >>> 16,
      port: Atomics.load(rows, base + ROW_PORT),
      stamp: Atomics.load(rows, base + ROW_STAMP),
    };
    return isStable(rows, base + ROW_VERSION, version) ? binding : null;
  };
}

function isBinding(fid: number): boolean {
  return fid > FID_EMPTY && fid < ROUTERS;
}
