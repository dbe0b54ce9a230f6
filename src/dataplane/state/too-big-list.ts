/**
 * What a batch has met on its way out that was too long: the frames whose senders are to hear of it, and the remote that the
 * kernel would not send to. Filled by the egress stage and the accounts, emptied by `egress/too-big.ts` and the engine.
 *
 * Bounded in two ways, so that a flood of long frames costs little: so many frames a batch, so many answers a port and tick.
 */
import { ORIGINATED_FRAMES } from './batch.js';
import { MAX_PORTS } from './counters.js';

/** Answers that one port causes in a tick of 100 ms: a host that has more paths to learn asks again. */
export const ANSWERS_PER_TICK = 100;

export class TooBigList {
  /** Frames of this batch, in order, and the MTU that each has met: the least, where it had several copies. */
  readonly frames = new Int32Array(ORIGINATED_FRAMES);
  readonly mtus = new Int32Array(ORIGINATED_FRAMES);
  count = 0;
  /** A remote that the kernel has refused a datagram to as too long for the path, since this was last 0. */
  refusedTo = 0;
  private readonly answers = new Int32Array(MAX_PORTS);
  private readonly ticks = new Int32Array(MAX_PORTS).fill(-1);

  /** A copy of the frame was too long for where it was to go. @param mtu bytes of an inner IP packet that would not be */
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

  /** Takes one of the answers that frames from a port may have in this tick. @returns false when it has had all */
  takeAnswer(port: number, tick: number): boolean {
    if (this.ticks[port] !== tick) {
      this.ticks[port] = tick;
      this.answers[port] = 0;
    }
    return this.answers[port]++ < ANSWERS_PER_TICK;
  }
}
