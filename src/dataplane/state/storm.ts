/**
 * Storm control: limits flooded frames per second by port and kind of traffic. A token bucket for each port and kind, filled by
 * the coarse clock: a tick adds a tenth of the limit. A full bucket holds one tick's share and the remainder of a frame, so in
 * any second at most the limit and one tick's share pass, and all frames at the pace of the limit do.
 *
 * A superframe counts as its packets on the wire. It passes when a single frame would, and the excess is owed: no limit is too
 * low for one.
 *
 * The buckets are in shared memory, since the frames of a port may be received by several engines; each engine knows the
 * limits. A port without a limit costs one look-up in the engine's own table.
 *
 * It only decides; `bridge/flood.ts` drops and counts.
 */
import { MAX_PORTS } from './counters.js';

export const STORM_BROADCAST = 0;
export const STORM_UNKNOWN_UNICAST = 1;
export const STORM_MULTICAST = 2;
export const KINDS = 3;

/** Units of a frame in a bucket; a tick adds one unit for each frame per second of the limit. */
const FRAME = 10;
/** Index of the tick to which the buckets were filled; the buckets precede it. */
const FILLED = MAX_PORTS * KINDS;
const WORDS = FILLED + 1;
const HALF_CLOCK = 0x40000000;

export class StormControl {
  /** For the other engines of the switch. */
  readonly memory: SharedArrayBuffer;
  private readonly words: Int32Array;
  /** Frames a second by `port * KINDS + kind`; 0: no limit. */
  private readonly limits = new Int32Array(MAX_PORTS * KINDS);
  /** Indices of the limits that are not 0. */
  private limited = new Int32Array(0);

  /** New buckets, or with `memory` those created by another thread. */
  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(WORDS * 4);
    this.words = new Int32Array(this.memory);
  }

  /**
   * Sets the limit of a port and kind, in frames per second; 0: none. Control path.
   * @param fill whether to fill a bucket with a new limit: true in one engine only
   */
  setLimit(port: number, kind: number, limit: number, fill: boolean): void {
    const index = port * KINDS + kind;
    if (this.limits[index] === limit) return;
    this.limits[index] = limit;
    this.limited = Int32Array.from(this.limits.keys()).filter((other) => this.limits[other] !== 0);
    if (fill) Atomics.store(this.words, index, limit === 0 ? 0 : roomOf(limit));
  }

  /** Whether a port has a limit for a kind. */
  isLimited(port: number, kind: number): boolean {
    return this.limits[port * KINDS + kind] !== 0;
  }

  /** Takes a frame of a number of packets out of a bucket. @returns false when it holds less than one */
  take(port: number, kind: number, packets = 1): boolean {
    const index = port * KINDS + kind;
    if (this.limits[index] === 0) return true;
    for (;;) {
      const left = Atomics.load(this.words, index);
      if (left < FRAME) return false;
      if (Atomics.compareExchange(this.words, index, left, left - FRAME * packets) === left) return true;
    }
  }

  /** Units in a bucket as of `filledAt`; below 0: owed. For the next process. */
  level(port: number, kind: number): number {
    return Atomics.load(this.words, port * KINDS + kind);
  }

  get filledAt(): number {
    return Atomics.load(this.words, FILLED);
  }

  /** Goes on from a bucket of another process, whose limit is the same; never with more than there is. The engines must stand still. */
  restore(port: number, kind: number, level: number, filledAt: number): void {
    const index = port * KINDS + kind;
    Atomics.store(this.words, index, Math.min(level, Atomics.load(this.words, index)));
    Atomics.store(this.words, FILLED, filledAt);
  }

  /** Fills the buckets up to a tick, unless another engine has done so. */
  advance(tick: number): void {
    const filled = Atomics.load(this.words, FILLED);
    const ticks = (tick - filled) & 0x7fffffff;
    if (ticks === 0 || ticks >= HALF_CLOCK) return; // this engine's clock lags behind that of the engine that filled them
    if (Atomics.compareExchange(this.words, FILLED, filled, tick) !== filled) return;
    for (let at = 0; at < this.limited.length; at++) this.fill(this.limited[at], ticks);
  }

  private fill(index: number, ticks: number): void {
    const limit = this.limits[index];
    for (;;) {
      const left = Atomics.load(this.words, index);
      const full = Math.min(roomOf(limit), left + ticks * limit);
      if (Atomics.compareExchange(this.words, index, left, full) === left) return;
    }
  }
}

/**
 * Units of a full bucket. With less than one tick's share and nine tenths of a frame, a limit that is no multiple of ten would
 * lose its remainder at every tick.
 */
function roomOf(limit: number): number {
  return limit + FRAME - 1;
}
