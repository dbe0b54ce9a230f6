/**
 * Limits on learned VTEPs, which ports with `accept_vteps: any` accept, because source addresses can be forged: their number per
 * port, per network, and per port and tick. Also the tick of the last datagram of each, so that the most idle ones can be
 * removed (`control/watch/vtep-watch.ts`).
 *
 * A network is counted in a bucket selected by hash; networks in the same bucket share its limit. Everything is in shared
 * memory. Counts are changed under the lock of the table of remotes; any engine writes `heardAt`.
 */
import { hashAddress } from '../shared-memory/hash.js';
import { isMapped } from '../wire/ip-address.js';

/** Limit of learned VTEPs of a port. */
export const MET_OF_PORT = 4096;
/**
 * Limit of a port's learned VTEPs of one network: /24 for IPv4, /64 for IPv6. A /24 has fewer addresses; one IPv6 host can choose
 * from 2^64.
 */
export const MET_OF_NETWORK = 512;
/** Limit of a port's new VTEPs in one tick of 100 ms. */
export const MET_IN_TICK = 64;

const PORTS = 1024;
const BUCKETS = 16_384;
// Offsets of words: three per port, one per bucket, one per learned remote.
const COUNT = 0;
const TICK = PORTS;
const IN_TICK = 2 * PORTS;
const BUCKET = 3 * PORTS;
const HEARD = BUCKET + BUCKETS;

export class Introductions {
  /** Size of the memory in words. @param remotes number of learned remotes */
  static words(remotes: number): number {
    return HEARD + remotes;
  }

  /** @param memory of `words` words, initially zeros; @param seed of the hash of networks */
  constructor(
    private readonly memory: Int32Array,
    private readonly seed: number,
  ) {}

  /** Whether a port may accept another VTEP, whose address is at `words[at]`. */
  hasRoom(port: number, words: ArrayLike<number>, at: number, tick: number): boolean {
    const { memory } = this;
    if (memory[COUNT + port] >= MET_OF_PORT) return false;
    if (memory[TICK + port] === tick && memory[IN_TICK + port] >= MET_IN_TICK) return false;
    return memory[BUCKET + networkBucket(port, words, at, this.seed)] < MET_OF_NETWORK;
  }

  /** Counts a VTEP that a port has accepted. */
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

  /** Removes a VTEP of a port from the counts. */
  uncount(port: number, words: ArrayLike<number>, at: number): void {
    this.memory[COUNT + port]--;
    this.memory[BUCKET + networkBucket(port, words, at, this.seed)]--;
  }

  /** Number of a port's learned VTEPs. */
  ofPort(port: number): number {
    return this.memory[COUNT + port];
  }

  /** Number of them in the bucket of an address's network. */
  ofNetwork(port: number, words: ArrayLike<number>, at: number): number {
    return this.memory[BUCKET + networkBucket(port, words, at, this.seed)];
  }

  /** Records a datagram from a learned remote (hot). @param index 0: the first learned remote */
  hear(index: number, tick: number): void {
    this.memory[HEARD + index] = tick;
  }

  /** Tick of the last datagram from a learned remote. */
  heardAt(index: number): number {
    return this.memory[HEARD + index];
  }
}

/** The bucket that counts the network of an address. */
export function networkBucket(port: number, words: ArrayLike<number>, at: number, seed: number): number {
  const mapped = isMapped(words[at], words[at + 1], words[at + 2]);
  const high = mapped ? 0x10000 : words[at];
  const low = mapped ? words[at + 3] >>> 8 : words[at + 1];
  return hashAddress(port, high, low, 0, 0, seed) & (BUCKETS - 1);
}
