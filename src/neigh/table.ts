/**
 * The neighbour table: `<IPv4 or IPv6 address, fid> -> MAC`, with the tick of the last message. A FID is an FID.
 *
 * | cost of a message              | words written                        |
 * |--------------------------------|--------------------------------------|
 * | look-up, hit or miss           | none                                 |
 * | a known binding                | 1 if the tick has changed, else none |
 * | a new or different binding     | the row and counts, under the lock   |
 *
 * **Conflicting claims.** The last claim determines the MAC, except for manual bindings; a control program's gives way to claims of local ports. An address whose MAC has changed
 * DISPUTE_CHANGES times within DISPUTE_TICKS is disputed: this is reported once, and the binding stays unchanged until no other
 * MAC has claimed it for DISPUTE_TICKS. So guests do not see an alternating MAC.
 *
 * **A full table** evicts a learned binding for a new one: from SAMPLE bindings, those of the port with the most learned bindings,
 * and of these the one with the oldest message. So a port with invented addresses evicts its own. A table without learned
 * bindings refuses new ones.
 *
 * **Routers.** The MAC of a binding with the router flag has a row of its own, so that frames to a router are recognized by MAC.
 *
 * **Time** is a number of ticks of 100 ms, passed in by the caller. It increases and may wrap at 2^31.
 *
 * FIDs, addresses, MACs and ports are integers here. Frames are parsed elsewhere (`dataplane/neigh/`).
 */

import { ageOf } from '../shared-memory/age.js';
import { lock, unlock } from '../shared-memory/lock.js';
import { isStable, versionAt } from '../shared-memory/seqlock.js';
import { NeighChanges } from './changes.js';
import {
  COUNTER_AGED,
  COUNTER_CHANGED,
  COUNTER_CONFLICTS,
  COUNTER_ENTRIES,
  COUNTER_LEARNED,
  createMemory,
  HEAD_AGEING,
  HEAD_CURSOR,
  HEAD_LOCK,
  NEIGH_DISPUTED,
  NEIGH_EXTERN,
  NEIGH_MANUAL,
  NEIGH_ROUTER,
  NEIGH_SET,
  NEIGH_TUNNEL,
  type NeighOptions,
  ROUTERS,
  ROW_CHANGES,
  ROW_FID,
  ROW_MAC_HIGH,
  ROW_MAC_LOW,
  ROW_PORT,
  ROW_SHIFT,
  ROW_SINCE,
  ROW_STAMP,
  ROW_VERSION,
} from './layout.js';
import { HEARD_CHANGED, HEARD_DISPUTE, HEARD_FULL, HEARD_KEPT, HEARD_NEW, HEARD_SAME } from './outcomes.js';
import { BINDING_FLAGS, BINDING_HIGH, BINDING_LOW, BINDING_PORT, BINDING_STAMP } from './store.js';

export { ageOf } from '../shared-memory/age.js';
export type { NeighMatch } from './changes.js';
export * from './layout.js';
export * from './outcomes.js';
export { type NeighCounters, NeighReader, type NeighRow } from './reader.js';
export {
  BINDING_FLAGS,
  BINDING_HIGH,
  BINDING_LOW,
  BINDING_PORT,
  BINDING_STAMP,
  BINDING_WORDS,
} from './store.js';

// ---- Traits of a message, for `hear` ----
/** Received through the tunnel. */
export const HEARD_BY_TUNNEL = 1;
/** The message has a router flag. */
export const HEARD_ROLE = 2;
/** The router flag is set. */
export const HEARD_ROUTER = 4;
/** The message must not replace another MAC: an advertisement without the override flag (RFC 4861 section 7.2.5). */
export const HEARD_WEAK = 8;

/** Changes of the MAC that make an address disputed. */
export const DISPUTE_CHANGES = 5;
/** Their period, and the time without other claims that ends a dispute: 5 s. */
export const DISPUTE_TICKS = 50;

/** Creates an empty table. @throws RangeError when an option is out of range */
export function createNeighbours(options: NeighOptions = {}): Neighbours {
  return new Neighbours(createMemory(options));
}

export class Neighbours extends NeighChanges {
  /** The table in this memory, made by `createNeighbours`. */
  static attach(memory: SharedArrayBuffer): Neighbours {
    return new Neighbours(memory);
  }

  // ---- Look-up (hot) ---------------------------------------------------------------------------

  /**
   * Reads a binding into the BINDING_* words of `out`. Another thread may reuse the row between search and read. The row's version
   * shows that, and the search starts again. @returns false without a binding
   */
  read(fid: number, words: ArrayLike<number>, at: number, out: Int32Array): boolean {
    const { rows } = this;
    const a0 = words[at];
    const a1 = words[at + 1];
    const a2 = words[at + 2];
    const a3 = words[at + 3];
    for (;;) {
      const row = this.find(fid, a0, a1, a2, a3);
      if (row < 0) return false;
      const base = row << ROW_SHIFT;
      const version = versionAt(rows, base + ROW_VERSION);
      const word = rows[base + ROW_MAC_HIGH];
      out[BINDING_HIGH] = word & 0xffff;
      out[BINDING_FLAGS] = word >>> 16;
      out[BINDING_LOW] = rows[base + ROW_MAC_LOW];
      out[BINDING_PORT] = rows[base + ROW_PORT];
      out[BINDING_STAMP] = rows[base + ROW_STAMP];
      const same = rows[base + ROW_FID] === fid && this.isAddress(base, a0, a1, a2, a3);
      if (same && isStable(rows, base + ROW_VERSION, version)) return true;
    }
  }

  /** Whether a binding in the FID has this MAC and the router flag. */
  isRouter(fid: number, high: number, low: number): boolean {
    return this.find(fid | ROUTERS, high, low, 0, 0) >= 0;
  }

  // ---- Learning --------------------------------------------------------------------------------

  /**
   * Learns from a message in which a MAC claims the address at `words[at]`.
   * @param port that received it; @param traits HEARD_BY_TUNNEL and the others; @param now the present tick
   * @param before gets the present binding (BINDING_* words) with HEARD_DISPUTE, for the report
   * @returns HEARD_SAME, HEARD_NEW, HEARD_CHANGED, HEARD_KEPT, HEARD_DISPUTE or HEARD_FULL
   */
  hear(
    fid: number,
    words: ArrayLike<number>,
    at: number,
    high: number,
    low: number,
    port: number,
    traits: number,
    now: number,
    before: Int32Array,
  ): number {
    const row = this.find(fid, words[at], words[at + 1], words[at + 2], words[at + 3]);
    if (row >= 0) {
      const base = row << ROW_SHIFT;
      const word = this.rows[base + ROW_MAC_HIGH];
      if (isKept(word >>> 16, traits)) return HEARD_KEPT;
      const same = (word & 0xffff) === high && this.rows[base + ROW_MAC_LOW] === low;
      if (same && this.rows[base + ROW_PORT] === port && flagsAfter(word >>> 16, traits, true) === word >>> 16) {
        // If another thread has reused the row, only its new binding gets a later tick.
        if (this.rows[base + ROW_STAMP] !== now) this.rows[base + ROW_STAMP] = now;
        return HEARD_SAME;
      }
    }
    lock(this.header, HEAD_LOCK);
    const outcome = this.take(fid, words, at, high, low, port, traits, now, before);
    unlock(this.header, HEAD_LOCK);
    return outcome;
  }

  /** The slow half of learning. Looks the key up again under the lock, because another thread may have changed it. */
  private take(
    fid: number,
    words: ArrayLike<number>,
    at: number,
    high: number,
    low: number,
    port: number,
    traits: number,
    now: number,
    before: Int32Array,
  ): number {
    let row = this.find(fid, words[at], words[at + 1], words[at + 2], words[at + 3]);
    if (row < 0) {
      row = this.makeRow(fid, words[at], words[at + 1], words[at + 2], words[at + 3], now);
      if (row < 0) return HEARD_FULL;
      this.counters[COUNTER_LEARNED]++;
      this.bind(row, high, low, flagsAfter(0, traits, false), port, now, false);
      return HEARD_NEW;
    }
    const flags = this.flagsOf(row);
    if (isKept(flags, traits)) return HEARD_KEPT;
    const base = row << ROW_SHIFT;
    const same = (this.rows[base + ROW_MAC_HIGH] & 0xffff) === high && this.rows[base + ROW_MAC_LOW] === low;
    if (!same) {
      if ((traits & HEARD_WEAK) !== 0) return HEARD_KEPT;
      const verdict = this.judge(row, now);
      if (verdict !== HEARD_CHANGED) {
        before[BINDING_HIGH] = this.rows[base + ROW_MAC_HIGH] & 0xffff;
        before[BINDING_LOW] = this.rows[base + ROW_MAC_LOW];
        before[BINDING_FLAGS] = this.flagsOf(row);
        before[BINDING_PORT] = this.rows[base + ROW_PORT];
        return verdict;
      }
      this.counters[COUNTER_CHANGED]++;
    }
    this.bind(row, high, low, flagsAfter(this.flagsOf(row), traits, same), port, now, true);
    return HEARD_CHANGED;
  }

  /** Whether another MAC may replace the one of a binding: not during a dispute, and not if this claim begins one. */
  private judge(row: number, now: number): number {
    const { rows } = this;
    const base = row << ROW_SHIFT;
    const isCalm = ageOf(now, rows[base + ROW_SINCE]) > DISPUTE_TICKS;
    if ((this.flagsOf(row) & NEIGH_DISPUTED) !== 0) {
      if (!isCalm) {
        rows[base + ROW_SINCE] = now;
        return HEARD_KEPT;
      }
      this.calm(row);
    } else if (!isCalm && rows[base + ROW_CHANGES] + 1 >= DISPUTE_CHANGES) {
      rows[base + ROW_SINCE] = now;
      Atomics.store(rows, base + ROW_MAC_HIGH, rows[base + ROW_MAC_HIGH] | (NEIGH_DISPUTED << 16));
      this.counters[COUNTER_CONFLICTS]++;
      return HEARD_DISPUTE;
    }
    if (isCalm || rows[base + ROW_CHANGES] === 0) {
      rows[base + ROW_CHANGES] = 0;
      rows[base + ROW_SINCE] = now;
    }
    rows[base + ROW_CHANGES]++;
    return HEARD_CHANGED;
  }

  /** Ends a dispute. */
  private calm(row: number): void {
    const base = row << ROW_SHIFT;
    Atomics.store(this.rows, base + ROW_MAC_HIGH, this.rows[base + ROW_MAC_HIGH] & ~(NEIGH_DISPUTED << 16));
    this.rows[base + ROW_CHANGES] = 0;
  }

  // ---- Ageing ----------------------------------------------------------------------------------

  /**
   * Removes the expired bindings of the next `maxRows` rows, and ends disputes without recent claims.
   * @returns the number of removed bindings
   */
  sweep(now: number, maxRows: number): number {
    if (this.counters[COUNTER_ENTRIES] === 0) return 0;
    let row = this.header[HEAD_CURSOR];
    let removed = 0;
    for (let left = Math.min(maxRows, this.slots); left > 0; left--) {
      if (this.isBinding(row) && this.isDue(row, now)) removed += this.tidy(row, now);
      row = (row + 1) & (this.slots - 1);
    }
    this.header[HEAD_CURSOR] = row;
    return removed;
  }

  private isDue(row: number, now: number): boolean {
    return this.isExpired(row, now) || this.isCalmed(row, now);
  }

  private isExpired(row: number, now: number): boolean {
    const limit = this.header[HEAD_AGEING];
    if (limit === 0 || (this.flagsOf(row) & NEIGH_SET) !== 0) return false;
    return ageOf(now, this.rows[(row << ROW_SHIFT) + ROW_STAMP]) >= limit;
  }

  private isCalmed(row: number, now: number): boolean {
    if ((this.flagsOf(row) & NEIGH_DISPUTED) === 0) return false;
    return ageOf(now, this.rows[(row << ROW_SHIFT) + ROW_SINCE]) > DISPUTE_TICKS;
  }

  /** @returns the number of removed bindings: 0 or 1 */
  private tidy(row: number, now: number): number {
    lock(this.header, HEAD_LOCK);
    const expired = this.isBinding(row) && this.isExpired(row, now);
    if (expired) {
      this.drop(row);
      this.counters[COUNTER_AGED]++;
    } else if (this.isBinding(row) && this.isCalmed(row, now)) {
      this.calm(row);
    }
    unlock(this.header, HEAD_LOCK);
    return expired ? 1 : 0;
  }
}

/** Messages do not change a manual binding, and those of the tunnel none of a control program, which knows better. */
function isKept(flags: number, traits: number): boolean {
  return (flags & NEIGH_MANUAL) !== 0 || ((flags & NEIGH_EXTERN) !== 0 && (traits & HEARD_BY_TUNNEL) !== 0);
}

/** Flags of a learned binding after a message. @param same the message is from the binding's MAC */
function flagsAfter(flags: number, traits: number, same: boolean): number {
  const place = (traits & HEARD_BY_TUNNEL) !== 0 ? NEIGH_TUNNEL : 0;
  const kept = flags & (same ? NEIGH_ROUTER | NEIGH_DISPUTED : 0);
  if ((traits & HEARD_ROLE) === 0) return place | kept;
  return place | (kept & ~NEIGH_ROUTER) | ((traits & HEARD_ROUTER) !== 0 ? NEIGH_ROUTER : 0);
}
