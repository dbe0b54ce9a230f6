/**
 * The VTEPs a switch knows: one row per (vxlan port, address), in shared memory so that the control thread can
 * name a remote that the engine learned. Rows are never moved or reused while the switch runs; the row's index
 * is the remote's identity everywhere (FDB destinations, flood lists, the Nic's address table, counters).
 *
 * Several engines may come to know the same VTEP at once: a row is filled before a hash slot names it, and a slot is
 * taken by compare-and-exchange, so that all of them end up with one index. At worst a row stays unused.
 *
 * Addresses are four big-endian words, IPv4 mapped into ::ffff:0:0/96. Index 0 means "no remote".
 * Rows 1..STATIC_REMOTES-1 are numbered by the control thread, the rest by the engine (`accept_vteps: any`).
 */

export const MAX_REMOTES = 65_536;
/** First index that the engine numbers itself. */
export const STATIC_REMOTES = 32_768;

const ROW = 8;
const ADDRESS = 0;
const UDP_PORT = 4;
const OWNER = 5;
const SLOTS = 131_072;

const ROW_WORDS = MAX_REMOTES * ROW;
/** Words: rows, hash slots, and the next index that an engine takes. */
const WORDS = ROW_WORDS + SLOTS + 1;

export class RemoteTable {
  readonly memory: SharedArrayBuffer;
  private readonly rows: Int32Array;
  /** Hash slots holding remote indexes. */
  private readonly slots: Int32Array;
  private readonly nextLearned: Int32Array;

  /** A new table, or with `memory` the one that another thread has made. */
  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(WORDS * 4);
    this.rows = new Int32Array(this.memory, 0, ROW_WORDS);
    this.slots = new Int32Array(this.memory, ROW_WORDS * 4, SLOTS);
    this.nextLearned = new Int32Array(this.memory, (ROW_WORDS + SLOTS) * 4, 1);
    if (memory === undefined) this.nextLearned[0] = STATIC_REMOTES;
  }

  /** The remote of `port` with this address, or 0. One bounded probe sequence. */
  find(port: number, a0: number, a1: number, a2: number, a3: number): number {
    let slot = hash(port, a0, a1, a2, a3);
    for (;;) {
      const remote = Atomics.load(this.slots, slot);
      if (remote === 0 || this.isOf(remote, port, a0, a1, a2, a3)) return remote;
      slot = (slot + 1) & (SLOTS - 1);
    }
  }

  /** Fills row `remote`. With `known`, datagrams from that address to that port are from this remote from now on. */
  add(remote: number, port: number, address: ArrayLike<number>, udpPort: number, known: boolean): void {
    this.fill(remote, port, address, 0, udpPort);
    if (known) this.publish(remote);
  }

  /**
   * A VTEP that an engine meets, its address at word `at`: its index, newly taken unless another engine was first;
   * 0 when there is no room left.
   */
  admit(port: number, words: ArrayLike<number>, at: number, udpPort: number): number {
    if (Atomics.load(this.nextLearned, 0) >= MAX_REMOTES) return 0;
    const remote = Atomics.add(this.nextLearned, 0, 1);
    if (remote >= MAX_REMOTES) return 0;
    this.fill(remote, port, words, at, udpPort);
    return this.publish(remote);
  }

  private fill(remote: number, port: number, words: ArrayLike<number>, at: number, udpPort: number): void {
    const row = remote * ROW;
    for (let word = 0; word < 4; word++) this.rows[row + ADDRESS + word] = words[at + word];
    this.rows[row + OWNER] = port;
    this.rows[row + UDP_PORT] = udpPort;
  }

  /** Makes a filled row findable. @returns the index that the address has: another one's, if that was first */
  private publish(remote: number): number {
    const row = remote * ROW;
    const { rows } = this;
    const [a0, a1, a2, a3] = [rows[row], rows[row + 1], rows[row + 2], rows[row + 3]];
    const port = rows[row + OWNER];
    let slot = hash(port, a0, a1, a2, a3);
    for (;;) {
      const holder = Atomics.compareExchange(this.slots, slot, 0, remote);
      if (holder === 0) return remote;
      if (this.isOf(holder, port, a0, a1, a2, a3)) return holder;
      slot = (slot + 1) & (SLOTS - 1);
    }
  }

  private isOf(remote: number, port: number, a0: number, a1: number, a2: number, a3: number): boolean {
    const { rows } = this;
    const row = remote * ROW;
    return (
      rows[row + 3] === a3 &&
      rows[row + OWNER] === port &&
      rows[row + 2] === a2 &&
      rows[row + 1] === a1 &&
      rows[row] === a0
    );
  }

  /** The four words of a remote's address. Allocates: not for the path of frames. */
  address(remote: number): [number, number, number, number] {
    const row = remote * ROW + ADDRESS;
    return [this.rows[row], this.rows[row + 1], this.rows[row + 2], this.rows[row + 3]];
  }

  /** Whether two remotes are one VTEP: the same address, whatever UDP port frames are sent to. */
  isSameVtep(one: number, other: number): boolean {
    const { rows } = this;
    const a = one * ROW;
    const b = other * ROW;
    return (
      rows[a] === rows[b] && rows[a + 1] === rows[b + 1] && rows[a + 2] === rows[b + 2] && rows[a + 3] === rows[b + 3]
    );
  }

  udpPort(remote: number): number {
    return this.rows[remote * ROW + UDP_PORT];
  }

  /** The remotes of a port that the engine came to know by itself. For listings, by any thread. */
  *learned(port: number): Generator<number> {
    for (let remote = STATIC_REMOTES; remote < MAX_REMOTES && this.udpPort(remote) !== 0; remote++) {
      if (this.rows[remote * ROW + OWNER] === port) yield remote;
    }
  }
}

function hash(port: number, a0: number, a1: number, a2: number, a3: number): number {
  let h = Math.imul(a3 ^ Math.imul(port + 1, 0x9e3779b1), 0x85ebca6b);
  h = Math.imul(h ^ a2 ^ (h >>> 15), 0xc2b2ae35);
  h = Math.imul(h ^ a1 ^ a0 ^ (h >>> 13), 0x27d4eb2f);
  return (h ^ (h >>> 16)) & (SLOTS - 1);
}
