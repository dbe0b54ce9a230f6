/**
 * The rows of the table of remotes, and the hash slots by which a remote is found from its vxlan port and address.
 *
 *   word of a row   0 .. 3    4               5              6         7
 *                   +---------+---------------+--------------+---------+---------------------------+
 *                   | address | UDP port,     | vxlan port   | version | next with the same address|
 *                   |         | FINDABLE      |              |         | and port; next free row   |
 *                   +---------+---------------+--------------+---------+---------------------------+
 *
 * Open addressing with linear probing at a load of one half at most (`probing.ts`). A slot holds the index of a remote.
 *
 * **One slot a key.** Remotes with one vxlan port and address form a chain: for example one that an engine has learned and one that
 * was configured later. The slot holds the latest of them; when that is removed, the next of the chain takes its place. Searches
 * in the meantime find the one or the other, never nothing.
 *
 * **Other threads** look up at any time. A row may be given to another address meanwhile, so it is compared under its sequence
 * lock (`seqlock.ts`). Methods that change rows or slots are called with the table's lock held.
 *
 * `remotes.ts` assigns the indexes.
 */
import { hashAddress } from '../shared-memory/hash.js';
import { EMPTY, findFree, freeRow, type ProbedRows, probeLimit, TOMBSTONE } from '../shared-memory/probing.js';
import { close, open, versionAt } from '../shared-memory/seqlock.js';

/** Words of a row; 32 bytes, so that none straddles two cache lines. */
export const ROW = 8;
const UDP_PORT = 4;
export const OWNER = 5;
const VERSION = 6;
/** The next remote of the chain, or of the list of free indexes; 0: none. */
export const LINK = 7;
/** In the word of the UDP port: a slot's chain holds the remote. */
const FINDABLE = 0x10000;

export class RemoteSlots {
  private readonly mask: number;
  private readonly limit: number;
  private readonly probed: ProbedRows;

  /** @param slots a power of two of them, at least twice as many as there are remotes */
  constructor(
    private readonly rows: Int32Array,
    private readonly slots: Int32Array,
    private readonly seed: number,
  ) {
    this.mask = slots.length - 1;
    this.limit = probeLimit(slots.length);
    const homeOf = (slot: number): number => this.homeOf(slots[slot] * ROW);
    this.probed = { rows: slots, shift: 0, keyWord: 0, mask: this.mask, limit: this.limit, homeOf };
  }

  // ---- For any thread, without a lock

  /** The remote of `port` with this address, or 0 (hot). */
  search(port: number, a0: number, a1: number, a2: number, a3: number): number {
    const { mask, slots } = this;
    let slot = hashAddress(port, a0, a1, a2, a3, this.seed) & mask;
    for (let left = this.limit; left > 0; ) {
      const remote = Atomics.load(slots, slot);
      if (remote === EMPTY) return 0;
      if (remote !== TOMBSTONE && this.isOf(remote * ROW, port, a0, a1, a2, a3)) return remote;
      // A slot that has just passed to the next remote of its chain is compared once more.
      if (Atomics.load(slots, slot) !== remote) continue;
      slot = (slot + 1) & mask;
      left--;
    }
    return 0;
  }

  /** Whether a row has this key. During a change of its address it has neither key. */
  isOf(row: number, port: number, a0: number, a1: number, a2: number, a3: number): boolean {
    const { rows } = this;
    const version = Atomics.load(rows, row + VERSION);
    const same =
      rows[row + 3] === a3 &&
      rows[row + OWNER] === port &&
      rows[row + 2] === a2 &&
      rows[row + 1] === a1 &&
      rows[row] === a0;
    return same && (version & 1) === 0 && Atomics.load(rows, row + VERSION) === version;
  }

  /** Whether searches can find the remote, now or after the removal of those before it in its chain. */
  isFindable(row: number): boolean {
    return (this.rows[row + UDP_PORT] & FINDABLE) !== 0;
  }

  /** The UDP port in a row; 0: the row is free. */
  udpPort(row: number): number {
    return this.rows[row + UDP_PORT] & 0xffff;
  }

  /** Odd during a write of the row, and different after each one. */
  version(row: number): number {
    return versionAt(this.rows, row + VERSION);
  }

  /** Whether two rows have the same address. */
  isSameAddress(one: number, other: number): boolean {
    const { rows } = this;
    return (
      rows[one] === rows[other] &&
      rows[one + 1] === rows[other + 1] &&
      rows[one + 2] === rows[other + 2] &&
      rows[one + 3] === rows[other + 3]
    );
  }

  // ---- Changes; the caller holds the table's lock

  /** Changes the UDP port of a remote; FINDABLE is kept. */
  setUdpPort(row: number, udpPort: number): void {
    Atomics.store(this.rows, row + UDP_PORT, (this.rows[row + UDP_PORT] & FINDABLE) | udpPort);
  }

  /** Fills a row that no slot leads to. The remote is not findable. */
  fill(row: number, port: number, words: ArrayLike<number>, at: number, udpPort: number): void {
    const { rows } = this;
    open(rows, row + VERSION);
    for (let word = 0; word < 4; word++) Atomics.store(rows, row + word, words[at + word]);
    Atomics.store(rows, row + OWNER, port);
    Atomics.store(rows, row + UDP_PORT, udpPort);
    Atomics.store(rows, row + LINK, 0);
    close(rows, row + VERSION);
  }

  /** Frees a row that no slot leads to. Its address stays, so that a listing in progress shows no other one. */
  expire(row: number): void {
    open(this.rows, row + VERSION);
    Atomics.store(this.rows, row + UDP_PORT, 0);
    close(this.rows, row + VERSION);
  }

  /** Whether `publish` would find a slot for a key that is not in the table. */
  hasSlotFor(port: number, words: ArrayLike<number>, at: number): boolean {
    const hash = hashAddress(port, words[at], words[at + 1], words[at + 2], words[at + 3], this.seed);
    return findFree(this.probed, hash & this.mask) >= 0;
  }

  /**
   * Makes a filled row findable: at the head of the chain of its key, or by a slot of its own.
   * @returns false without a free slot within the probe limit: frames can be sent to the remote, but searches do not find it
   */
  publish(remote: number): boolean {
    const { rows, slots } = this;
    const row = remote * ROW;
    const chain = this.slotOf(row);
    const slot = chain >= 0 ? chain : findFree(this.probed, this.homeOf(row));
    if (slot < 0) return false;
    rows[row + UDP_PORT] |= FINDABLE;
    rows[row + LINK] = chain >= 0 ? slots[slot] : 0;
    Atomics.store(slots, slot, remote);
    return true;
  }

  /** Makes a findable remote not findable; the next one of its chain is found in its place. */
  withdraw(remote: number): void {
    const { rows, slots } = this;
    const row = remote * ROW;
    const slot = this.slotOf(row);
    const next = rows[row + LINK];
    rows[row + UDP_PORT] &= ~FINDABLE;
    rows[row + LINK] = 0;
    let before = slots[slot];
    if (before === remote) {
      if (next !== 0) Atomics.store(slots, slot, next);
      else freeRow(this.probed, slot);
      return;
    }
    while (rows[before * ROW + LINK] !== remote) before = rows[before * ROW + LINK];
    rows[before * ROW + LINK] = next;
  }

  /** The slot of the chain of a row's key, or -1. */
  private slotOf(row: number): number {
    const { mask, rows, slots } = this;
    let slot = this.homeOf(row);
    for (let left = this.limit; left > 0; left--) {
      const holder = slots[slot];
      if (holder === EMPTY) return -1;
      const isSamePort = holder !== TOMBSTONE && rows[holder * ROW + OWNER] === rows[row + OWNER];
      if (isSamePort && this.isSameAddress(holder * ROW, row)) return slot;
      slot = (slot + 1) & mask;
    }
    return -1;
  }

  /** The slot at which the search for the key of a row begins. */
  private homeOf(row: number): number {
    const { rows } = this;
    return (
      hashAddress(rows[row + OWNER], rows[row], rows[row + 1], rows[row + 2], rows[row + 3], this.seed) & this.mask
    );
  }
}
