/**
 * The VTEPs a switch knows: one row per (vxlan port, address), in shared memory so that the control thread can
 * name a remote that the engine learned. A row's index is the remote's identity everywhere (FDB destinations, flood
 * lists, the PacketIo's address table, counters), from when it is added until it is removed.
 *
 * Addresses are four big-endian words, IPv4 mapped into ::ffff:0:0/96. Index 0 means "no remote".
 * Rows 1..STATIC_REMOTES-1 are numbered by the control thread, the rest by the engines (`accept_vteps: any`), which take
 * a number that was given back before one that never was used.
 *
 * Several engines may come to know the same VTEP at once. Who changes the table holds its lock and looks again, so all
 * of them end up with one index; looking up takes no lock (`remote-slots.ts`).
 *
 * A number that was removed may soon be another remote's. Whoever removes one first withdraws it, so that nobody comes upon
 * it any more, and sees to it that no FDB entry, no flood list and no frame on its way still names it. A PacketIo is told the
 * address of a number anew when `version` has changed.
 */
import { lock, unlock } from '../shared-memory/lock.js';
import { Introductions, networkBucket } from './introductions.js';
import {
  expire,
  fillRow,
  isFindable,
  isOf,
  isSameAddress,
  LINK,
  OWNER,
  publish,
  ROW,
  SLOTS,
  search,
  setUdpPort,
  udpPortIn,
  versionIn,
  withdraw,
} from './remote-slots.js';

export const MAX_REMOTES = 65_536;
/** First index that the engines number themselves. */
export const STATIC_REMOTES = 32_768;

const ROW_WORDS = MAX_REMOTES * ROW;
/** Words after rows and hash slots. */
const HEAD_LOCK = 0;
/** The lowest index that no engine has ever taken. */
const HEAD_NEXT = 1;
/** The first of the indexes that were given back; each row links to the next one; 0: none. */
const HEAD_FREE = 2;
const HEAD_WORDS = 3;
const INTRODUCTIONS = ROW_WORDS + SLOTS + HEAD_WORDS;
const LEARNED = MAX_REMOTES - STATIC_REMOTES;
const WORDS = INTRODUCTIONS + Introductions.words(LEARNED);

export class RemoteTable {
  readonly memory: SharedArrayBuffer;
  private readonly rows: Int32Array;
  /** Hash slots holding remote indexes. */
  private readonly slots: Int32Array;
  private readonly head: Int32Array;
  private readonly met: Introductions;

  /** A new table, or with `memory` the one that another thread has made. */
  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(WORDS * 4);
    this.rows = new Int32Array(this.memory, 0, ROW_WORDS);
    this.slots = new Int32Array(this.memory, ROW_WORDS * 4, SLOTS);
    this.head = new Int32Array(this.memory, (ROW_WORDS + SLOTS) * 4, HEAD_WORDS);
    this.met = new Introductions(new Int32Array(this.memory, INTRODUCTIONS * 4, Introductions.words(LEARNED)));
    if (memory === undefined) this.head[HEAD_NEXT] = STATIC_REMOTES;
  }

  /** The remote of `port` with this address, or 0. One bounded probe sequence. */
  find(port: number, a0: number, a1: number, a2: number, a3: number): number {
    return search(this.rows, this.slots, port, a0, a1, a2, a3);
  }

  /**
   * Fills row `remote`, in place of what it was. With `known`, datagrams from that address to that port are from this
   * remote from now on, and from the one that they were from before when it is removed (`behind`).
   */
  add(remote: number, port: number, address: ArrayLike<number>, udpPort: number, known: boolean): void {
    const { head, rows, slots } = this;
    const row = remote * ROW;
    lock(head, HEAD_LOCK);
    const found = isFindable(rows, row);
    // Told the same once more, the remote is found all the time.
    if (found && known && isOf(rows, row, port, address[0] | 0, address[1] | 0, address[2] | 0, address[3] | 0)) {
      setUdpPort(rows, row, udpPort);
    } else {
      if (found) withdraw(rows, slots, remote);
      fillRow(rows, row, port, address, 0, udpPort);
      if (known) publish(rows, slots, remote);
    }
    unlock(head, HEAD_LOCK);
  }

  /**
   * A VTEP that an engine meets, its address at word `at`: its index, newly taken unless another engine was first;
   * 0 when there is no room left, or as many have come as may (`introductions.ts`).
   * @param tick the engine's clock
   */
  admit(port: number, words: ArrayLike<number>, at: number, udpPort: number, tick: number): number {
    const { head, met, rows, slots } = this;
    // What is refused takes no lock: it may be a flood of forged sources. Another engine may have met it meanwhile.
    const isFull = Atomics.load(head, HEAD_FREE) === 0 && Atomics.load(head, HEAD_NEXT) >= MAX_REMOTES;
    if (isFull || !met.hasRoom(port, words, at, tick)) {
      return search(rows, slots, port, words[at] | 0, words[at + 1] | 0, words[at + 2] | 0, words[at + 3] | 0);
    }
    lock(head, HEAD_LOCK);
    let remote = search(rows, slots, port, words[at] | 0, words[at + 1] | 0, words[at + 2] | 0, words[at + 3] | 0);
    if (remote === 0 && met.hasRoom(port, words, at, tick)) {
      remote = this.takeNumber();
      if (remote !== 0) {
        met.count(port, words, at, tick);
        met.hear(remote - STATIC_REMOTES, tick);
        fillRow(rows, remote * ROW, port, words, at, udpPort);
        publish(rows, slots, remote);
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
    if (isFindable(this.rows, remote * ROW)) withdraw(this.rows, this.slots, remote);
    unlock(this.head, HEAD_LOCK);
  }

  /** Forgets a remote; it is not found any more, and its number may be given again. @returns false when it was not there */
  remove(remote: number): boolean {
    lock(this.head, HEAD_LOCK);
    const there = udpPortIn(this.rows, remote * ROW) !== 0;
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
    return versionIn(this.rows, remote * ROW);
  }

  /** The remote with the same port and address that is found when this one, which is found, is not any more; 0: none. */
  behind(remote: number): number {
    return isFindable(this.rows, remote * ROW) ? this.rows[remote * ROW + LINK] : 0;
  }

  /** Whether datagrams from some VTEP of the port are this remote's. */
  isFindable(port: number, remote: number): boolean {
    return this.rows[remote * ROW + OWNER] === port && isFindable(this.rows, remote * ROW);
  }

  private forget(remote: number): void {
    const { head, rows } = this;
    const row = remote * ROW;
    if (isFindable(rows, row)) withdraw(rows, this.slots, remote);
    expire(rows, row);
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
    return isSameAddress(this.rows, one * ROW, other * ROW);
  }

  /** The UDP port that frames to a remote go to; 0: there is no such remote. */
  udpPort(remote: number): number {
    return udpPortIn(this.rows, remote * ROW);
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
    return networkBucket(this.rows[row + OWNER], this.rows, row);
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
