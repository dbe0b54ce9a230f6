/**
 * The forwarding database: which destination a MAC has in a segment.
 *
 * | what a frame costs             | words written                           |
 * |--------------------------------|-----------------------------------------|
 * | look up, known or not          | none                                    |
 * | learn, known, same destination | 1 when the tick is a new one, else none |
 * | learn, new or moved            | the row, counts, order and an event     |
 *
 * **Rows, not columns.** All words of an entry lie side by side in one Int32Array, 32 bytes a row. A table kept as a
 * structure of arrays takes up to six cache lines for a hit, in as many pages (two words of MAC, segment, destination,
 * stamp to refresh, flags); a row takes one. Frames of many flows hit rows at random, so at a million entries, 64 MiB of
 * rows, the cache line is the price of a look-up. Columns would win only where one word of many entries is walked, that
 * is the sweep, and that is spread over time.
 *
 * **Who moves.** A learned entry moves at once. What was set by control tells by its flags whether it moves, ages, both
 * or neither; the rules are those of Linux `br_fdb_update` and, for FLAG_PINNED, of `vxlan_snoop`. The caller may name
 * further flags that keep an entry from moving to where its frame came from.
 *
 * **Limits** count learned entries only, and exactly: an entry is learned if and only if it has no flag. An entry that
 * roams to an owner without room is removed, since where it was it is no more: its frames are flooded, as are those of
 * any address that found no room.
 *
 * **A full table** takes in a new address all the same: a learned one gives way, of the owner that has most (`eviction.ts`).
 * Only where a limit is reached, nothing is learned that could give way, or no row is free near an address's home
 * (`store.ts`, which a hash that nobody foresees makes as good as impossible), is it refused.
 *
 * **Events.** Each change of an entry leaves a record for readers in other threads (`events.ts`). A removal is dated by the
 * latest time that the table was told.
 *
 * **Time** is a number of ticks of 100 ms that the caller passes in. It grows and may wrap at 2^31.
 *
 * **Several threads** may look up, learn and set; what they change they change under one lock (`lock.ts`), which neither
 * a look-up nor the refreshing of a known MAC takes. One of them sweeps.
 *
 * The table knows MACs, segments, destinations and owners as integers. It never knows ports, bridges, VLANs or VNIs,
 * and never asks what time it is. A destination belongs to one owner.
 */

import { lock, unlock } from '../shared-memory/lock.js';
import { isExpired } from './ageing.js';
import { FdbChanges } from './changes.js';
import {
  CAUSE_LIMIT,
  CAUSE_NONE,
  EVENT_AGED,
  EVENT_DELETED,
  EVENT_LEARNED,
  EVENT_MOVED,
  recordEvent,
} from './events.js';
import {
  COUNTER_AGED,
  COUNTER_LEARNED,
  COUNTER_MOVED,
  COUNTER_REFUSED,
  createMemory,
  type FdbOptions,
  FLAG_ADDED,
  FLAG_EXTERN_LEARN,
  FLAGS_NEVER_AGED,
  FLAGS_NEVER_MOVED,
  HEAD_CURSOR,
  HEAD_LOCK,
  HEAD_TICK,
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
} from './layout.js';

export { ageOf } from '../shared-memory/age.js';
export * from './events.js';
export type { FdbMatch } from './flush.js';
export * from './layout.js';
export { type FdbCounters, FdbReader, type FdbRow } from './snapshot.js';

// ---- Outcomes of `learn` -----------------------------------------------------------------------
/** The entry was there with this destination, and is young again. */
export const REFRESHED = 0;
/** A new entry. */
export const LEARNED = 1;
/** The entry had another destination. */
export const MOVED = 2;
/** The entry has another destination and does not move: nothing changed. */
export const STATIC_OTHER = 3;
/** An entry that never ages was there with this destination. */
export const STATIC_SAME = 4;
/** A limit is reached, or the table is full of entries that do not give way: not learned. */
export const FULL = 5;

/** What `resolve` gives for a MAC that is not there. */
export const NOT_FOUND = -1;

/** Creates an empty table. @throws RangeError when an option is out of range */
export function createFdb(options: FdbOptions = {}): Fdb {
  return new Fdb(createMemory(options));
}

export class Fdb extends FdbChanges {
  /** The table that lies in this memory. It may have one writing user at a time; see `store.ts`. */
  static attach(memory: SharedArrayBuffer): Fdb {
    return new Fdb(memory);
  }

  // ---- Look-up (hot) ---------------------------------------------------------------------------

  /**
   * The row of an entry, or -1. A row stays the entry's own until the entry is removed.
   * @param high first two bytes of the MAC, unsigned
   * @param low last four, signed
   * @param segment from 1 on
   */
  lookup(high: number, low: number, segment: number): number {
    return this.find(high, low, segment);
  }

  /**
   * The destination of a MAC, or NOT_FOUND; what a thread asks that is not the only one to write. Another thread may give
   * the row to another entry between finding it and reading it: the version tells, and the search begins again.
   */
  resolve(high: number, low: number, segment: number): number {
    const rows = this.rows;
    for (;;) {
      const row = this.find(high, low, segment);
      if (row < 0) return NOT_FOUND;
      const base = row << ROW_SHIFT;
      const version = Atomics.load(rows, base + ROW_VERSION);
      const same =
        rows[base + ROW_SEGMENT] === segment &&
        rows[base + ROW_MAC_LOW] === low &&
        (rows[base + ROW_MAC_HIGH] & 0xffff) === high;
      const destination = rows[base + ROW_DESTINATION];
      if (same && (version & 1) === 0 && Atomics.load(rows, base + ROW_VERSION) === version) return destination;
    }
  }

  /** Reads the row where the search for a key begins, for the cache's sake. @returns something of it, to be used somehow */
  touch(high: number, low: number, segment: number): number {
    return this.rows[(this.homeOf(high, low, segment) << ROW_SHIFT) + ROW_SEGMENT];
  }

  // ---- Learning (hot) --------------------------------------------------------------------------

  /**
   * Takes note that a frame from this MAC came from this destination.
   * @param now the clock's tick
   * @param settled flags, any of which keeps an entry from moving there
   * @returns REFRESHED, LEARNED, MOVED, STATIC_OTHER, STATIC_SAME or FULL
   */
  learn(
    high: number,
    low: number,
    segment: number,
    destination: number,
    owner: number,
    now: number,
    settled = FLAGS_NEVER_MOVED,
  ): number {
    const row = this.find(high, low, segment);
    if (row >= 0) {
      const base = row << ROW_SHIFT;
      if (this.rows[base + ROW_DESTINATION] === destination) return this.refresh(row, now);
      // Every frame of an anycast MAC comes here: none takes the lock. Should the row be another entry's by now, only
      // this one frame teaches nothing.
      if (staysFor(this.rows[base + ROW_MAC_HIGH] >>> 16, settled)) return STATIC_OTHER;
    }
    return this.change(high, low, segment, destination, owner, now, settled);
  }

  /** The slow half of learning: under the lock the key is looked up once more, since another thread may have been first. */
  private change(
    high: number,
    low: number,
    segment: number,
    destination: number,
    owner: number,
    now: number,
    settled: number,
  ): number {
    this.check(high, segment, owner);
    lock(this.header, HEAD_LOCK);
    this.header[HEAD_TICK] = now;
    const row = this.find(high, low, segment);
    let outcome: number;
    if (row < 0) outcome = this.admit(high, low, segment, destination, owner, now);
    else if (this.destinationOf(row) !== destination) outcome = this.roam(row, destination, owner, now, settled);
    else outcome = this.refresh(row, now);
    unlock(this.header, HEAD_LOCK);
    return outcome;
  }

  /** Makes the entry of a row young again. @returns REFRESHED, or STATIC_SAME for one that never ages */
  refresh(row: number, now: number): number {
    const base = row << ROW_SHIFT;
    // A busy address finds a new tick with few of its frames; the others leave the cache line clean.
    if (this.rows[base + ROW_STAMP] !== now) this.rows[base + ROW_STAMP] = now;
    return ((this.rows[base + ROW_MAC_HIGH] >>> 16) & FLAGS_NEVER_AGED) === 0 ? REFRESHED : STATIC_SAME;
  }

  private admit(high: number, low: number, segment: number, destination: number, owner: number, now: number): number {
    const hasRoom = this.ownerHasRoom(owner) && this.groupHasRoom(this.groupOfOwner[owner]);
    const row = hasRoom ? this.makeRoom(high, low, segment, owner, now) : -1;
    if (row < 0) {
      this.counters[COUNTER_REFUSED]++;
      return FULL;
    }
    this.write(row, high, low, segment, destination, owner, 0, now, 0);
    this.counters[COUNTER_LEARNED]++;
    recordEvent(this.views, EVENT_LEARNED, CAUSE_NONE, row, destination, now);
    return LEARNED;
  }

  private roam(row: number, destination: number, owner: number, now: number, settled: number): number {
    const base = row << ROW_SHIFT;
    const word = this.rows[base + ROW_MAC_HIGH];
    let flags = word >>> 16;
    if (staysFor(flags, settled)) return STATIC_OTHER;
    const high = word & 0xffff;
    const segment = this.rows[base + ROW_SEGMENT];
    if (flags === 0 && !this.hasRoomFrom(this.rows[base + ROW_OWNER], owner)) {
      this.drop(row, EVENT_DELETED, CAUSE_LIMIT, now);
      this.counters[COUNTER_REFUSED]++;
      return FULL;
    }
    // As in Linux, learning takes over what a control program had put in; it ages from now on, and no limit counts it.
    if ((flags & FLAG_EXTERN_LEARN) !== 0) flags = (flags & ~FLAG_EXTERN_LEARN) | FLAG_ADDED;
    const moves = this.rows[base + ROW_MOVES] + 1;
    const from = this.rows[base + ROW_DESTINATION];
    this.write(row, high, this.rows[base + ROW_MAC_LOW], segment, destination, owner, flags, now, moves);
    this.counters[COUNTER_MOVED]++;
    recordEvent(this.views, EVENT_MOVED, CAUSE_NONE, row, from, now);
    return MOVED;
  }

  private ownerHasRoom(owner: number): boolean {
    const limit = this.ownerLimit[owner];
    return limit === 0 || this.learnedByOwner[owner] < limit;
  }

  private groupHasRoom(group: number): boolean {
    const limit = this.groupLimit[group];
    return limit === 0 || this.learnedByGroup[group] < limit;
  }

  /** Room for an entry that is counted at `from` now: within an owner or a group its move changes no count. */
  private hasRoomFrom(from: number, to: number): boolean {
    if (from === to) return true;
    const group = this.groupOfOwner[to];
    return this.ownerHasRoom(to) && (this.groupOfOwner[from] === group || this.groupHasRoom(group));
  }

  // ---- Ageing ----------------------------------------------------------------------------------

  /**
   * Looks at the next rows in turn and removes the expired entries. Each call takes up where the last one ended; `slots`
   * rows make one round.
   * @param maxRemoved ends the call after so many removals, each of which costs as much as looking at thirty rows
   * @returns how many entries it removed
   */
  sweep(now: number, maxRows: number, maxRemoved = this.slots): number {
    this.header[HEAD_TICK] = now;
    let row = this.header[HEAD_CURSOR];
    let removed = 0;
    for (let left = Math.min(maxRows, this.slots); left > 0 && removed < maxRemoved; left--) {
      if (this.segmentOf(row) > SEGMENT_EMPTY && isExpired(this.views, row, now) && this.expire(row, now)) removed++;
      row = (row + 1) & this.mask;
    }
    this.header[HEAD_CURSOR] = row;
    return removed;
  }

  /** Removes an entry that is too old, unless another thread has just refreshed it. */
  private expire(row: number, now: number): boolean {
    lock(this.header, HEAD_LOCK);
    const expired = this.segmentOf(row) > SEGMENT_EMPTY && isExpired(this.views, row, now);
    if (expired) {
      this.drop(row, EVENT_AGED, CAUSE_NONE, now);
      this.counters[COUNTER_AGED]++;
    }
    unlock(this.header, HEAD_LOCK);
    return expired;
  }
}

/** Whether flags keep an entry where it is. What a control program has put in may roam, static or not. */
function staysFor(flags: number, settled: number): boolean {
  const counting = (flags & FLAG_EXTERN_LEARN) === 0 ? settled : settled & FLAGS_NEVER_MOVED;
  return (flags & counting) !== 0;
}
