/**
 * Changes of the neighbour table by control, and the common steps of all changes: eviction, counts and rows of router MACs.
 *
 * Learning and ageing are in `table.ts`.
 */

import { ageOf } from '../shared-memory/age.js';
import { lock, unlock } from '../shared-memory/lock.js';
import {
  COUNTER_ENTRIES,
  COUNTER_EVICTED,
  COUNTER_REFUSED,
  COUNTER_ROWS,
  HEAD_LOCK,
  HEAD_SAMPLE,
  NEIGH_EXTERN,
  NEIGH_MANUAL,
  NEIGH_ROUTER,
  NEIGH_SET,
  NEIGH_TUNNEL,
  ROUTERS,
  ROW_CHANGES,
  ROW_MAC_HIGH,
  ROW_MAC_LOW,
  ROW_PORT,
  ROW_FID,
  ROW_SHIFT,
  ROW_STAMP,
} from './layout.js';
import { NeighStore } from './store.js';

/** Learned bindings from which one is selected for eviction. */
const SAMPLE = 32;
/** Rows read for the selection, if they contain at least one learned binding. */
const SAMPLE_ROWS = 1024;

/** Selects bindings; they must match all given conditions. */
export interface NeighMatch {
  port?: number | undefined;
  /** First and last FID, inclusive. */
  fids?: readonly [number, number] | undefined;
  /** Excludes manual bindings. */
  learnedOnly?: boolean | undefined;
}

export class NeighChanges extends NeighStore {
  /**
   * Adds or replaces a manual binding, which never ages and which messages do not change. A full table evicts a learned one.
   * @param address four words, IPv4 mapped
   * @returns false when the table is full of manual bindings
   * @throws RangeError when a value is out of range
   */
  set(
    fid: number,
    address: ArrayLike<number>,
    high: number,
    low: number,
    router: boolean,
    port: number,
    now: number,
  ): boolean {
    this.check(fid, high, port);
    const [a0, a1, a2, a3] = [address[0] | 0, address[1] | 0, address[2] | 0, address[3] | 0];
    lock(this.header, HEAD_LOCK);
    const found = this.find(fid, a0, a1, a2, a3);
    const row = found >= 0 ? found : this.makeRow(fid, a0, a1, a2, a3, now);
    if (row >= 0) this.bind(row, high, low, NEIGH_MANUAL | (router ? NEIGH_ROUTER : 0), port, now, found >= 0);
    unlock(this.header, HEAD_LOCK);
    return row >= 0;
  }

  /**
   * Adds a binding of a control program, or changes one that is not manual. A full table evicts a learned one.
   * @param address four words, IPv4 mapped
   * @returns false when the table has no learned binding to evict
   * @throws RangeError when a value is out of range
   */
  setExternal(
    fid: number,
    address: ArrayLike<number>,
    high: number,
    low: number,
    router: boolean,
    port: number,
    now: number,
  ): boolean {
    this.check(fid, high, port);
    const [a0, a1, a2, a3] = [address[0] | 0, address[1] | 0, address[2] | 0, address[3] | 0];
    lock(this.header, HEAD_LOCK);
    const found = this.find(fid, a0, a1, a2, a3);
    const stays = found >= 0 && (this.flagsOf(found) & NEIGH_MANUAL) !== 0;
    const row = found >= 0 ? found : this.makeRow(fid, a0, a1, a2, a3, now);
    const flags = NEIGH_EXTERN | NEIGH_TUNNEL | (router ? NEIGH_ROUTER : 0);
    if (row >= 0 && !stays) this.bind(row, high, low, flags, port, now, found >= 0);
    unlock(this.header, HEAD_LOCK);
    return row >= 0;
  }

  /** Removes a binding of a control program; one that a message has changed since stays. @returns false without one */
  removeExternal(fid: number, address: ArrayLike<number>): boolean {
    lock(this.header, HEAD_LOCK);
    const row = this.find(fid, address[0] | 0, address[1] | 0, address[2] | 0, address[3] | 0);
    const isIts = row >= 0 && (this.flagsOf(row) & NEIGH_EXTERN) !== 0;
    if (isIts) this.drop(row);
    unlock(this.header, HEAD_LOCK);
    return isIts;
  }

  /**
   * Puts a learned binding in as another table had it. A dispute is not continued: it begins anew with the next claims.
   * @param flags NEIGH_ROUTER and NEIGH_TUNNEL
   * @param stamp the tick of its last message
   * @returns false when there is no room, or a binding of the address that is no control program's
   * @throws RangeError when a value is out of range
   */
  restore(
    fid: number,
    address: ArrayLike<number>,
    high: number,
    low: number,
    flags: number,
    port: number,
    stamp: number,
  ): boolean {
    this.check(fid, high, port);
    const [a0, a1, a2, a3] = [address[0] | 0, address[1] | 0, address[2] | 0, address[3] | 0];
    lock(this.header, HEAD_LOCK);
    const found = this.find(fid, a0, a1, a2, a3);
    const isNew = found < 0 && this.counters[COUNTER_ROWS] < this.capacity;
    // The former process had heard otherwise from the guest itself.
    const gives = found >= 0 && (this.flagsOf(found) & NEIGH_EXTERN) !== 0;
    const row = isNew ? this.makeRow(fid, a0, a1, a2, a3, stamp) : gives ? found : -1;
    if (row >= 0) this.bind(row, high, low, flags & (NEIGH_ROUTER | NEIGH_TUNNEL), port, stamp, gives);
    unlock(this.header, HEAD_LOCK);
    return row >= 0;
  }

  private check(fid: number, high: number, port: number): void {
    if (!(fid >= 1 && fid < ROUTERS)) throw new RangeError(`the neighbour's fid is ${fid}`);
    if (!(high >= 0 && high <= 0xffff)) throw new RangeError(`the neighbour's MAC high word is ${high}`);
    if (!(port >= 0 && port < this.views.ofPort.length)) throw new RangeError(`the neighbour's port is ${port}`);
  }

  /** @returns false when there was no such binding */
  remove(fid: number, address: ArrayLike<number>): boolean {
    lock(this.header, HEAD_LOCK);
    const row = this.find(fid, address[0] | 0, address[1] | 0, address[2] | 0, address[3] | 0);
    if (row >= 0) this.drop(row);
    unlock(this.header, HEAD_LOCK);
    return row >= 0;
  }

  /** Removes all matching bindings. @returns their number */
  flush(match: NeighMatch): number {
    if (this.counters[COUNTER_ENTRIES] === 0) return 0;
    if (match.port !== undefined && this.views.ofPort[match.port] === 0) return 0;
    let removed = 0;
    for (let row = 0; row < this.slots; row++) {
      if (!this.matches(row, match)) continue;
      lock(this.header, HEAD_LOCK);
      if (this.matches(row, match)) {
        this.drop(row);
        removed++;
      }
      unlock(this.header, HEAD_LOCK);
    }
    return removed;
  }

  private matches(row: number, { port, fids, learnedOnly }: NeighMatch): boolean {
    if (!this.isBinding(row)) return false;
    if (port !== undefined && this.rows[(row << ROW_SHIFT) + ROW_PORT] !== port) return false;
    const fid = this.fidOf(row);
    if (fids !== undefined && (fid < fids[0] || fid > fids[1])) return false;
    return learnedOnly !== true || (this.flagsOf(row) & NEIGH_MANUAL) === 0;
  }

  // ---- Steps of all changes; the caller holds the lock -----------------------------------------

  /** A row for a key that is not in the table, reserved and open until `fill`; -1 without room. A full table evicts a binding. */
  protected makeRow(fid: number, a0: number, a1: number, a2: number, a3: number, now: number): number {
    if (this.counters[COUNTER_ROWS] >= this.capacity) {
      const victim = this.victim(now);
      if (victim >= 0) {
        this.drop(victim);
        this.counters[COUNTER_EVICTED]++;
      }
    }
    const row = this.counters[COUNTER_ROWS] >= this.capacity ? -1 : this.findFree(fid, a0, a1, a2, a3);
    if (row < 0) this.counters[COUNTER_REFUSED]++;
    else this.claim(row, fid, a0, a1, a2, a3);
    return row;
  }

  /** Writes MAC, flags and port of a row's binding. @param isThere the row had a binding before */
  protected bind(
    row: number,
    high: number,
    low: number,
    flags: number,
    port: number,
    now: number,
    isThere: boolean,
  ): void {
    if (isThere) {
      this.forgetRouter(row);
      this.count(row, -1);
    }
    this.fill(row, high, low, flags, port, now);
    this.count(row, 1);
    // The last step, because it may evict a learned binding, even this one.
    if ((flags & NEIGH_ROUTER) !== 0) this.noteRouter(row, now);
  }

  protected drop(row: number): void {
    this.forgetRouter(row);
    this.count(row, -1);
    this.release(row);
  }

  /** Counts a binding in the row of its router MAC. A new row may evict a binding, even this one. */
  private noteRouter(binding: number, now: number): void {
    const { rows } = this;
    const base = binding << ROW_SHIFT;
    const fid = rows[base + ROW_FID] | ROUTERS;
    const high = rows[base + ROW_MAC_HIGH] & 0xffff;
    const low = rows[base + ROW_MAC_LOW];
    let row = this.find(fid, high, low, 0, 0);
    if (row < 0) {
      row = this.makeRow(fid, high, low, 0, 0, now);
      if (row < 0) return;
      this.fill(row, 0, 0, 0, 0, now);
    }
    if (this.isBinding(binding)) rows[(row << ROW_SHIFT) + ROW_CHANGES]++;
    else this.release(row);
  }

  private forgetRouter(binding: number): void {
    if ((this.flagsOf(binding) & NEIGH_ROUTER) === 0) return;
    const base = binding << ROW_SHIFT;
    const high = this.rows[base + ROW_MAC_HIGH] & 0xffff;
    const row = this.find(this.rows[base + ROW_FID] | ROUTERS, high, this.rows[base + ROW_MAC_LOW], 0, 0);
    if (row < 0) return;
    if (--this.rows[(row << ROW_SHIFT) + ROW_CHANGES] === 0) this.release(row);
  }

  /** The row of the learned binding to evict, or -1 without learned bindings. */
  private victim(now: number): number {
    const { rows } = this;
    const { learnedOfPort } = this.views;
    let row = this.header[HEAD_SAMPLE];
    let victim = -1;
    let held = 0;
    let oldest = -1;
    let met = 0;
    for (let looked = 0; looked < this.slots && met < SAMPLE; looked++) {
      if (victim >= 0 && looked >= SAMPLE_ROWS) break;
      if (this.isBinding(row) && (this.flagsOf(row) & NEIGH_SET) === 0) {
        met++;
        const of = learnedOfPort[rows[(row << ROW_SHIFT) + ROW_PORT]];
        const age = ageOf(now, rows[(row << ROW_SHIFT) + ROW_STAMP]);
        if (of > held || (of === held && age > oldest)) {
          victim = row;
          held = of;
          oldest = age;
        }
      }
      row = (row + 1) & (this.slots - 1);
    }
    this.header[HEAD_SAMPLE] = row;
    return victim;
  }
}
