/**
 * The routing tables of the gateways: longest-prefix match over `<VRF, prefix>`, for IPv4 and IPv6. Each engine has its own copy, which the
 * control path changes between two batches.
 *
 * A hash table of prefixes, and for each VRF and family the prefix lengths that occur, the longest first: a look-up masks the address with
 * each of them in turn. So it costs one probe for each length in use (33 at worst for IPv4, 129 for IPv6), and allocates nothing. Prefixes with the
 * same ways share them.
 *
 * Addresses are four words, IPv4 mapped into ::ffff:0:0/96; so prefix lengths are of 128 bits, and those of IPv4 are 96 and more.
 */
import { hashAddress } from '../../shared-memory/hash.js';
import { IPV4_MAPPED } from '../../wire/ip-address.js';

/** Routes of a switch, and tables. */
export const MAX_ROUTES = 65_536;
export const MAX_VRFS = 256;
/** Ways of a route that carry its flows. */
export const MAX_NEXTHOPS = 16;

// Kinds of routes.
/** For the switch itself: an address of a gateway. */
export const ROUTE_LOCAL = 1;
export const ROUTE_UNICAST = 2;
/** Goes nowhere: the broadcast address of a subnet, an unreachable prefix. */
export const ROUTE_NOWHERE = 3;

// Words of a way.
/** The gateway that the packet leaves by. */
export const WAY_PORT = 0;
export const WAY_KIND = 1;
/** The address of the next router, four words; of WAY_MAC its MAC: high, low. */
export const WAY_HOP = 2;
/** What tells it from the others of a route, for `chooseWay`. */
export const WAY_KEY = 6;
export const WAY_WORDS = 7;

/** The destination itself is on the link. */
export const WAY_LINK = 0;
/** A router on the link, by its address. */
export const WAY_VIA = 1;
/** A router by its MAC: that of another host behind a layer-3 VNI. */
export const WAY_MAC = 2;

/** One way of a route, for the control path. */
export interface Way {
  port: number;
  /** Absent: the destination is on the link. */
  via?: readonly number[];
  mac?: { high: number; low: number };
}

const ROW_WORDS = 8;
const ROW_SHIFT = 3;
// Words of a row: the prefix's four, the key, kind, ways.
const ROW_KEY = 4;
const ROW_KIND = 5;
const ROW_WAYS = 6;
const FREE = 0;
const REMOVED = -1;
const LEAST_ROWS = 256;
const LENGTHS = 129;
const FIRST_OF_IPV4 = 96;
const NONE = new Uint8Array(0);
/** Of the keys of ways: the same in all engines, and in the next process. */
const WAY_SEED = 1;

export const NO_ROUTE = -1;

export class Routes {
  /** Results of the last `lookup` that found something. */
  kind = 0;
  /** WAY_WORDS words each. */
  ways: Int32Array = new Int32Array(0);
  /** Present routes. */
  count = 0;

  private rows = new Int32Array(LEAST_ROWS * ROW_WORDS);
  private used = 0;
  /** By `vrf * 2 + family`, the lengths that occur, the longest first; and how many routes have each. */
  private readonly lengths: Uint8Array[] = new Array<Uint8Array>(MAX_VRFS * 2).fill(NONE);
  private readonly users: (Int32Array | undefined)[] = new Array<Int32Array | undefined>(MAX_VRFS * 2).fill(undefined);
  private readonly sets: (Int32Array | undefined)[] = [];
  private readonly setUsers: number[] = [];
  private readonly freeSets: number[] = [];
  private readonly setOf = new Map<string, number>();
  private readonly masked = new Int32Array(4);

  /** @param seed any integer; a random one outside of tests: guests choose destinations */
  constructor(private readonly seed = 1) {}

  /**
   * The route to the address at `words[at]`: sets `kind` and `ways`.
   * @returns its prefix length of 128 bits, or NO_ROUTE
   */
  lookup(vrf: number, words: Int32Array, at: number): number {
    const isV4 = (words[at] | words[at + 1]) === 0 && words[at + 2] === IPV4_MAPPED;
    const lengths = this.lengths[vrf * 2 + (isV4 ? 0 : 1)];
    for (let index = 0; index < lengths.length; index++) {
      const length = lengths[index];
      this.mask(words, at, length);
      const row = this.find(keyOf(vrf, length, isV4));
      if (row < 0) continue;
      this.kind = this.rows[row + ROW_KIND];
      this.ways = this.sets[this.rows[row + ROW_WAYS]] as Int32Array;
      return length;
    }
    return NO_ROUTE;
  }

  /** Adds or replaces a route. Control path. @param length of 128 bits @throws RangeError when the table is full */
  set(vrf: number, prefix: readonly number[], length: number, kind: number, ways: readonly Way[]): void {
    const isV4 = isMapped(prefix) && length >= FIRST_OF_IPV4;
    const key = keyOf(vrf, length, isV4);
    this.mask(Int32Array.from(prefix), 0, length);
    let row = this.find(key);
    const set = this.takeSet(ways);
    if (row >= 0) this.giveSet(this.rows[row + ROW_WAYS]);
    else {
      if (this.count >= MAX_ROUTES) throw new RangeError(`a switch has at most ${MAX_ROUTES} routes`);
      if ((this.used + 1) * 2 > this.rows.length >> ROW_SHIFT) this.grow();
      row = this.place(key);
      this.count++;
      this.addLength(vrf, length, isV4, 1);
    }
    this.rows[row + ROW_KIND] = kind;
    this.rows[row + ROW_WAYS] = set;
  }

  /** Control path. @returns whether it was there */
  remove(vrf: number, prefix: readonly number[], length: number): boolean {
    const isV4 = isMapped(prefix) && length >= FIRST_OF_IPV4;
    this.mask(Int32Array.from(prefix), 0, length);
    const row = this.find(keyOf(vrf, length, isV4));
    if (row < 0) return false;
    this.giveSet(this.rows[row + ROW_WAYS]);
    this.rows[row + ROW_KEY] = REMOVED;
    this.count--;
    this.addLength(vrf, length, isV4, -1);
    return true;
  }

  /** Puts the masked address into `masked`. */
  private mask(words: Int32Array, at: number, length: number): void {
    for (let word = 0; word < 4; word++) {
      const bits = length - word * 32;
      const mask = bits >= 32 ? -1 : bits <= 0 ? 0 : -1 << (32 - bits);
      this.masked[word] = words[at + word] & mask;
    }
  }

  /** First word of the row of `masked`; -1: it is not there. */
  private find(key: number): number {
    const { rows, masked } = this;
    const last = (rows.length >> ROW_SHIFT) - 1;
    let slot = hashAddress(key, masked[0], masked[1], masked[2], masked[3], this.seed) & last;
    for (;;) {
      const row = slot << ROW_SHIFT;
      const found = rows[row + ROW_KEY];
      if (found === FREE) return -1;
      if (
        found === key &&
        rows[row + 3] === masked[3] &&
        rows[row + 2] === masked[2] &&
        rows[row + 1] === masked[1] &&
        rows[row] === masked[0]
      )
        return row;
      slot = (slot + 1) & last;
    }
  }

  /** A new row for `masked`. Less than half of the rows are in use, removed ones included, so there is a free one. */
  private place(key: number): number {
    const { rows, masked } = this;
    const last = (rows.length >> ROW_SHIFT) - 1;
    let slot = hashAddress(key, masked[0], masked[1], masked[2], masked[3], this.seed) & last;
    while (rows[(slot << ROW_SHIFT) + ROW_KEY] !== FREE) slot = (slot + 1) & last;
    const row = slot << ROW_SHIFT;
    for (let word = 0; word < 4; word++) rows[row + word] = masked[word];
    rows[row + ROW_KEY] = key;
    this.used++;
    return row;
  }

  /** Twice the room, or the same without removed rows. */
  private grow(): void {
    const before = this.rows;
    const kept = Int32Array.from(this.masked);
    const rows = before.length >> ROW_SHIFT;
    this.rows = new Int32Array((this.count * 4 > rows ? rows * 2 : rows) * ROW_WORDS);
    this.used = 0;
    for (let row = 0; row < before.length; row += ROW_WORDS) {
      const key = before[row + ROW_KEY];
      if (key === FREE || key === REMOVED) continue;
      for (let word = 0; word < 4; word++) this.masked[word] = before[row + word];
      const to = this.place(key);
      this.rows[to + ROW_KIND] = before[row + ROW_KIND];
      this.rows[to + ROW_WAYS] = before[row + ROW_WAYS];
    }
    this.masked.set(kept);
  }

  private addLength(vrf: number, length: number, isV4: boolean, by: number): void {
    const table = vrf * 2 + (isV4 ? 0 : 1);
    const users = this.users[table] ?? new Int32Array(LENGTHS);
    this.users[table] = users;
    users[length] += by;
    if (users[length] !== (by > 0 ? 1 : 0)) return;
    const present: number[] = [];
    for (let at = LENGTHS - 1; at >= 0; at--) if (users[at] > 0) present.push(at);
    this.lengths[table] = Uint8Array.from(present);
  }

  private takeSet(ways: readonly Way[]): number {
    const words = waysOf(ways);
    const text = words.join();
    let set = this.setOf.get(text);
    if (set === undefined) {
      set = this.freeSets.pop() ?? this.sets.length;
      this.sets[set] = words;
      this.setUsers[set] = 0;
      this.setOf.set(text, set);
    }
    this.setUsers[set]++;
    return set;
  }

  private giveSet(set: number): void {
    if (--this.setUsers[set] > 0) return;
    this.setOf.delete((this.sets[set] as Int32Array).join());
    this.sets[set] = undefined;
    this.freeSets.push(set);
  }
}

function waysOf(ways: readonly Way[]): Int32Array {
  const words = new Int32Array(Math.min(ways.length, MAX_NEXTHOPS) * WAY_WORDS);
  ways.slice(0, MAX_NEXTHOPS).forEach(({ port, via, mac }, index) => {
    const at = index * WAY_WORDS;
    words[at + WAY_PORT] = port;
    words[at + WAY_KIND] = mac !== undefined ? WAY_MAC : via !== undefined ? WAY_VIA : WAY_LINK;
    words.set(mac !== undefined ? [mac.high, mac.low] : (via ?? []), at + WAY_HOP);
    const [one, two, three, four] = words.subarray(at + WAY_HOP, at + WAY_KEY);
    words[at + WAY_KEY] = hashAddress(port, one, two, three, four, WAY_SEED);
  });
  return words;
}

/** Never FREE or REMOVED. */
function keyOf(vrf: number, length: number, isV4: boolean): number {
  return (vrf << 9) | (length << 1) | (isV4 ? 1 : 0) | (1 << 24);
}

function isMapped(words: readonly number[]): boolean {
  return ((words[0] as number) | (words[1] as number)) === 0 && words[2] === IPV4_MAPPED;
}
