/**
 * The neighbour table: which MAC an IPv4 or IPv6 address has in a segment, and since when.
 *
 * | what a frame costs                     | words written                           |
 * |----------------------------------------|-----------------------------------------|
 * | look up, known or not                  | none                                    |
 * | hear what is known                     | 1 when the tick is a new one, else none |
 * | hear what is new or different          | the row and counts, under the lock      |
 *
 * **Who wins.** The MAC that was heard last, except over a binding put in by hand. Where the MAC of an address has changed
 * DISPUTE_CHANGES times within DISPUTE_TICKS, several claim it: that is told once, and the binding stays as it is until no
 * other has claimed it for DISPUTE_TICKS. So guests do not see it go to and fro.
 *
 * **A full table.** A learned binding gives way to a new one: of SAMPLE that are met, one of the port that holds most of
 * them all, and of these the one that was heard least recently. So whoever makes up addresses pushes out its own. Where
 * nothing is learned, what is new is refused.
 *
 * **Routers.** A MAC that some binding calls a router's has a row of its own, so that a frame to it is known by its MAC.
 *
 * **Time** is a number of ticks of 100 ms that the caller passes in. It grows and may wrap at 2^31.
 *
 * The table knows segments, addresses, MACs and ports as integers. It never looks into a frame.
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
  NEIGH_MANUAL,
  NEIGH_ROUTER,
  NEIGH_TUNNEL,
  type NeighOptions,
  ROUTERS,
  ROW_CHANGES,
  ROW_MAC_HIGH,
  ROW_MAC_LOW,
  ROW_PORT,
  ROW_SEGMENT,
  ROW_SHIFT,
  ROW_SINCE,
  ROW_STAMP,
  ROW_VERSION,
} from './layout.js';
import { HEARD_CHANGED, HEARD_DISPUTE, HEARD_FULL, HEARD_KEPT, HEARD_NEW, HEARD_SAME } from './outcomes.js';
import { BINDING_FLAGS, BINDING_HIGH, BINDING_LOW, BINDING_PORT } from './store.js';

export { ageOf } from '../shared-memory/age.js';
export type { NeighMatch } from './changes.js';
export * from './layout.js';
export * from './outcomes.js';
export { type NeighCounters, NeighReader, type NeighRow } from './reader.js';
export { BINDING_FLAGS, BINDING_HIGH, BINDING_LOW, BINDING_PORT, BINDING_WORDS } from './store.js';

// ---- What is heard along with a MAC, for `hear` ----
/** It came through the tunnel. */
export const HEARD_BY_TUNNEL = 1;
/** The message says whether the neighbour is a router, ... */
export const HEARD_ROLE = 2;
/** ... and that it is one. */
export const HEARD_ROUTER = 4;
/** The message does not want to take the place of another MAC (an advertisement without the override flag). */
export const HEARD_WEAK = 8;

export const DISPUTE_CHANGES = 5;
/** 5 s. */
export const DISPUTE_TICKS = 50;

/** Creates an empty table. @throws RangeError when an option is out of range */
export function createNeighbours(options: NeighOptions = {}): Neighbours {
  return new Neighbours(createMemory(options));
}

export class Neighbours extends NeighChanges {
  /** The table that lies in this memory. */
  static attach(memory: SharedArrayBuffer): Neighbours {
    return new Neighbours(memory);
  }

  // ---- Look-up (hot) ---------------------------------------------------------------------------

  /**
   * Reads a binding into the BINDING_* words of `out`. A row may be given to another binding between finding and reading it:
   * the version tells, and the search begins again. @returns false when there is none
   */
  read(segment: number, words: ArrayLike<number>, at: number, out: Int32Array): boolean {
    const { rows } = this;
    const a0 = words[at];
    const a1 = words[at + 1];
    const a2 = words[at + 2];
    const a3 = words[at + 3];
    for (;;) {
      const row = this.find(segment, a0, a1, a2, a3);
      if (row < 0) return false;
      const base = row << ROW_SHIFT;
      const version = versionAt(rows, base + ROW_VERSION);
      const word = rows[base + ROW_MAC_HIGH];
      out[BINDING_HIGH] = word & 0xffff;
      out[BINDING_FLAGS] = word >>> 16;
      out[BINDING_LOW] = rows[base + ROW_MAC_LOW];
      out[BINDING_PORT] = rows[base + ROW_PORT];
      const same = rows[base + ROW_SEGMENT] === segment && this.isAddress(base, a0, a1, a2, a3);
      if (same && isStable(rows, base + ROW_VERSION, version)) return true;
    }
  }

  /** Whether some binding in the segment calls this MAC a router's. */
  isRouter(segment: number, high: number, low: number): boolean {
    return this.find(segment | ROUTERS, high, low, 0, 0) >= 0;
  }

  // ---- What is heard ---------------------------------------------------------------------------

  /**
   * Takes note that the address at `words[at]` was claimed by a MAC.
   * @param port where it was heard; @param traits HEARD_BY_TUNNEL and the others; @param now the clock's tick
   * @param before BINDING_* words: with HEARD_DISPUTE what the binding is, for whoever tells of it
   * @returns HEARD_SAME, HEARD_NEW, HEARD_CHANGED, HEARD_KEPT, HEARD_DISPUTE or HEARD_FULL
   */
  hear(
    segment: number,
    words: ArrayLike<number>,
    at: number,
    high: number,
    low: number,
    port: number,
    traits: number,
    now: number,
    before: Int32Array,
  ): number {
    const row = this.find(segment, words[at], words[at + 1], words[at + 2], words[at + 3]);
    if (row >= 0) {
      const base = row << ROW_SHIFT;
      const word = this.rows[base + ROW_MAC_HIGH];
      if (((word >>> 16) & NEIGH_MANUAL) !== 0) return HEARD_KEPT;
      const same = (word & 0xffff) === high && this.rows[base + ROW_MAC_LOW] === low;
      if (same && this.rows[base + ROW_PORT] === port && flagsAfter(word >>> 16, traits, true) === word >>> 16) {
        // Should another thread give the row away meanwhile, the worst is that its new binding is young.
        if (this.rows[base + ROW_STAMP] !== now) this.rows[base + ROW_STAMP] = now;
        return HEARD_SAME;
      }
    }
    lock(this.header, HEAD_LOCK);
    const outcome = this.take(segment, words, at, high, low, port, traits, now, before);
    unlock(this.header, HEAD_LOCK);
    return outcome;
  }

  /** The slow half: under the lock the key is looked up once more, since another thread may have been first. */
  private take(
    segment: number,
    words: ArrayLike<number>,
    at: number,
    high: number,
    low: number,
    port: number,
    traits: number,
    now: number,
    before: Int32Array,
  ): number {
    let row = this.find(segment, words[at], words[at + 1], words[at + 2], words[at + 3]);
    if (row < 0) {
      row = this.makeRow(segment, words[at], words[at + 1], words[at + 2], words[at + 3], now);
      if (row < 0) return HEARD_FULL;
      this.counters[COUNTER_LEARNED]++;
      this.bind(row, high, low, flagsAfter(0, traits, false), port, now, false);
      return HEARD_NEW;
    }
    const flags = this.flagsOf(row);
    if ((flags & NEIGH_MANUAL) !== 0) return HEARD_KEPT;
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

  /** Whether another MAC may take a binding over: not while it is disputed, nor when that is found with this claim. */
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
   * Looks at the next rows in turn, removes the bindings that were not heard for too long, and ends disputes that have
   * calmed down. @returns how many it removed
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
    if (limit === 0 || (this.flagsOf(row) & NEIGH_MANUAL) !== 0) return false;
    return ageOf(now, this.rows[(row << ROW_SHIFT) + ROW_STAMP]) >= limit;
  }

  private isCalmed(row: number, now: number): boolean {
    if ((this.flagsOf(row) & NEIGH_DISPUTED) === 0) return false;
    return ageOf(now, this.rows[(row << ROW_SHIFT) + ROW_SINCE]) > DISPUTE_TICKS;
  }

  /** @returns how many bindings it removed */
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

/** A learned binding's flags after a message. @param same it comes from the MAC that the binding has */
function flagsAfter(flags: number, traits: number, same: boolean): number {
  const place = (traits & HEARD_BY_TUNNEL) !== 0 ? NEIGH_TUNNEL : 0;
  const kept = flags & (same ? NEIGH_ROUTER | NEIGH_DISPUTED : 0);
  if ((traits & HEARD_ROLE) === 0) return place | kept;
  return place | (kept & ~NEIGH_ROUTER) | ((traits & HEARD_ROUTER) !== 0 ? NEIGH_ROUTER : 0);
}
