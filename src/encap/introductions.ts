/**
 * Bounds on the VTEPs that a port with `accept_vteps: any` meets, since every source address can be forged: how many there
 * may be, of a port and of a network, and how many may come in a tick. Also when each was heard last, so that the one that
 * has been idle longest can give way (`vtep-watch.ts`).
 *
 * A network is counted in a bucket that a hash chooses, so two networks that share one have its bound together. All of it
 * lies in shared memory. Counts are changed with the lock of the table of remotes held; `heardAt` is written by any engine.
 */
import { hashAddress } from '../shared-memory/hash.js';
import { isMapped } from '../wire/ip-address.js';

/** VTEPs that a port may have met, as long as none of them has gone. */
export const MET_OF_PORT = 4096;
/**
 * The same of one network, /24 or (IPv6) /64: more than an IPv4 one has addresses, so that none of those is ever short of room,
 * and few of the 2^64 that one IPv6 host can choose from.
 */
export const MET_OF_NETWORK = 512;
/** VTEPs that a port may meet in one tick of 100 ms. */
export const MET_IN_TICK = 64;

const PORTS = 1024;
const BUCKETS = 16_384;
// Words: of each port, of each bucket, of each learned remote.
const COUNT = 0;
const TICK = PORTS;
const IN_TICK = 2 * PORTS;
const BUCKET = 3 * PORTS;
const HEARD = BUCKET + BUCKETS;

export class Introductions {
  /** Words that the memory of so many learned remotes takes. */
  static words(remotes: number): number {
    return HEARD + remotes;
  }

  /** @param memory of `words`, zeros at first */
  constructor(
    private readonly memory: Int32Array,
    private readonly seed: number,
  ) {}

  /** Whether a port may meet one more VTEP, its address at word `at`. */
  hasRoom(port: number, words: ArrayLike<number>, at: number, tick: number): boolean {
    const { memory } = this;
    if (memory[COUNT + port] >= MET_OF_PORT) return false;
    if (memory[TICK + port] === tick && memory[IN_TICK + port] >= MET_IN_TICK) return false;
    return memory[BUCKET + networkBucket(port, words, at, this.seed)] < MET_OF_NETWORK;
  }

  /** A port has met one. */
  count(port: number, words: ArrayLike<number>, at: number, tick: number): void {
    const { memory } = this;
    if (memory[TICK + port] !== tick) {
      memory[TICK + port] = tick;
      memory[IN_TICK + port] = 0;
    }
    memory[IN_TICK + port]++;
    memory[COUNT + port]++;
    memory[BUCKET + networkBucket(port, words, at, this.seed)]++;
  }

  /** One that a port had met is forgotten. */
  uncount(port: number, words: ArrayLike<number>, at: number): void {
    this.memory[COUNT + port]--;
    this.memory[BUCKET + networkBucket(port, words, at, this.seed)]--;
  }

  /** How many VTEPs a port has met. */
  ofPort(port: number): number {
    return this.memory[COUNT + port];
  }

  /** How many of them are in the network of an address, or share its bucket. */
  ofNetwork(port: number, words: ArrayLike<number>, at: number): number {
    return this.memory[BUCKET + networkBucket(port, words, at, this.seed)];
  }

  /** A frame has come from a learned remote (hot). @param index 0 for the first of them */
  hear(index: number, tick: number): void {
    this.memory[HEARD + index] = tick;
  }

  /** The tick in which a learned remote was heard last. */
  heardAt(index: number): number {
    return this.memory[HEARD + index];
  }
}

/** Number of the bucket that an address's network is counted in. */
export function networkBucket(port: number, words: ArrayLike<number>, at: number, seed: number): number {
  const mapped = isMapped(words[at], words[at + 1], words[at + 2]);
  const high = mapped ? 0x10000 : words[at];
  const low = mapped ? words[at + 3] >>> 8 : words[at + 1];
  return hashAddress(port, high, low, 0, 0, seed) & (BUCKETS - 1);
}
