/**
 * Policing: what a port may receive and send, in bits and in packets a second, as `tc ... police` limits it. A token bucket for each
 * port, direction and unit; its clock is that of the turn, in milliseconds.
 *
 * A superframe pays for its packets on the wire, their headers included. A frame passes when the bucket holds its first packet, or is
 * full; the rest is owed. So no limit is too low for a superframe, and in the long run the rate holds exactly.
 *
 * The buckets are in shared memory, since several engines serve a port; each knows the limits. A lock of the bucket is held for one
 * frame. A port without a limit has no flag, and never gets here.
 *
 * It only decides; `bridge/` and `egress/` drop and count.
 */
import { lock, unlock } from '../../shared-memory/lock.js';
import { MAX_PORTS } from './counters.js';

export const POLICE_IN = 0;
export const POLICE_OUT = 1;
const DIRECTIONS = 2;

/** Bits and packets a second, and those of a burst; a rate of 0: no limit. */
export interface PoliceLimits {
  rate: number;
  burst: number;
  pktsRate: number;
  pktsBurst: number;
}

export const NO_POLICE: PoliceLimits = { rate: 0, burst: 0, pktsRate: 0, pktsBurst: 0 };

/** Words of a bucket: tokens of bits and of packets, and the millisecond to which they were filled. */
const BITS = 0;
const PACKETS = 1;
const FILLED = 2;
const STRIDE = 4;

const BUCKETS = MAX_PORTS * DIRECTIONS;
const CLOCK = 0x7fffffff;
const HALF_CLOCK = 0x40000000;
/** Bits of an octet. */
const OCTET = 8;

export class Policers {
  /** For the other engines of the switch. */
  readonly memory: SharedArrayBuffer;
  readonly buckets: Float64Array;
  private readonly locks: Int32Array;
  private readonly limits: (PoliceLimits | undefined)[] = new Array<PoliceLimits | undefined>(BUCKETS).fill(undefined);

  /** New buckets, or with `memory` those created by another thread. */
  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(BUCKETS * (STRIDE * 8 + 4));
    this.buckets = new Float64Array(this.memory, 0, BUCKETS * STRIDE);
    this.locks = new Int32Array(this.memory, BUCKETS * STRIDE * 8, BUCKETS);
  }

  /**
   * Sets the limits of a port and direction. Control path.
   * @param fill whether to fill a bucket with a new limit: true in one engine only
   * @param now the clock of the turn, in milliseconds
   */
  setLimits(port: number, direction: number, limits: PoliceLimits, fill: boolean, now: number): void {
    const at = port * DIRECTIONS + direction;
    const limited = limits.rate > 0 || limits.pktsRate > 0;
    this.limits[at] = limited ? { ...limits } : undefined;
    if (!fill || !limited) return;
    lock(this.locks, at);
    this.buckets[at * STRIDE + BITS] = limits.burst;
    this.buckets[at * STRIDE + PACKETS] = limits.pktsBurst;
    this.buckets[at * STRIDE + FILLED] = now;
    unlock(this.locks, at);
  }

  /** The limits of a port and direction; undefined: none. */
  limitsOf(port: number, direction: number): PoliceLimits | undefined {
    return this.limits[port * DIRECTIONS + direction];
  }

  /**
   * Takes a frame out of the buckets of a port.
   * @param bytes of all its packets on the wire, from the Ethernet header on @param packets how many
   * @param now the clock of the turn, in milliseconds @returns false when it does not pass; nothing is taken then
   */
  take(port: number, direction: number, bytes: number, packets: number, now: number): boolean {
    const at = port * DIRECTIONS + direction;
    const limits = this.limits[at];
    if (limits === undefined) return true;
    const { buckets } = this;
    const base = at * STRIDE;
    lock(this.locks, at);
    this.fill(base, limits, now);
    const first = Math.min(limits.burst, (OCTET * bytes) / packets);
    const passes =
      (limits.rate === 0 || buckets[base + BITS] >= first) &&
      (limits.pktsRate === 0 || buckets[base + PACKETS] >= Math.min(limits.pktsBurst, 1));
    if (passes) {
      if (limits.rate > 0) buckets[base + BITS] -= OCTET * bytes;
      if (limits.pktsRate > 0) buckets[base + PACKETS] -= packets;
    }
    unlock(this.locks, at);
    return passes;
  }

  /** An engine whose clock lags behind fills nothing. */
  private fill(base: number, { rate, burst, pktsRate, pktsBurst }: PoliceLimits, now: number): void {
    const { buckets } = this;
    const elapsed = (now - buckets[base + FILLED]) & CLOCK;
    if (elapsed === 0 || elapsed >= HALF_CLOCK) return;
    buckets[base + FILLED] = now;
    buckets[base + BITS] = Math.min(burst, buckets[base + BITS] + (rate * elapsed) / 1000);
    buckets[base + PACKETS] = Math.min(pktsBurst, buckets[base + PACKETS] + (pktsRate * elapsed) / 1000);
  }
}
