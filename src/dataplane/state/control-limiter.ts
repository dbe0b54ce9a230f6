/**
 * Limit of frames for the control protocols of bridges (loop probes, BPDUs) that go to the control thread: a few of each port in a
 * tick, so that no guest fills the punt ring or keeps the control thread busy.
 */
import { MAX_PORTS } from './counters.js';

/** Frames of a port in a tick: a port of a spanning tree sends up to 6 a second (IEEE 802.1D-2004 17.13.12), after a pause at once. */
const MOST = 8;

export class ControlLimiter {
  private readonly metIn: Int32Array;
  private readonly met: Uint8Array;

  /** @param sources numbers from 0 on that it is asked about */
  constructor(sources = MAX_PORTS) {
    this.metIn = new Int32Array(sources).fill(-1);
    this.met = new Uint8Array(sources);
  }

  /** Whether one more frame of the port may go to the control thread. */
  admits(port: number, tick: number): boolean {
    if (this.metIn[port] !== tick) {
      this.metIn[port] = tick;
      this.met[port] = 0;
    }
    if (this.met[port] === MOST) return false;
    this.met[port]++;
    return true;
  }
}
