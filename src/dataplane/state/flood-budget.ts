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
 * Each engine has its own budget, since it divides its own time. It only decides; `bridge/flood.ts` drops and counts.
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

const SOURCES = MAX_PORTS + MAX_REMOTES;
const CLOCK = 0x7fffffff;

/** The source of frames received by a port; `remote` is 0 for a local port. */
export function floodSource(port: number, remote: number): number {
  return remote === 0 ? port : MAX_PORTS + remote;
}

export class FloodBudget {
  /** Sends taken from the bucket of a source, as of `filledAt` (ms); above BURST: owed. */
  private readonly taken = new Int32Array(SOURCES);
  private readonly filledAt = new Int32Array(SOURCES);
  /** Sends of a source in the turn `spentIn`. */
  private readonly spent = new Int32Array(SOURCES);
  private readonly spentIn = new Int32Array(SOURCES);
  /** The last period in which a source was refused. */
  private readonly refusedIn = new Int32Array(SOURCES).fill(-1);
  private turn = 0;
  /** Sends of all sources in this turn. */
  private total = 0;
  private now = 0;
  private period = 0;
  /** Sources that were refused in this period, and in the one before it. */
  private hungry = 0;
  private hungryBefore = 0;
  /** Measured nanoseconds of a send. */
  private sendNs = SEND_NS;
  /** Reduction of both limits: 1 while a send takes its nominal time. */
  private scale = 1;
  /** A ring was measured in this period. */
  private isMeasured = false;

  /** Begins a turn of the engine. @param now its clock in milliseconds, 31 bits that wrap */
  beginTurn(now: number): void {
    this.turn = (this.turn + 1) | 0;
    this.total = 0;
    this.now = now;
    const period = Math.floor(now / PERIOD_MS);
    if (period === this.period) return;
    this.hungryBefore = period === this.period + 1 ? this.hungry : 0;
    this.hungry = 0;
    this.period = period;
    // Short rings are not measured, and floods that are bounded make short ones: an old measure is trusted ever less.
    if (!this.isMeasured) this.setSendNs(this.sendNs - (this.sendNs - SEND_NS) / 16);
    this.isMeasured = false;
  }

  /**
   * Why a source may not have a frame flooded now; -1: it may.
   * @param ownLimit the port has a storm limit of its own, which is in place of the bucket
   */
  refusal(source: number, ownLimit: boolean): number {
    const spent = this.spentIn[source] === this.turn ? this.spent[source] : 0;
    // One frame of each source passes in every turn.
    if (this.total >= TURN_MOST || (spent > 0 && spent >= (TURN_SENDS * this.scale) / (1 + this.hungryNow())))
      return this.refuse(source, REASON.turn_exceeded);
    if (ownLimit || this.level(source) < BURST) return -1;
    return this.refuse(source, REASON.storm_limited);
  }

  /** Records the sends of a frame of the source. */
  charge(source: number, sends: number, ownLimit: boolean): void {
    const counted = this.scale < FREE_SCALE ? sends : sends - FREE_SENDS;
    if (counted <= 0) return;
    if (this.spentIn[source] !== this.turn) {
      this.spentIn[source] = this.turn;
      this.spent[source] = 0;
    }
    this.spent[source] += counted;
    this.total += counted;
    if (!ownLimit) this.taken[source] = this.level(source) + counted;
  }

  /**
   * Records that a number of sends took a number of microseconds. Longer times count quickly, since others wait meanwhile; but
   * a single interrupted list must not be remembered for long: with few floods there are few samples to correct it.
   */
  measure(microseconds: number, sends: number): void {
    const ns = (microseconds * 1000) / sends;
    this.setSendNs(this.sendNs + (ns - this.sendNs) / (ns > this.sendNs ? 2 : 4));
    this.isMeasured = true;
  }

  private setSendNs(ns: number): void {
    this.sendNs = ns;
    this.scale = Math.min(1, Math.max(LEAST_SCALE, SEND_NS / this.sendNs));
  }

  /** Number of sources that share; at least that of the last whole period. */
  private hungryNow(): number {
    return Math.max(this.hungry, this.hungryBefore);
  }

  private refuse(source: number, reason: number): number {
    if (this.refusedIn[source] !== this.period) {
      this.refusedIn[source] = this.period;
      this.hungry++;
    }
    return reason;
  }

  /** Sends taken from the bucket of a source, at present. */
  private level(source: number): number {
    const elapsed = (this.now - this.filledAt[source]) & CLOCK;
    this.filledAt[source] = this.now;
    const share = Math.max(LEAST_RATE, RATE / Math.max(1, this.hungryNow()));
    const rate = Math.max(1, Math.floor(share * this.scale));
    const left = elapsed >= FULL_MS ? 0 : Math.max(0, this.taken[source] - elapsed * rate);
    this.taken[source] = left;
    return left;
  }
}
