/**
 * Changes of the FDB by control, and the common steps of all changes: eviction, counts and events.
 *
 * Learning and ageing are in `table.ts`.
 */

import { lock, unlock } from '../shared-memory/lock.js';
import { close, open } from '../shared-memory/seqlock.js';
import {
  CAUSE_EVICTED,
  CAUSE_FLUSHED,
  CAUSE_NONE,
  CAUSE_REMOVED,
  EVENT_ADDED,
  EVENT_CHANGED,
  EVENT_DELETED,
  recordEvent,
} from './events.js';
import { noteOldest, victimFor } from './eviction.js';
import { type FdbMatch, matches } from './flush.js';
import {
  COUNTER_ENTRIES,
  COUNTER_EVICTED,
  COUNTER_REFUSED,
  FLAG_ADDED,
  FLAG_EXTERN_LEARN,
  FLAG_INACTIVE,
  FLAGS_ALL,
  FLAGS_SET,
  HEAD_LOCK,
  HEAD_TICK,
  FID_EMPTY,
  ROW_MAC_HIGH,
  ROW_SHIFT,
  ROW_VERSION,
} from './layout.js';
import { FdbStore } from './store.js';

/** An inactive entry becomes active with the next frame, also within this tick. */
function stampFor(flags: number, now: number): number {
  return (flags & FLAG_INACTIVE) === 0 ? now : (now - 1) & 0x7fffffff;
}

/** Set by control, and not by a control program. FLAG_ADDED alone may be one that learning has taken over. */
function isConfigured(flags: number): boolean {
  return (flags & FLAG_EXTERN_LEARN) === 0 && (flags & FLAGS_SET & ~FLAG_ADDED) !== 0;
}

export class FdbChanges extends FdbStore {
  /**
   * Adds an entry, or changes an existing one, learned ones included; its count of moves is kept. A full table evicts a learned
   * entry.
   * @param flags of FLAGS_SET; 0: the entry ages like a learned one, but no limit counts it (FLAG_ADDED)
   * @param refreshes false: the age of a present entry stays
   * @returns false when the table is full and has no learned entry
   * @throws RangeError when a value is out of range
   */
  set(
    high: number,
    low: number,
    fid: number,
    destination: number,
    owner: number,
    flags: number,
    now: number,
    refreshes = true,
  ): boolean {
    this.check(high, fid, owner);
    if ((flags & ~FLAGS_SET) !== 0) throw new RangeError(`FDB flags are ${flags}: give a union of FLAG_* values`);
    const given = flags === 0 ? FLAG_ADDED : flags;
    lock(this.header, HEAD_LOCK);
    this.header[HEAD_TICK] = now;
    const found = this.find(high, low, fid);
    const row = found >= 0 ? found : this.makeRoom(high, low, fid, owner, now);
    if (row < 0) this.counters[COUNTER_REFUSED]++;
    else {
      const stamp = refreshes || found < 0 ? stampFor(given, now) : this.stampOf(row);
      this.put(row, found >= 0, high, low, fid, destination, owner, given, stamp, now);
    }
    unlock(this.header, HEAD_LOCK);
    return row >= 0;
  }

  /** Writes the row of `set`, and records the change if there is one. */
  private put(
    row: number,
    isThere: boolean,
    high: number,
    low: number,
    fid: number,
    destination: number,
    owner: number,
    flags: number,
    stamp: number,
    now: number,
  ): void {
    const from = isThere ? this.destinationOf(row) : destination;
    const changes = !isThere || from !== destination || this.ownerOf(row) !== owner || this.flagsOf(row) !== flags;
    this.write(row, high, low, fid, destination, owner, flags, stamp, isThere ? this.movesOf(row) : 0);
    if (changes) recordEvent(this.views, isThere ? EVENT_CHANGED : EVENT_ADDED, CAUSE_NONE, row, from, now);
  }

  /**
   * Puts an entry in as another table had it, with flags (none of FLAGS_SET: a learned one), age and moves, and without an event. Its limits held
   * there.
   * @param stamp the tick of its last refresh
   * @returns false when there is no room
   * @throws RangeError when a value is out of range
   */
  restore(
    high: number,
    low: number,
    fid: number,
    destination: number,
    owner: number,
    flags: number,
    stamp: number,
    moves: number,
  ): boolean {
    this.check(high, fid, owner);
    if ((flags & ~FLAGS_ALL) !== 0) throw new RangeError(`FDB flags are ${flags}: give a union of FLAG_* values`);
    lock(this.header, HEAD_LOCK);
    const found = this.find(high, low, fid);
    const hasRoom = found >= 0 || this.counters[COUNTER_ENTRIES] < this.capacity;
    const row = found >= 0 || !hasRoom ? found : this.findFree(high, low, fid);
    if (row >= 0) {
      this.write(row, high, low, fid, destination, owner, flags, stamp, moves);
      if ((flags & FLAGS_SET) === 0) noteOldest(this.views, owner, stamp);
    }
    unlock(this.header, HEAD_LOCK);
    return row >= 0;
  }

  /**
   * Adds an entry of a control program, or changes one that was learned, that such a program put in before, or that learning has taken
   * over from it. One that is configured, or an address of the switch itself, stays as it is.
   * @param flags with FLAG_EXTERN_LEARN
   * @returns false when the table is full and has no learned entry
   * @throws RangeError when a value is out of range
   */
  setExternal(
    high: number,
    low: number,
    fid: number,
    destination: number,
    owner: number,
    flags: number,
    now: number,
  ): boolean {
    this.check(high, fid, owner);
    lock(this.header, HEAD_LOCK);
    this.header[HEAD_TICK] = now;
    const found = this.find(high, low, fid);
    const stays = found >= 0 && isConfigured(this.flagsOf(found));
    const row = found >= 0 ? found : this.makeRoom(high, low, fid, owner, now);
    if (row < 0) this.counters[COUNTER_REFUSED]++;
    else if (!stays) this.put(row, found >= 0, high, low, fid, destination, owner, flags, now, now);
    unlock(this.header, HEAD_LOCK);
    return row >= 0;
  }

  /** Removes an entry of a control program, if it still leads there. @returns false otherwise */
  removeExternal(high: number, low: number, fid: number, destination: number): boolean {
    lock(this.header, HEAD_LOCK);
    const row = this.find(high, low, fid);
    const isIts = row >= 0 && (this.flagsOf(row) & FLAG_EXTERN_LEARN) !== 0 && this.destinationOf(row) === destination;
    if (isIts) this.drop(row, EVENT_DELETED, CAUSE_REMOVED, this.header[HEAD_TICK]);
    unlock(this.header, HEAD_LOCK);
    return isIts;
  }

  /** @returns false when there was no such entry */
  remove(high: number, low: number, fid: number): boolean {
    lock(this.header, HEAD_LOCK);
    const row = this.find(high, low, fid);
    if (row >= 0) this.drop(row, EVENT_DELETED, CAUSE_REMOVED, this.header[HEAD_TICK]);
    unlock(this.header, HEAD_LOCK);
    return row >= 0;
  }

  /** Removes the entry of a row. @returns false when the row is empty */
  removeRow(row: number): boolean {
    lock(this.header, HEAD_LOCK);
    const there = this.fidAt(row) > FID_EMPTY;
    if (there) this.drop(row, EVENT_DELETED, CAUSE_REMOVED, this.header[HEAD_TICK]);
    unlock(this.header, HEAD_LOCK);
    return there;
  }

  /**
   * Removes all matching entries; static ones too, unless the match excludes them by flags.
   * @param fromRow, rowCount a part of the rows: one pass over a large table would delay frames
   * @returns the number of removed entries
   */
  flush(match: FdbMatch, fromRow = 0, rowCount = this.slots): number {
    const end = Math.min(fromRow + rowCount, this.slots);
    let removed = 0;
    for (let row = fromRow; row < end; row++) {
      if (!(this.fidAt(row) > FID_EMPTY && matches(this.views, row, match))) continue;
      lock(this.header, HEAD_LOCK);
      if (this.fidAt(row) > FID_EMPTY && matches(this.views, row, match)) {
        this.drop(row, EVENT_DELETED, CAUSE_FLUSHED, this.header[HEAD_TICK]);
        removed++;
      }
      unlock(this.header, HEAD_LOCK);
    }
    return removed;
  }

  /** Moves an owner and its count of entries to a group, even beyond the group's limit. */
  assignGroup(owner: number, group: number): void {
    if (!(group >= 0 && group < this.groupLimit.length && owner >= 0 && owner < this.ownerLimit.length)) {
      throw new RangeError(`FDB owner ${owner} or group ${group} does not exist: create the table with more of them`);
    }
    lock(this.header, HEAD_LOCK);
    const learned = this.learnedByOwner[owner];
    this.learnedByGroup[this.groupOfOwner[owner]] -= learned;
    this.learnedByGroup[group] += learned;
    this.groupOfOwner[owner] = group;
    unlock(this.header, HEAD_LOCK);
  }

  // ---- Steps of all changes; the caller holds the lock

  /** A free row for a key that is not in the table, or -1. A full table evicts an entry. */
  protected makeRoom(high: number, low: number, fid: number, owner: number, now: number): number {
    const row = this.findFree(high, low, fid);
    if (row < 0 || this.counters[COUNTER_ENTRIES] < this.capacity) return row;
    const victim = victimFor(this.views, owner, now);
    if (victim < 0) return -1;
    this.drop(victim, EVENT_DELETED, CAUSE_EVICTED, now);
    this.counters[COUNTER_EVICTED]++;
    return this.findFree(high, low, fid);
  }

  /** Gives an entry other flags, of those that no count depends on, and records that. */
  protected reflag(row: number, flags: number, now: number): void {
    const base = row << ROW_SHIFT;
    open(this.rows, base + ROW_VERSION);
    Atomics.store(this.rows, base + ROW_MAC_HIGH, this.macHighOf(row) | (flags << 16));
    close(this.rows, base + ROW_VERSION);
    this.tell(row);
    recordEvent(this.views, EVENT_CHANGED, CAUSE_NONE, row, this.destinationOf(row), now);
  }

  /** Removes the entry of a row, and records that. */
  protected drop(row: number, kind: number, cause: number, now: number): void {
    recordEvent(this.views, kind, cause, row, this.destinationOf(row), now);
    this.release(row);
  }

  /** Refuses values that would silently corrupt a row or a count. Not called for known addresses. */
  protected check(high: number, fid: number, owner: number): void {
    if (!(high >= 0 && high <= 0xffff)) throw new RangeError(`FDB MAC high word is ${high}: give 0 to 0xffff`);
    if (!(fid >= 1)) throw new RangeError(`FDB fid is ${fid}: give 1 or more`);
    if (!(owner >= 0 && owner < this.ownerLimit.length)) {
      throw new RangeError(
        `FDB owner is ${owner}: give 0 to ${this.ownerLimit.length - 1}, or create the table with more owners`,
      );
    }
  }
}
