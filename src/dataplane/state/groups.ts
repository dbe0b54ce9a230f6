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
 * A source with destinations of its own is a row too: its key is the number of its group's list, negative as no FID is, and its
 * address. So a frame to a group without such sources costs no look-up more.
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

/** Capacity of an engine: groups, pairs of source and group, and VLANs with a router or querier (`control/tables/mdb-state.ts`). */
export const MAX_GROUPS = 98_304;

export const QUERIER4 = 1;
export const QUERIER6 = 2;
/** Of a group: restricted even without a querier; some of its sources have destinations of their own. */
const PERMANENT = 4;
const HAS_SOURCES = 8;
/** Of any row: hosts behind a port of it get copies of their own. */
const HAS_HOSTS = 16;

/** Second word of a group MAC, behind a zero; its halves follow. No group of IP begins so. */
export const MAC_GROUP = 0x006d6163;

const ROW = 8;
/** 0: the row is free. */
const FID = 0;
const ADDRESS = 1;
const LIST = 5;
const FLAGS = 6;
const FIRST_SLOTS = 256;
/** More than five times what MAX_GROUPS needs. */
const MAX_SLOTS = 1_048_576;

const NO_DESTINATIONS = new Int32Array(0);
/** No hosts: the port gets the frame as it is. */
export const NO_HOSTS = new Int32Array(0);

interface Row {
  /** Four words, IPv4 mapped. */
  readonly address: readonly number[];
  readonly destinations: readonly number[];
  /** Port and halves of the MAC of hosts with a copy of their own. */
  readonly hosts?: readonly (readonly [port: number, high: number, low: number])[];
  /** Restricted even without a querier. */
  readonly permanent?: boolean;
}

/** In place of the FID: the key of the sources of a group. */
function keyOf(list: number): number {
  return -1 - list;
}

function byPort(hosts: NonNullable<Row['hosts']>): Map<number, Int32Array> {
  const macs = new Map<number, number[]>();
  for (const [port, high, low] of hosts) macs.set(port, [...(macs.get(port) ?? []), high, low]);
  return new Map([...macs].map(([port, halves]) => [port, Int32Array.from(halves)]));
}

export class Groups {
  private rows = new Int32Array(FIRST_SLOTS * ROW);
  private slots = FIRST_SLOTS;
  private used = 0;
  private readonly lists: Int32Array[] = [];
  private readonly freeLists: number[] = [];
  /** By the number of a list, and by port: the halves of the hosts' MACs, in turn. */
  private readonly hosts = new Map<number, ReadonlyMap<number, Int32Array>>();
  /** By the number of a group's list: the addresses of its sources. */
  private readonly sources = new Map<number, readonly (readonly number[])[]>();

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

  /**
   * The row that says where a frame from a source to the group of a row goes: the source's own, or the group's. With -1: -1.
   */
  rowFor(row: number, s0: number, s1: number, s2: number, s3: number): number {
    if (row < 0 || (this.rows[row + FLAGS] & HAS_SOURCES) === 0) return row;
    const own = this.find(keyOf(this.rows[row + LIST]), s0, s1, s2, s3);
    return own < 0 ? row : own;
  }

  /** Whether any source of the group of a row has destinations of its own. */
  hasSources(row: number): boolean {
    return row >= 0 && (this.rows[row + FLAGS] & HAS_SOURCES) !== 0;
  }

  /** Whether the group of a row is restricted to its members even without a querier. With -1: no. */
  isPermanent(row: number): boolean {
    return row >= 0 && (this.rows[row + FLAGS] & PERMANENT) !== 0;
  }

  /** FDB destinations of a row, ascending. With -1: none. */
  destinationsAt(row: number): Int32Array {
    return row < 0 ? NO_DESTINATIONS : this.lists[this.rows[row + LIST]];
  }

  /** MACs of the hosts behind a port that get copies of their own, as halves in turn. Usually NO_HOSTS. */
  hostsAt(row: number, port: number): Int32Array {
    if (row < 0 || (this.rows[row + FLAGS] & HAS_HOSTS) === 0) return NO_HOSTS;
    return this.hosts.get(this.rows[row + LIST])?.get(port) ?? NO_HOSTS;
  }

  /** Whether any host of the members of a row gets a copy of its own. With -1: no. */
  hasHosts(row: number): boolean {
    return row >= 0 && (this.rows[row + FLAGS] & HAS_HOSTS) !== 0;
  }

  // ---- Between batches ----

  /**
   * Sets the destinations of a group and of its sources, replacing earlier ones.
   * @throws RangeError when the table is full
   */
  set(bridge: number, vid: number, group: Row, sources: readonly Row[] = []): void {
    const fid = fidOf(bridge, vid);
    this.put(fid, group, sources.length > 0 ? HAS_SOURCES : 0);
    const list = this.listOf(fid, group.address);
    const wanted = new Set(sources.map(({ address }) => address.join()));
    for (const address of this.sources.get(list) ?? []) {
      if (!wanted.has(address.join())) this.delete(keyOf(list), address);
    }
    if (sources.length === 0) this.sources.delete(list);
    else
      this.sources.set(
        list,
        sources.map(({ address }) => address),
      );
    for (const source of sources) this.put(keyOf(list), source);
  }

  /** Removes a group and its sources; a missing one is no error. */
  remove(bridge: number, vid: number, address: readonly number[]): void {
    this.removeAt(fidOf(bridge, vid), address);
  }

  private removeAt(fid: number, address: readonly number[]): void {
    const list = this.listOf(fid, address);
    if (list < 0) return;
    for (const source of this.sources.get(list) ?? []) this.delete(keyOf(list), source);
    this.sources.delete(list);
    this.delete(fid, address);
  }

  private listOf(fid: number, address: readonly number[]): number {
    const row = this.find(fid, address[0], address[1], address[2], address[3]);
    return row < 0 ? -1 : this.rows[row + LIST];
  }

  /** Sets the routers of a VLAN, and the families with a querier. @throws RangeError as `set` */
  setRouters(bridge: number, vid: number, destinations: readonly number[], querier4: boolean, querier6: boolean): void {
    const flags = (querier4 ? QUERIER4 : 0) | (querier6 ? QUERIER6 : 0);
    if (flags === 0 && destinations.length === 0) this.delete(fidOf(bridge, vid), [0, 0, 0, 0]);
    else this.put(fidOf(bridge, vid), { address: [0, 0, 0, 0], destinations }, flags);
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
    for (const { fid, address } of doomed) this.removeAt(fid, address);
  }

  /** Rows in use. */
  get size(): number {
    return this.used;
  }

  private put(fid: number, { address, destinations, hosts = [], permanent = false }: Row, flags = 0): void {
    const [a0, a1, a2, a3] = address;
    let row = this.find(fid, a0, a1, a2, a3);
    if (row < 0) row = this.claim(fid, a0, a1, a2, a3);
    const list = this.rows[row + LIST];
    this.rows[row + FLAGS] = flags | (permanent ? PERMANENT : 0) | (hosts.length > 0 ? HAS_HOSTS : 0);
    this.lists[list] = Int32Array.from(new Set(destinations)).sort();
    if (hosts.length === 0) this.hosts.delete(list);
    else this.hosts.set(list, byPort(hosts));
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
    this.hosts.delete(this.rows[row + LIST]);
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
