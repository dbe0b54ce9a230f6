/**
 * Limits the cost of each source's floods, so that no guest's broadcasts starve the others when flood lists are long. A source
 * is a local port or a remote VTEP. The unit is a send (`bridge/flood-cost.ts`): a broadcast to 1,000 remotes costs 1,000
 * sends.
 *
 *   per turn      all sources together have TURN_SENDS, each a share; the excess is dropped as `turn_exceeded`. So the next
 *                 receive, and with it the frames of all other sources, is never far away.
 *   in time       each source has a token bucket. It is the storm limit of ports without one of their own, in proportion to
 *                 the flood list: 250,000 sends a second are 250 broadcasts to 1,000 remotes. The excess is dropped as
 *                 `storm_limited`.
 *
 * **Fair**: rate and turn are divided by the number of sources that exceed their share (hungry ones). Every other source has
 * the same limit as each of those.
 *
 * **On a slow or busy machine** a send takes longer. The duration of long command lists is measured, and both limits are
 * reduced in proportion (`measure`): other sources wait for time, not for sends.
 *
 * **Small fabrics are not limited**: the first FREE_SENDS of each frame do not count, unless a send takes far longer than SEND_NS.
 * That happens where the receiving kernel has much work with each frame, such as ARP requests that fill its neighbour table; one
 * guest's broadcasts would then delay the frames of all others although each goes to a single port.
 *
 * Each engine has its own budget, since it divides its own time. It is in shared memory for readers: a trace decides by a copy of it.
 * It only decides; `bridge/flood.ts` drops and counts.
 */
import { MAX_REMOTES } from '../../encap/remotes.js';
import { MAX_PORTS } from './counters.js';
import { REASON } from './drop-reasons.js';

/** Free sends of a frame: to two remotes and two guests. */
export const FREE_SENDS = 4;
/** Nominal nanoseconds of a send; up to this, no limit is reduced. */
export const SEND_NS = 1500;
/** Most sends of floods in a turn: 12 ms. */
export const TURN_SENDS = 8192;
/** Until the number of hungry sources is known, several may each use the whole; this limits their sum. */
const TURN_MOST = 2 * TURN_SENDS;
/** Sends per millisecond shared by the hungry sources: a third to a half of an engine's time. */
export const RATE = 250;
/** Minimum rate of a source, whatever the number of hungry ones: 16 broadcasts a second to 1,000 remotes. */
export const LEAST_RATE = 16;
/** Burst of a source after silence, in sends. */
export const BURST = 8192;
/** Milliseconds after which a bucket is full, whatever was owed. */
const FULL_MS = 60_000;
/** Milliseconds for which a source counts as hungry after a refusal. */
const PERIOD_MS = 100;

/** Below this scale, where sends take more than eight times SEND_NS, no send is free. */
const FREE_SCALE = 1 / 8;
/** Lower bound of the reduction on a slow machine. */
const LEAST_SCALE = 1 / 64;

/** Sources that there may be. */
export const SOURCES = MAX_PORTS + MAX_REMOTES;
const CLOCK = 0x7fffffff;

/** The source of frames received by a port; `remote` is 0 for a local port. */
export function floodSource(port: number, remote: number): number {
  return remote === 0 ? port : MAX_PORTS + remote;
}

// Words before those of the sources; 64-bit numbers.
const TURN = 0;
/** Sends of all sources in this turn. */
const TOTAL = 1;
const NOW = 2;
const PERIOD = 3;
/** Sources that were refused in this period, and in the one before it. */
const HUNGRY = 4;
const HUNGRY_BEFORE = 5;
/** Measured nanoseconds of a send. */
const SENT_NS = 6;
/** Reduction of both limits: 1 while a send takes its nominal time. */
const SCALE = 7;
/** 1: a ring was measured in this period. */
const MEASURED = 8;
const HEAD = 16;

const COLUMNS = 5;
const BYTES = HEAD * 8 + COLUMNS * SOURCES * 4;

export class FloodBudget {
  /** For a reader in another thread. */
  readonly memory: SharedArrayBuffer;
  private readonly head: Float64Array;
  /** Sends taken from the bucket of a source, as of `filledAt` (ms); above BURST: owed. */
  private readonly taken: Int32Array;
  private readonly filledAt: Int32Array;
  /** Sends of a source in the turn `spentIn`. */
  private readonly spent: Int32Array;
  private readonly spentIn: Int32Array;
  /** One more than the last period in which a source was refused. */
  private readonly refusedIn: Int32Array;

  /** A new budget, or with `memory` one that another thread has created. */
  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer(BYTES);
    this.head = new Float64Array(this.memory, 0, HEAD);
    const column = (index: number): Int32Array => new Int32Array(this.memory, HEAD * 8 + index * SOURCES * 4, SOURCES);
    this.taken = column(0);
    this.filledAt = column(1);
    this.spent = column(2);
    this.spentIn = column(3);
    this.refusedIn = column(4);
    if (memory === undefined) this.setSendNs(SEND_NS);
  }

  /** The clock at the last turn that had frames. */
  get now(): number {
    return this.head[NOW];
  }

  /** Whether the bucket of a source is as good as full. */
  isFull(source: number): boolean {
    return this.taken[source] <= 0 || ((this.head[NOW] - this.filledAt[source]) & CLOCK) >= FULL_MS;
  }

  /** Sends taken from the bucket of a source, as of `filledOf`. For the next process. */
  takenFrom(source: number): number {
    return this.taken[source];
  }

  /** The millisecond to which the bucket of a source was filled. */
  filledOf(source: number): number {
    return this.filledAt[source];
  }

  /** Goes on from the bucket of another process, whose clock is the same. The engine must stand still. */
  restore(source: number, taken: number, filledAt: number): void {
    this.taken[source] = taken;
    this.filledAt[source] = filledAt;
  }

  /** Takes over what does not belong to a source. For a copy in another thread. */
  protected takeHead(from: FloodBudget): void {
    this.head.set(from.head);
  }

  /** Takes over the state of one source. */
  protected takeSource(from: FloodBudget, source: number): void {
    this.taken[source] = from.taken[source];
    this.filledAt[source] = from.filledAt[source];
    this.spent[source] = from.spent[source];
    this.spentIn[source] = from.spentIn[source];
    this.refusedIn[source] = from.refusedIn[source];
  }

  /** Begins a turn of the engine. @param now its clock in milliseconds, 31 bits that wrap */
  beginTurn(now: number): void {
    this.head[TURN] = (this.head[TURN] + 1) & CLOCK;
    this.head[TOTAL] = 0;
    this.head[NOW] = now;
    const period = Math.floor(now / PERIOD_MS);
    if (period === this.head[PERIOD]) return;
    this.head[HUNGRY_BEFORE] = period === this.head[PERIOD] + 1 ? this.head[HUNGRY] : 0;
    this.head[HUNGRY] = 0;
    this.head[PERIOD] = period;
    // Short rings are not measured, and floods that are bounded make short ones: an old measure is trusted ever less.
    if (this.head[MEASURED] === 0) this.setSendNs(this.head[SENT_NS] - (this.head[SENT_NS] - SEND_NS) / 16);
    this.head[MEASURED] = 0;
  }

  /**
   * Why a source may not have a frame flooded now; -1: it may.
   * @param ownLimit the port has a storm limit of its own, which is in place of the bucket
   */
  refusal(source: number, ownLimit: boolean): number {
    const spent = this.spentIn[source] === this.head[TURN] ? this.spent[source] : 0;
    // One frame of each source passes in every turn.
    if (
      this.head[TOTAL] >= TURN_MOST ||
      (spent > 0 && spent >= (TURN_SENDS * this.head[SCALE]) / (1 + this.hungryNow()))
    )
      return this.refuse(source, REASON.turn_exceeded);
    if (ownLimit || this.level(source) < BURST) return -1;
    return this.refuse(source, REASON.storm_limited);
  }

  /** Records the sends of a frame of the source. */
  charge(source: number, sends: number, ownLimit: boolean): void {
    const counted = this.head[SCALE] < FREE_SCALE ? sends : sends - FREE_SENDS;
    if (counted <= 0) return;
    if (this.spentIn[source] !== this.head[TURN]) {
      this.spentIn[source] = this.head[TURN];
      this.spent[source] = 0;
    }
    this.spent[source] += counted;
    this.head[TOTAL] += counted;
    if (!ownLimit) this.taken[source] = this.level(source) + counted;
  }

  /**
   * Records that a number of sends took a number of microseconds. Longer times count quickly, since others wait meanwhile; but
   * a single interrupted list must not be remembered for long: with few floods there are few samples to correct it.
   */
  measure(microseconds: number, sends: number): void {
    const ns = (microseconds * 1000) / sends;
    this.setSendNs(this.head[SENT_NS] + (ns - this.head[SENT_NS]) / (ns > this.head[SENT_NS] ? 2 : 4));
    this.head[MEASURED] = 1;
  }

  private setSendNs(ns: number): void {
    this.head[SENT_NS] = ns;
    this.head[SCALE] = Math.min(1, Math.max(LEAST_SCALE, SEND_NS / this.head[SENT_NS]));
  }

  /** Number of sources that share; at least that of the last whole period. */
  private hungryNow(): number {
    return Math.max(this.head[HUNGRY], this.head[HUNGRY_BEFORE]);
  }

  private refuse(source: number, reason: number): number {
    if (this.refusedIn[source] !== this.head[PERIOD] + 1) {
      this.refusedIn[source] = this.head[PERIOD] + 1;
      this.head[HUNGRY]++;
    }
    return reason;
  }

  /** Sends taken from the bucket of a source, at present. */
  private level(source: number): number {
    const elapsed = (this.head[NOW] - this.filledAt[source]) & CLOCK;
    this.filledAt[source] = this.head[NOW];
    const share = Math.max(LEAST_RATE, RATE / Math.max(1, this.hungryNow()));
    const rate = Math.max(1, Math.floor(share * this.head[SCALE]));
    const left = elapsed >= FULL_MS ? 0 : Math.max(0, this.taken[source] - elapsed * rate);
    this.taken[source] = left;
    return left;
  }
}
