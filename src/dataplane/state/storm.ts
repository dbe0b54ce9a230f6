/**
 * Storm control: how many frames a second a port may have flooded, by kind. A token bucket for each port and kind, filled
 * by the coarse clock: a tick brings a tenth of the limit. A full bucket holds one tick's share and what is left of a
 * frame, so in any second at most the limit and one tick's share pass, and frames at the limit's pace all do.
 *
 * A superframe counts as the packets that it is on the wire. It passes where a frame would, and what it took beyond the
 * bucket's content is owed: no limit is too low for one.
 *
 * The buckets lie in shared memory, since the frames of one port may come in through several engines; each engine is
 * told the limits. A port without a limit costs one look at a table of the engine's own.
 *
 * It never drops or counts a frame: `bridge/flood.ts` asks, and does.
 */
import { MAX_PORTS } from './counters.js';

export const STORM_BROADCAST = 0;
export const STORM_UNKNOWN_UNICAST = 1;
export const STORM_MULTICAST = 2;
const KINDS = 3;

/** Units of a bucket that a frame takes; a tick brings one unit for each frame a second of the limit. */
const FRAME = 10;
/** Index of the tick up to which the buckets have been filled; the buckets come before it. */
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

  /** New buckets, or with `memory` those that another thread has made. */
  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(WORDS * 4);
    this.words = new Int32Array(this.memory);
  }

  /**
   * Sets the limit of a port and kind, in frames a second; 0: none. Control path.
   * @param fill whether a bucket whose limit is a new one is to be filled: by one engine of them all
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

  /** Takes a frame of so many packets out of a bucket. @returns false when not one is left in it */
  take(port: number, kind: number, packets = 1): boolean {
    const index = port * KINDS + kind;
    if (this.limits[index] === 0) return true;
    for (;;) {
      const left = Atomics.load(this.words, index);
      if (left < FRAME) return false;
      if (Atomics.compareExchange(this.words, index, left, left - FRAME * packets) === left) return true;
    }
  }

  /** Fills the buckets up to a tick, unless another engine was first. */
  advance(tick: number): void {
    const filled = Atomics.load(this.words, FILLED);
    const ticks = (tick - filled) & 0x7fffffff;
    if (ticks === 0 || ticks >= HALF_CLOCK) return; // an engine that lags behind the one that filled them
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
 * Units that a full bucket holds. Less than one tick's share and nine tenths of a frame, and a limit that is no multiple
 * of ten would lose its remainder with every tick.
 */
function roomOf(limit: number): number {
  return limit + FRAME - 1;
}
