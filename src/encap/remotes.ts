/**
 * The VTEPs that a switch knows: one row per (vxlan port, address), in shared memory so that the control thread can name a
 * remote that an engine has learned. A row's index is the remote's identity everywhere (FDB destinations, flood lists, the
 * PacketIo's address table, counters), from when it is added until it is removed.
 *
 * Addresses are four big-endian words, IPv4 mapped into ::ffff:0:0/96. Index 0 means "no remote".
 * Rows 1..STATIC_REMOTES-1 are assigned by the control thread, the rest by the engines (`accept_vteps: any`), which reuse
 * freed indexes first.
 *
 * Several engines may learn the same VTEP at once. Each takes the lock and searches again before it adds a row, so all of
 * them end up with one index; looking up takes no lock (`remote-slots.ts`).
 *
 * The index of a removed remote may soon be another remote's. So removal has three steps: `withdraw` removes the remote from
 * source lookup, then FDB entries, flood lists and frames in flight that name it have to go, and then `remove` frees the index.
 * A PacketIo gets the address of an index again when its `version` has changed.
 */
import { lock, unlock } from '../shared-memory/lock.js';
import { allocate, HEAD_LOCK, HEAD_OWN, HEAD_SEED, headerOf, Layout } from '../shared-memory/memory.js';
import { Introductions, networkBucket } from './introductions.js';
import { LINK, OWNER, RemoteSlots, ROW } from './remote-slots.js';

export const MAX_REMOTES = 65_536;
/** First index that the engines number themselves. */
export const STATIC_REMOTES = 32_768;

const SLOTS = 131_072;
const LEARNED = MAX_REMOTES - STATIC_REMOTES;

/** Words of the header, after those of every table: the lowest index that no engine has ever taken. */
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
 * @param seed any integer; makes the hash unpredictable, so that nobody can forge sources that collide. A random one outside of tests
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

  /** The table that lies in this memory, which `createRemotes` has made. @throws TypeError when the memory is no such table */
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
   * Fills row `remote`, in place of what it was. With `known`, datagrams from that address to that port are from this
   * remote from now on, and from the one that they were from before when it is removed (`behind`).
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
   * A VTEP that an engine meets, its address at word `at`: its index, newly taken unless another engine was first;
   * 0 when there is no room left, or as many have come as may (`introductions.ts`).
   * @param tick the engine's clock
   */
  admit(port: number, words: ArrayLike<number>, at: number, udpPort: number, tick: number): number {
    const { head, met, slots } = this;
    // What is refused takes no lock: it may be a flood of forged sources. Another engine may have met it meanwhile.
    const isFull = Atomics.load(head, HEAD_FREE) === 0 && Atomics.load(head, HEAD_NEXT) >= MAX_REMOTES;
    if (isFull || !met.hasRoom(port, words, at, tick)) {
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

  /** A remote is not found any more. It stays what it is for those who know its number. */
  withdraw(remote: number): void {
    lock(this.head, HEAD_LOCK);
    if (this.slots.isFindable(remote * ROW)) this.slots.withdraw(remote);
    unlock(this.head, HEAD_LOCK);
  }

  /** Forgets a remote; it is not found any more, and its number may be given again. @returns false when it was not there */
  remove(remote: number): boolean {
    lock(this.head, HEAD_LOCK);
    const there = this.slots.udpPort(remote * ROW) !== 0;
    if (there) this.forget(remote);
    unlock(this.head, HEAD_LOCK);
    return there;
  }

  /** Withdraws every remote of a port that engines came to know by themselves. */
  withdrawLearnedOf(port: number): void {
    for (const remote of this.learned(port)) this.withdraw(remote);
  }

  /** Forgets every remote of a port that engines came to know by themselves. @returns how many they were */
  removeLearnedOf(port: number): number {
    let removed = 0;
    for (const remote of this.learned(port)) if (this.remove(remote)) removed++;
    return removed;
  }

  /** Changes whenever a number gets another address or is given back; odd while it is being written. Never -1. */
  version(remote: number): number {
    return this.slots.version(remote * ROW);
  }

  /** The remote with the same port and address that is found when this one, which is found, is not any more; 0: none. */
  behind(remote: number): number {
    return this.slots.isFindable(remote * ROW) ? this.rows[remote * ROW + LINK] : 0;
  }

  /** Whether datagrams from some VTEP of the port are this remote's. */
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

  /** The four words of a remote's address. Allocates: not for the path of frames. */
  address(remote: number): [number, number, number, number] {
    const row = remote * ROW;
    return [this.rows[row], this.rows[row + 1], this.rows[row + 2], this.rows[row + 3]];
  }

  /** Whether two remotes are one VTEP: the same address, whatever UDP port frames are sent to. */
  isSameVtep(one: number, other: number): boolean {
    return this.slots.isSameAddress(one * ROW, other * ROW);
  }

  /** The UDP port that frames to a remote go to; 0: there is no such remote. */
  udpPort(remote: number): number {
    return this.slots.udpPort(remote * ROW);
  }

  /** A frame has come from a remote (hot). */
  hear(remote: number, tick: number): void {
    if (remote >= STATIC_REMOTES) this.met.hear(remote - STATIC_REMOTES, tick);
  }

  /** The tick in which a learned remote was heard last. */
  heardAt(remote: number): number {
    return this.met.heardAt(remote - STATIC_REMOTES);
  }

  /** How many learned remotes a port has. */
  learnedOf(port: number): number {
    return this.met.ofPort(port);
  }

  /** How many learned remotes a port has in the network of a learned one. */
  learnedBeside(remote: number): number {
    const row = remote * ROW;
    return this.met.ofNetwork(this.rows[row + OWNER], this.rows, row);
  }

  /** A number that the learned remotes of a network have in common; another network's may be the same. */
  networkOf(remote: number): number {
    const row = remote * ROW;
    return networkBucket(this.rows[row + OWNER], this.rows, row, this.head[HEAD_SEED]);
  }

  /** The vxlan port of a remote, or the last one that the number had. */
  portOf(remote: number): number {
    return this.rows[remote * ROW + OWNER];
  }

  /** No learned remote has this number, or a higher one. */
  get learnedEnd(): number {
    return Atomics.load(this.head, HEAD_NEXT);
  }

  /** The remotes of a port that the engines came to know by themselves, until they are removed. For any thread. */
  *learned(port: number): Generator<number> {
    for (let remote = STATIC_REMOTES; remote < Atomics.load(this.head, HEAD_NEXT); remote++) {
      if (this.rows[remote * ROW + OWNER] === port && this.udpPort(remote) !== 0) yield remote;
    }
  }
}
