/**
 * Reading a neighbour table from another thread, for listings.
 *
 * The writers never wait for a reader. A row is read between two looks at its version, and read again when it was being
 * written. The listing as a whole is no single moment: what changes meanwhile may be in it or not, what lasts is in it
 * exactly once.
 *
 * Owns reading only. It never writes to the table's memory.
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
  ROW_MAC_HIGH,
  ROW_MAC_LOW,
  ROW_PORT,
  ROW_SEGMENT,
  ROW_SHIFT,
  ROW_STAMP,
  ROW_VERSION,
  SEGMENT_EMPTY,
  viewsOf,
} from './layout.js';

/** One binding as it was at the moment of reading. */
export interface NeighRow {
  segment: number;
  /** Four words, IPv4 mapped. */
  address: [number, number, number, number];
  high: number;
  low: number;
  /** NEIGH_MANUAL, NEIGH_ROUTER, NEIGH_TUNNEL, NEIGH_DISPUTED. */
  flags: number;
  /** Where it was heard last, or what it was put in for. */
  port: number;
  /** Tick at which it was heard last, or put in; `ageOf` makes an age of it. */
  stamp: number;
}

export interface NeighCounters {
  /** The present number; the others only grow. */
  entries: number;
  learned: number;
  changed: number;
  aged: number;
  refused: number;
  /** Learned bindings that gave way to others in a full table. */
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

  /** The counters as they stand; each is right, they are not of one moment. */
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
   * Calls back for each binding with an object of its own.
   * @param fromRow, rowCount the part of the rows to read, so that a large table can be listed in pieces
   * @returns how many rows could not be read, 0 unless a writer has died while writing one
   */
  forEach(callback: (binding: NeighRow) => void, fromRow = 0, rowCount = this.slots): number {
    const end = Math.min(fromRow + rowCount, this.slots);
    let unreadable = 0;
    for (let row = fromRow; row < end; row++) {
      if (!isBinding(Atomics.load(this.rows, (row << ROW_SHIFT) + ROW_SEGMENT))) continue;
      const binding = this.read(row);
      if (binding === null) unreadable++;
      else if (isBinding(binding.segment)) callback(binding);
    }
    return unreadable;
  }

  /** The binding of an address, or null. @param address four words, IPv4 mapped */
  find(segment: number, address: readonly number[]): NeighRow | null {
    for (;;) {
      const row = this.search(segment, address);
      if (row < 0) return null;
      const binding = this.read(row);
      if (binding === null) return null;
      if (binding.segment === segment && binding.address.every((word, index) => word === address[index]))
        return binding;
    }
  }

  private search(segment: number, address: readonly number[]): number {
    const { rows, slots } = this;
    const [a0, a1, a2, a3] = address;
    let row = hashAddress(segment, a0, a1, a2, a3, this.views.header[HEAD_SEED]) & (slots - 1);
    for (let left = probeLimit(slots); left > 0; left--) {
      const base = row << ROW_SHIFT;
      const found = Atomics.load(rows, base + ROW_SEGMENT);
      if (found === SEGMENT_EMPTY) return -1;
      const isSame = address.every((word, index) => word === Atomics.load(rows, base + ROW_ADDRESS + index));
      if (found === segment && isSame) return row;
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
      segment: Atomics.load(rows, base + ROW_SEGMENT),
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

function isBinding(segment: number): boolean {
  return segment > SEGMENT_EMPTY && segment < ROUTERS;
}
