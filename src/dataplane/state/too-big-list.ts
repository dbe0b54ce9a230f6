/**
 * Frames of a batch that exceeded a path MTU, whose senders get an ICMP error, and the remote for which the kernel returned
 * EMSGSIZE. Filled by egress and the counters, emptied by `egress/too-big.ts` and the engine.
 *
 * Bounded in frames per batch and in answers per port and tick, so that a flood of long frames costs little.
 */
import { ORIGINATED_FRAMES } from './batch.js';
import { MAX_PORTS } from './counters.js';

/** Most answers caused by one port in a tick of 100 ms; a host with more paths to learn sends again. */
export const ANSWERS_PER_TICK = 100;

export class TooBigList {
  /** Frames of this batch, in order, with the MTU of each: the lowest over its copies. */
  readonly frames = new Int32Array(ORIGINATED_FRAMES);
  readonly mtus = new Int32Array(ORIGINATED_FRAMES);
  count = 0;
  /** A remote with EMSGSIZE since this was last 0. */
  refusedTo = 0;
  private readonly answers = new Int32Array(MAX_PORTS);
  private readonly ticks = new Int32Array(MAX_PORTS).fill(-1);

  /** A copy of the frame exceeded its path. @param mtu bytes of the largest inner IP packet that fits */
  note(frame: number, mtu: number): void {
    const last = this.count - 1;
    if (last >= 0 && this.frames[last] === frame) {
      this.mtus[last] = Math.min(this.mtus[last], mtu);
    } else if (this.count < ORIGINATED_FRAMES) {
      this.frames[this.count] = frame;
      this.mtus[this.count] = mtu;
      this.count++;
    }
  }

  /** Takes one of the answers available to a port in this tick. @returns false when none is left */
  takeAnswer(port: number, tick: number): boolean {
    if (this.ticks[port] !== tick) {
      this.ticks[port] = tick;
      this.answers[port] = 0;
    }
    return this.answers[port]++ < ANSWERS_PER_TICK;
  }
}
