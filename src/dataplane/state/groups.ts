/**
 * Multicast forwarding state: members of each group, multicast routers, and queriers. The control thread learns all of this
 * from IGMP and MLD messages.
 *
 * One open-addressing table of eight words per row, keyed by FID and the four words of the group's address. The row with the
 * zero address, which is no group, holds the routers and queriers of the VLAN. Groups are restricted to their members once a
 * querier is present; those with a member added by command (PERMANENT) always. A row refers to a list of FDB destinations,
 * ascending and without duplicates, so that two lists can be merged in one pass. A tunnel port without a remote stands for all
 * remotes of its flood list.
 *
 * Guests choose the groups that they join, so the hash is seeded, and no search looks at more than PROBE_LIMIT rows: the table
 * grows until every row lies within that of its home. Rows may move, since each engine has a table of its own, which changes
 * between batches only. So a removal leaves no tombstone: the rows behind it move up.
 *
 * Changed between batches only. Never inspects a frame.
 */
import { hashAddress } from '../../shared-memory/hash.js';
import { probeLimit } from '../../shared-memory/probing.js';
import { fidOf } from './fid.js';

/** Capacity of an engine: groups, and VLANs with a router or querier. */
export const MAX_GROUPS = 65_536;

export const QUERIER4 = 1;
export const QUERIER6 = 2;
/** Of a group. */
const PERMANENT = 4;

const ROW = 8;
/** 0: the row is free. */
const FID = 0;
const ADDRESS = 1;
const LIST = 5;
const FLAGS = 6;
const FIRST_SLOTS = 256;
/** Eight times what MAX_GROUPS needs. */
const MAX_SLOTS = 1_048_576;

const NO_DESTINATIONS = new Int32Array(0);

export class Groups {
  private rows = new Int32Array(FIRST_SLOTS * ROW);
  private slots = FIRST_SLOTS;
  private used = 0;
  private readonly lists: Int32Array[] = [];
  private readonly freeLists: number[] = [];

  /** @param seed random, so that guests cannot choose groups that collide */
  constructor(private readonly seed = Math.floor(Math.random() * 0x7fffffff)) {}

  // ---- On the path of frames ----

  /** The row of a group in a FID (`fidOf`); -1: none. */
  find(fid: number, a0: number, a1: number, a2: number, a3: number): number {
    const { rows, slots } = this;
    let slot = this.slotOf(fid, a0, a1, a2, a3);
    for (let left = probeLimit(slots); left > 0; left--) {
      const row = slot * ROW;
      const held = rows[row + FID];
      if (held === 0) return -1;
      if (
        held === fid &&
        rows[row + ADDRESS + 3] === a3 &&
        rows[row + ADDRESS + 2] === a2 &&
        rows[row + ADDRESS + 1] === a1 &&
        rows[row + ADDRESS] === a0
      ) {
        return row;
      }
      slot = (slot + 1) & (slots - 1);
    }
    return -1;
  }

  /** The row of a VLAN's routers; -1: there is no router and no querier. */
  findRouters(fid: number): number {
    return this.find(fid, 0, 0, 0, 0);
  }

  /** QUERIER4 and QUERIER6 of a row of routers. */
  queriersAt(row: number): number {
    return this.rows[row + FLAGS];
  }

  /** Whether the group of a row is restricted to its members even without a querier. With -1: no. */
  isPermanent(row: number): boolean {
    return row >= 0 && (this.rows[row + FLAGS] & PERMANENT) !== 0;
  }

  /** FDB destinations of a row, ascending. With -1: none. */
  destinationsAt(row: number): Int32Array {
    return row < 0 ? NO_DESTINATIONS : this.lists[this.rows[row + LIST]];
  }

  // ---- Between batches ----

  /**
   * Sets the destinations of a group, replacing earlier ones.
   * @param address four words, IPv4 mapped
   * @param permanent restricted even without a querier
   * @throws RangeError when the table is full
   */
  set(
    bridge: number,
    vid: number,
    address: readonly number[],
    destinations: readonly number[],
    permanent = false,
  ): void {
    this.put(fidOf(bridge, vid), address, destinations, permanent ? PERMANENT : 0);
  }

  /** Removes a group; a missing one is no error. */
  remove(bridge: number, vid: number, address: readonly number[]): void {
    this.delete(fidOf(bridge, vid), address);
  }

  /** Sets the routers of a VLAN, and the families with a querier. @throws RangeError as `set` */
  setRouters(bridge: number, vid: number, destinations: readonly number[], querier4: boolean, querier6: boolean): void {
    const flags = (querier4 ? QUERIER4 : 0) | (querier6 ? QUERIER6 : 0);
    if (flags === 0 && destinations.length === 0) this.delete(fidOf(bridge, vid), [0, 0, 0, 0]);
    else this.put(fidOf(bridge, vid), [0, 0, 0, 0], destinations, flags);
  }

  /** Removes all groups and routers of a bridge. */
  dropBridge(bridge: number): void {
    const from = fidOf(bridge, 0);
    const to = fidOf(bridge, 0xfff);
    const doomed: { fid: number; address: number[] }[] = [];
    for (let row = 0; row < this.rows.length; row += ROW) {
      const fid = this.rows[row + FID];
      if (fid < from || fid > to) continue;
      doomed.push({ fid, address: [...this.rows.subarray(row + ADDRESS, row + ADDRESS + 4)] });
    }
    for (const { fid, address } of doomed) this.delete(fid, address);
  }

  /** Rows in use. */
  get size(): number {
    return this.used;
  }

  private put(fid: number, address: readonly number[], destinations: readonly number[], flags: number): void {
    const [a0, a1, a2, a3] = address;
    let row = this.find(fid, a0, a1, a2, a3);
    if (row < 0) row = this.claim(fid, a0, a1, a2, a3);
    this.rows[row + FLAGS] = flags;
    this.lists[this.rows[row + LIST]] = Int32Array.from(new Set(destinations)).sort();
  }

  private claim(fid: number, a0: number, a1: number, a2: number, a3: number): number {
    if (this.used === MAX_GROUPS) throw new RangeError(`the table of multicast groups is full: ${MAX_GROUPS} rows`);
    if ((this.used + 1) * 2 > this.slots) this.grow();
    let row = this.freeRow(fid, a0, a1, a2, a3);
    while (row < 0) {
      this.grow();
      row = this.freeRow(fid, a0, a1, a2, a3);
    }
    const list = this.freeLists.pop() ?? this.lists.push(NO_DESTINATIONS) - 1;
    this.rows.set([fid, a0, a1, a2, a3, list, 0], row);
    this.used++;
    return row;
  }

  /** The free row nearest to the key's home, or -1 when none lies within the probe limit. */
  private freeRow(fid: number, a0: number, a1: number, a2: number, a3: number): number {
    let slot = this.slotOf(fid, a0, a1, a2, a3);
    for (let left = probeLimit(this.slots); left > 0; left--) {
      if (this.rows[slot * ROW + FID] === 0) return slot * ROW;
      slot = (slot + 1) & (this.slots - 1);
    }
    return -1;
  }

  /** Doubles the table, more than once if a row would lie beyond the probe limit. */
  private grow(): void {
    const old = this.rows;
    const oldSlots = this.slots;
    for (let isWhole = false; !isWhole; ) {
      if (this.slots === MAX_SLOTS) {
        this.rows = old;
        this.slots = oldSlots;
        throw new RangeError(`the table of multicast groups is full: ${this.used} rows, many of which collide`);
      }
      this.slots *= 2;
      this.rows = new Int32Array(this.slots * ROW);
      isWhole = this.takeOver(old);
    }
  }

  /** Puts the rows of the table before into the present one. @returns false when one lies beyond the probe limit */
  private takeOver(old: Int32Array): boolean {
    for (let row = 0; row < old.length; row += ROW) {
      if (old[row + FID] !== 0 && !this.rehouse(old.subarray(row, row + ROW))) return false;
    }
    return true;
  }

  private rehouse(words: Int32Array): boolean {
    const row = this.freeRow(words[FID], words[1], words[2], words[3], words[4]);
    if (row >= 0) this.rows.set(words, row);
    return row >= 0;
  }

  /** Frees a row by backward-shift deletion: no search ends too early, and no row lies farther from its home than before. */
  private delete(fid: number, address: readonly number[]): void {
    const row = this.find(fid, address[0], address[1], address[2], address[3]);
    if (row < 0) return;
    this.lists[this.rows[row + LIST]] = NO_DESTINATIONS;
    this.freeLists.push(this.rows[row + LIST]);
    this.rows.fill(0, row, row + ROW);
    this.used--;
    let slot = row / ROW;
    for (;;) {
      slot = (slot + 1) & (this.slots - 1);
      const words = this.rows.slice(slot * ROW, slot * ROW + ROW);
      if (words[FID] === 0) return;
      this.rows.fill(0, slot * ROW, slot * ROW + ROW);
      this.rehouse(words);
    }
  }

  private slotOf(fid: number, a0: number, a1: number, a2: number, a3: number): number {
    return hashAddress(fid, a0, a1, a2, a3, this.seed) & (this.slots - 1);
  }
}
