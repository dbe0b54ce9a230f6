/**
 * The table of remotes: one row for each, in shared memory, so that the control thread can show remotes learned by an engine. The
 * index of a row is the remote's identity everywhere (FDB destinations, flood lists, address table of the PacketIo, counters) until
 * it is removed.
 *
 * Addresses are four big-endian words, IPv4 mapped into ::ffff:0:0/96. Index 0 means "no remote".
 * Rows 1..STATIC_REMOTES-1 are assigned by the control thread, the rest by the engines (`accept_vteps: any`), which reuse
 * freed indexes first.
 *
 * Several engines may learn the same VTEP at once. Each takes the lock and searches again before it adds a row, so all of
 * them end up with one index; looking up takes no lock (`remote-slots.ts`).
 *
 * The index of a removed remote may soon be another remote's. So removal has three steps: `withdraw` removes the remote from
 * source lookup; then FDB entries, flood lists and queued frames with its index are removed; then `remove` frees the index.
 * A PacketIo gets the address of an index again when its `version` has changed.
 */
import { lock, unlock } from '../shared-memory/lock.js';
import { allocate, HEAD_LOCK, HEAD_OWN, HEAD_SEED, headerOf, Layout } from '../shared-memory/memory.js';
import { Introductions, networkBucket } from './introductions.js';
import { LINK, OWNER, RemoteSlots, ROW } from './remote-slots.js';

export const MAX_REMOTES = 65_536;
/** The first index that engines assign. */
export const STATIC_REMOTES = 32_768;

const SLOTS = 131_072;
const LEARNED = MAX_REMOTES - STATIC_REMOTES;

/** Words of the header, after the common ones: the lowest index that no engine has assigned yet. */
const HEAD_NEXT = HEAD_OWN;
/** The first of the freed indexes; each row links to the next one; 0: none. */
const HEAD_FREE = HEAD_OWN + 1;

/** "RMT" and the version of this layout. */
const MAGIC = 0x524d5401;

interface RemoteViews {
  readonly rows: Int32Array;
  /** Hash slots that hold the indexes of remotes. */
  readonly slots: Int32Array;
  readonly met: Int32Array;
}

function arraysOf(layout: Layout): RemoteViews {
  return {
    rows: layout.int32(MAX_REMOTES * ROW),
    slots: layout.int32(SLOTS),
    met: layout.int32(Introductions.words(LEARNED)),
  };
}

/** The views on the memory of a table of remotes. @throws TypeError when the memory is not one */
export function viewsOf(memory: SharedArrayBuffer): RemoteViews & { header: Int32Array } {
  const header = headerOf(
    memory,
    MAGIC,
    'This memory is no table of remotes: pass what createRemotes(...).memory holds',
  );
  return { header, ...arraysOf(new Layout(memory)) };
}

/**
 * Creates an empty table.
 * @param seed any integer; makes the hash unpredictable, so that forged sources cannot be chosen to collide. Random outside of tests
 */
export function createRemotes(seed = 0): RemoteTable {
  const memory = allocate(arraysOf, MAGIC, SLOTS, seed);
  viewsOf(memory).header[HEAD_NEXT] = STATIC_REMOTES;
  return new RemoteTable(memory);
}

export class RemoteTable {
  private readonly rows: Int32Array;
  private readonly head: Int32Array;
  private readonly slots: RemoteSlots;
  private readonly met: Introductions;

  /** The table in this memory, made by `createRemotes`. @throws TypeError when the memory is no such table */
  constructor(readonly memory: SharedArrayBuffer) {
    const { header, rows, slots, met } = viewsOf(memory);
    this.rows = rows;
    this.head = header;
    this.slots = new RemoteSlots(rows, slots, header[HEAD_SEED]);
    this.met = new Introductions(met, header[HEAD_SEED]);
  }

  /** The remote of `port` with this address, or 0. One bounded probe sequence. */
  find(port: number, a0: number, a1: number, a2: number, a3: number): number {
    return this.slots.search(port, a0, a1, a2, a3);
  }

  /**
   * Fills row `remote`, replacing its contents. With `known`, source lookup of that address and port finds this remote, until it is
   * removed; then it finds the previous one again (`behind`).
   */
  add(remote: number, port: number, address: ArrayLike<number>, udpPort: number, known: boolean): void {
    const { head, slots } = this;
    const row = remote * ROW;
    lock(head, HEAD_LOCK);
    const found = slots.isFindable(row);
    // A repeated operation must not interrupt source lookup.
    if (found && known && slots.isOf(row, port, address[0] | 0, address[1] | 0, address[2] | 0, address[3] | 0)) {
      slots.setUdpPort(row, udpPort);
    } else {
      if (found) slots.withdraw(remote);
      slots.fill(row, port, address, 0, udpPort);
      if (known) slots.publish(remote);
    }
    unlock(head, HEAD_LOCK);
  }

  /**
   * Adds a learned VTEP, whose address is at `words[at]`, unless another engine has added it.
   * @param tick the present tick of the engine
   * @returns its index; 0 if the table is full or a limit is reached (`introductions.ts`)
   */
  admit(port: number, words: ArrayLike<number>, at: number, udpPort: number, tick: number): number {
    const { head, met, slots } = this;
    // A refusal takes no lock, because it may be one of a flood of forged sources. Another engine may have added the VTEP.
    if (!this.hasRoomFor(port, words, at, tick)) {
      return slots.search(port, words[at] | 0, words[at + 1] | 0, words[at + 2] | 0, words[at + 3] | 0);
    }
    lock(head, HEAD_LOCK);
    let remote = slots.search(port, words[at] | 0, words[at + 1] | 0, words[at + 2] | 0, words[at + 3] | 0);
    if (remote === 0 && met.hasRoom(port, words, at, tick) && slots.hasSlotFor(port, words, at)) {
      remote = this.takeNumber();
      if (remote !== 0) {
        met.count(port, words, at, tick);
        met.hear(remote - STATIC_REMOTES, tick);
        slots.fill(remote * ROW, port, words, at, udpPort);
        slots.publish(remote);
      }
    }
    unlock(head, HEAD_LOCK);
    return remote;
  }

  /** Whether another VTEP may be learned, as far as can be told without the lock. */
  hasRoomFor(port: number, words: ArrayLike<number>, at: number, tick: number): boolean {
    const { head, met } = this;
    const isFull = Atomics.load(head, HEAD_FREE) === 0 && Atomics.load(head, HEAD_NEXT) >= MAX_REMOTES;
    return !isFull && met.hasRoom(port, words, at, tick);
  }

  /**
   * Adds a learned VTEP that another switch knew; no limit applies but the size of the table.
   * @param words its address
   * @param heard the tick of its last datagram
   * @returns its index; 0 without room
   */
  restore(port: number, words: ArrayLike<number>, udpPort: number, heard: number): number {
    const { head, met, slots } = this;
    lock(head, HEAD_LOCK);
    let remote = slots.search(port, words[0] | 0, words[1] | 0, words[2] | 0, words[3] | 0);
    if (remote === 0 && slots.hasSlotFor(port, words, 0)) {
      remote = this.takeNumber();
      if (remote !== 0) {
        met.count(port, words, 0, heard);
        slots.fill(remote * ROW, port, words, 0, udpPort);
        slots.publish(remote);
      }
    }
    if (remote >= STATIC_REMOTES) met.hear(remote - STATIC_REMOTES, heard);
    unlock(head, HEAD_LOCK);
    return remote;
  }

  private takeNumber(): number {
    const { head, rows } = this;
    const free = head[HEAD_FREE];
    if (free !== 0) {
      Atomics.store(head, HEAD_FREE, rows[free * ROW + LINK]);
      return free;
    }
    const next = head[HEAD_NEXT];
    if (next >= MAX_REMOTES) return 0;
    Atomics.store(head, HEAD_NEXT, next + 1);
    return next;
  }

  /** Removes a remote from source lookup. Its index stays valid for FDB entries, flood lists and queued frames. */
  withdraw(remote: number): void {
    lock(this.head, HEAD_LOCK);
    if (this.slots.isFindable(remote * ROW)) this.slots.withdraw(remote);
    unlock(this.head, HEAD_LOCK);
  }

  /** Removes a remote and frees its index. @returns false if there was none */
  remove(remote: number): boolean {
    lock(this.head, HEAD_LOCK);
    const there = this.slots.udpPort(remote * ROW) !== 0;
    if (there) this.forget(remote);
    unlock(this.head, HEAD_LOCK);
    return there;
  }

  /** Removes all learned remotes of a port from source lookup. */
  withdrawLearnedOf(port: number): void {
    for (const remote of this.learned(port)) this.withdraw(remote);
  }

  /** Removes all learned remotes of a port. @returns their number */
  removeLearnedOf(port: number): number {
    let removed = 0;
    for (const remote of this.learned(port)) if (this.remove(remote)) removed++;
    return removed;
  }

  /** Changes when an index gets another address or is freed; odd during a write. Never -1. */
  version(remote: number): number {
    return this.slots.version(remote * ROW);
  }

  /** The remote with the same port and address that source lookup finds after the removal of this one; 0: none. */
  behind(remote: number): number {
    return this.slots.isFindable(remote * ROW) ? this.rows[remote * ROW + LINK] : 0;
  }

  /** Whether the remote is one of this port's, and source lookup can find it, at once or after others of its chain. */
  isFindable(port: number, remote: number): boolean {
    return this.rows[remote * ROW + OWNER] === port && this.slots.isFindable(remote * ROW);
  }

  private forget(remote: number): void {
    const { head, rows } = this;
    const row = remote * ROW;
    if (this.slots.isFindable(row)) this.slots.withdraw(remote);
    this.slots.expire(row);
    if (remote < STATIC_REMOTES) return;
    this.met.uncount(rows[row + OWNER], rows, row);
    rows[row + LINK] = head[HEAD_FREE];
    Atomics.store(head, HEAD_FREE, remote);
  }

  /** The four words of a remote's address. Allocates: not for the data path. */
  address(remote: number): [number, number, number, number] {
    const row = remote * ROW;
    return [this.rows[row], this.rows[row + 1], this.rows[row + 2], this.rows[row + 3]];
  }

  /** As `address`, into `words`. */
  addressInto(remote: number, words: Int32Array): void {
    const row = remote * ROW;
    for (let word = 0; word < 4; word++) words[word] = this.rows[row + word];
  }

  /** Whether two remotes have the same address, with any UDP ports. */
  isSameVtep(one: number, other: number): boolean {
    return this.slots.isSameAddress(one * ROW, other * ROW);
  }

  /** The UDP port of a remote; 0: there is no such remote. */
  udpPort(remote: number): number {
    return this.slots.udpPort(remote * ROW);
  }

  /** Records a datagram from a learned remote (hot). */
  hear(remote: number, tick: number): void {
    if (remote >= STATIC_REMOTES) this.met.hear(remote - STATIC_REMOTES, tick);
  }

  /** Tick of the last datagram from a learned remote. */
  heardAt(remote: number): number {
    return this.met.heardAt(remote - STATIC_REMOTES);
  }

  /** Number of a port's learned remotes. */
  learnedOf(port: number): number {
    return this.met.ofPort(port);
  }

  /** Number of a port's learned remotes in the network of one of them, or in its bucket (`introductions.ts`). */
  learnedBeside(remote: number): number {
    const row = remote * ROW;
    return this.met.ofNetwork(this.rows[row + OWNER], this.rows, row);
  }

  /** The bucket of a learned remote's network. */
  networkOf(remote: number): number {
    const row = remote * ROW;
    return networkBucket(this.rows[row + OWNER], this.rows, row, this.head[HEAD_SEED]);
  }

  /** The vxlan port of a remote, or of the last remote with this index. */
  portOf(remote: number): number {
    return this.rows[remote * ROW + OWNER];
  }

  /** All indexes of learned remotes are below this. */
  get learnedEnd(): number {
    return Atomics.load(this.head, HEAD_NEXT);
  }

  /** The learned remotes of a port that are not removed. For any thread. */
  *learned(port: number): Generator<number> {
    for (let remote = STATIC_REMOTES; remote < Atomics.load(this.head, HEAD_NEXT); remote++) {
      if (this.rows[remote * ROW + OWNER] === port && this.udpPort(remote) !== 0) yield remote;
    }
  }
}
