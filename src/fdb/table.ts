/**
 * The forwarding database (FDB): `<MAC, fid> -> destination`. A FID is an FID.
 *
 * | cost of a frame                   | words written                        |
 * |-----------------------------------|--------------------------------------|
 * | look-up, hit or miss              | none                                 |
 * | learning, known, same destination | 1 if the tick has changed, else none |
 * | learning, new or moved            | the row, counts, order and an event  |
 *
 * **Rows, not columns.** All words of an entry are adjacent in one Int32Array, 32 bytes a row, so a hit costs one cache line.
 * Separate arrays (two words of MAC, FID, destination, stamp, flags) would cost up to six, each on a page of its own.
 * Frames of many flows hit random rows, and a million entries take 64 MiB, so cache lines determine the cost of a look-up. Columns
 * would be faster only for the sweep, which reads one word of many entries and is spread over time.
 *
 * **Moves.** A learned entry moves at once. The flags of an entry set by control determine whether it moves, ages, both or
 * neither, as in Linux `br_fdb_update` and, for FLAG_PINNED, `vxlan_snoop`. The caller of `learn` may give more flags that prevent
 * a move.
 *
 * **Limits** count learned entries only, and exactly; an entry is learned if and only if it has no flag of FLAGS_SET. An entry that moves to
 * an owner without room is removed, because its old destination is wrong: its frames are flooded, like those of every address
 * that was not learned.
 *
 * **A full table** still learns new addresses: it evicts a learned entry of the owner with the most (`eviction.ts`). It refuses an
 * address only at a limit, when it has no learned entry, or without a free row in the search range of the address (`store.ts`;
 * practically impossible, because the hash is seeded).
 *
 * **Events.** Each change of an entry is recorded for readers in other threads (`events.ts`). A removal has the last tick that a
 * caller passed in.
 *
 * **Time** is a number of ticks of 100 ms, passed in by the caller. It increases and may wrap at 2^31.
 *
 * **Threads.** Several may look up, learn and set. Changes are made under one lock (`lock.ts`); look-ups and the refresh of a known
 * MAC take no lock. One thread sweeps.
 *
 * MACs, FIDs, destinations and owners are integers here; ports, bridges, VLANs and VNIs are unknown. Each destination belongs
 * to one owner.
 */

import { lock, unlock } from '../shared-memory/lock.js';
import { isDue } from './ageing.js';
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
  FLAG_INACTIVE,
  FLAG_LOCKED,
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
  ROW_FID,
  ROW_SHIFT,
  ROW_STAMP,
  ROW_VERSION,
  FID_EMPTY,
} from './layout.js';

export { ageOf } from '../shared-memory/age.js';
export * from './events.js';
export type { FdbMatch } from './flush.js';
export * from './layout.js';
export { type FdbCounters, FdbReader, type FdbRow } from './snapshot.js';
export * from './transfer.js';

// ---- Outcomes of `learn` -----------------------------------------------------------------------
/** The entry had this destination already; its age is 0 again. */
export const REFRESHED = 0;
/** A new entry. */
export const LEARNED = 1;
/** The entry had another destination. */
export const MOVED = 2;
/** The entry has another destination and does not move; unchanged. */
export const STATIC_OTHER = 3;
/** The entry had this destination already and never ages. */
export const STATIC_SAME = 4;
/** Not learned: a limit is reached, or the table is full of entries that are never evicted. */
export const FULL = 5;

/** FLAG_INACTIVE in the word of a row that has the flags. */
const INACTIVE_BIT = FLAG_INACTIVE << 16;

/** The result of `resolve` for an unknown MAC. */
export const NOT_FOUND = -1;

/** Creates an empty table. @throws RangeError when an option is out of range */
export function createFdb(options: FdbOptions = {}): Fdb {
  return new Fdb(createMemory(options));
}

export class Fdb extends FdbChanges {
  /** The table in this memory, made by `createFdb`. `store.ts` has the rules for several threads. */
  static attach(memory: SharedArrayBuffer): Fdb {
    return new Fdb(memory);
  }

  // ---- Look-up (hot) ---------------------------------------------------------------------------

  /**
   * The row of an entry, or -1. An entry keeps its row until it is removed.
   * @param high first two bytes of the MAC, unsigned
   * @param low last four bytes, signed
   * @param FID at least 1
   */
  lookup(high: number, low: number, fid: number): number {
    return this.find(high, low, fid);
  }

  /**
   * The destination of a MAC, or NOT_FOUND; for threads beside other writers. Another thread may reuse the row between search
   * and read. The row's version shows that, and the search starts again.
   */
  resolve(high: number, low: number, fid: number): number {
    const rows = this.rows;
    for (;;) {
      const row = this.find(high, low, fid);
      if (row < 0) return NOT_FOUND;
      const base = row << ROW_SHIFT;
      const version = Atomics.load(rows, base + ROW_VERSION);
      const same =
        rows[base + ROW_FID] === fid &&
        rows[base + ROW_MAC_LOW] === low &&
        (rows[base + ROW_MAC_HIGH] & 0xffff) === high;
      const destination = rows[base + ROW_DESTINATION];
      if (same && (version & 1) === 0 && Atomics.load(rows, base + ROW_VERSION) === version) return destination;
    }
  }

  /** Loads the first row of the search for a key into the cache. @returns a word of it; use it, or the compiler omits the read */
  touch(high: number, low: number, fid: number): number {
    return this.rows[(this.homeOf(high, low, fid) << ROW_SHIFT) + ROW_FID];
  }

  // ---- Learning (hot) --------------------------------------------------------------------------

  /**
   * Learns that a frame from this MAC came from this destination.
   * @param now the present tick
   * @param settled flags; an entry with any of them does not move there
   * @returns REFRESHED, LEARNED, MOVED, STATIC_OTHER, STATIC_SAME or FULL
   */
  learn(
    high: number,
    low: number,
    fid: number,
    destination: number,
    owner: number,
    now: number,
    settled = FLAGS_NEVER_MOVED,
  ): number {
    const row = this.find(high, low, fid);
    if (row >= 0) {
      const base = row << ROW_SHIFT;
      if (this.rows[base + ROW_DESTINATION] === destination) return this.refresh(row, now);
      // Every frame of an anycast MAC gets here, so this takes no lock. If another thread has reused the row, only this frame is
      // not learned from.
      if (staysFor(this.rows[base + ROW_MAC_HIGH] >>> 16, settled)) return STATIC_OTHER;
    }
    return this.change(high, low, fid, destination, owner, now, settled, 0);
  }

  /**
   * Learns where a MAC is that may not send there yet: a new entry has FLAG_LOCKED. One that is here already is refreshed, and one that
   * is elsewhere stays there.
   * @returns REFRESHED, LEARNED, STATIC_OTHER, STATIC_SAME or FULL
   */
  learnLocked(high: number, low: number, fid: number, destination: number, owner: number, now: number): number {
    const row = this.find(high, low, fid);
    if (row >= 0 && this.rows[(row << ROW_SHIFT) + ROW_DESTINATION] === destination) return this.refresh(row, now);
    if (row >= 0) return STATIC_OTHER;
    return this.change(high, low, fid, destination, owner, now, FLAGS_NEVER_MOVED, FLAG_LOCKED);
  }

  /** The slow half of learning. Looks the key up again under the lock, because another thread may have changed it. */
  private change(
    high: number,
    low: number,
    fid: number,
    destination: number,
    owner: number,
    now: number,
    settled: number,
    flags: number,
  ): number {
    this.check(high, fid, owner);
    lock(this.header, HEAD_LOCK);
    this.header[HEAD_TICK] = now;
    const row = this.find(high, low, fid);
    let outcome: number;
    if (row < 0) outcome = this.admit(high, low, fid, destination, owner, now, flags);
    else if (this.destinationOf(row) === destination) outcome = this.refresh(row, now);
    // It came up elsewhere meanwhile, perhaps as a learned one, which no flag keeps there.
    else if (flags !== 0) outcome = STATIC_OTHER;
    else outcome = this.roam(row, destination, owner, now, settled);
    unlock(this.header, HEAD_LOCK);
    return outcome;
  }

  /** Sets the age of a row's entry to 0. @returns REFRESHED, or STATIC_SAME for an entry that never ages */
  refresh(row: number, now: number): number {
    const base = row << ROW_SHIFT;
    // Few frames of a busy address come in a new tick; the others leave the cache line clean.
    if (this.rows[base + ROW_STAMP] !== now) {
      this.rows[base + ROW_STAMP] = now;
      if ((this.rows[base + ROW_MAC_HIGH] & INACTIVE_BIT) !== 0) this.markActive(row, now);
    }
    return ((this.rows[base + ROW_MAC_HIGH] >>> 16) & FLAGS_NEVER_AGED) === 0 ? REFRESHED : STATIC_SAME;
  }

  /** A frame came from the MAC of an entry that tells whether it is in use (Linux br_fdb_update). */
  private markActive(row: number, now: number): void {
    lock(this.header, HEAD_LOCK);
    if (this.fidAt(row) > FID_EMPTY && (this.flagsOf(row) & FLAG_INACTIVE) !== 0)
      this.reflag(row, this.flagsOf(row) & ~FLAG_INACTIVE, now);
    unlock(this.header, HEAD_LOCK);
  }

  private admit(
    high: number,
    low: number,
    fid: number,
    destination: number,
    owner: number,
    now: number,
    flags: number,
  ): number {
    const hasRoom = this.ownerHasRoom(owner) && this.groupHasRoom(this.groupOfOwner[owner]);
    const row = hasRoom ? this.makeRoom(high, low, fid, owner, now) : -1;
    if (row < 0) {
      this.counters[COUNTER_REFUSED]++;
      return FULL;
    }
    this.write(row, high, low, fid, destination, owner, flags, now, 0);
    this.counters[COUNTER_LEARNED]++;
    recordEvent(this.views, EVENT_LEARNED, CAUSE_NONE, row, destination, now);
    return LEARNED;
  }

  private roam(row: number, destination: number, owner: number, now: number, settled: number): number {
    const base = row << ROW_SHIFT;
    const word = this.rows[base + ROW_MAC_HIGH];
    let flags = (word >>> 16) & ~(FLAG_INACTIVE | FLAG_LOCKED);
    if (staysFor(flags, settled)) return STATIC_OTHER;
    const high = word & 0xffff;
    const fid = this.rows[base + ROW_FID];
    if (flags === 0 && !this.hasRoomFrom(this.rows[base + ROW_OWNER], owner)) {
      this.drop(row, EVENT_DELETED, CAUSE_LIMIT, now);
      this.counters[COUNTER_REFUSED]++;
      return FULL;
    }
    // As in Linux, learning takes over an entry of a control program. The entry then ages, and no limit counts it.
    if ((flags & FLAG_EXTERN_LEARN) !== 0) flags = (flags & ~FLAG_EXTERN_LEARN) | FLAG_ADDED;
    const moves = this.rows[base + ROW_MOVES] + 1;
    const from = this.rows[base + ROW_DESTINATION];
    this.write(row, high, this.rows[base + ROW_MAC_LOW], fid, destination, owner, flags, now, moves);
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

  /** Whether an entry counted for `from` may move to `to`. A move within an owner or a group changes no count. */
  private hasRoomFrom(from: number, to: number): boolean {
    if (from === to) return true;
    const group = this.groupOfOwner[to];
    return this.ownerHasRoom(to) && (this.groupOfOwner[from] === group || this.groupHasRoom(group));
  }

  // ---- Ageing ----------------------------------------------------------------------------------

  /**
   * Removes the expired entries of the next `maxRows` rows. Each call continues where the last one ended; a round is `slots` rows.
   * @param maxRemoved limit of removals; one costs as much as checking thirty rows
   * @returns the number of removed entries
   */
  sweep(now: number, maxRows: number, maxRemoved = this.slots): number {
    this.header[HEAD_TICK] = now;
    let row = this.header[HEAD_CURSOR];
    let removed = 0;
    for (let left = Math.min(maxRows, this.slots); left > 0 && removed < maxRemoved; left--) {
      if (this.fidAt(row) > FID_EMPTY && isDue(this.views, row, now) && this.expire(row, now)) removed++;
      row = (row + 1) & this.mask;
    }
    this.header[HEAD_CURSOR] = row;
    return removed;
  }

  /** Removes an expired entry, or marks it as out of use, unless another thread has just refreshed it. @returns whether it is removed */
  private expire(row: number, now: number): boolean {
    lock(this.header, HEAD_LOCK);
    const due = this.fidAt(row) > FID_EMPTY && isDue(this.views, row, now);
    const flags = this.flagsOf(row);
    const expired = due && (flags & FLAGS_NEVER_AGED) === 0;
    if (due && !expired) this.reflag(row, flags | FLAG_INACTIVE, now);
    if (expired) {
      this.drop(row, EVENT_AGED, CAUSE_NONE, now);
      this.counters[COUNTER_AGED]++;
    }
    unlock(this.header, HEAD_LOCK);
    return expired;
  }
}

/** Whether flags prevent a move. For an entry of a control program (`extern_learn`) FLAG_STATIC alone does not. */
function staysFor(flags: number, settled: number): boolean {
  const counting = (flags & FLAG_EXTERN_LEARN) === 0 ? settled : settled & FLAGS_NEVER_MOVED;
  return (flags & counting) !== 0;
}
