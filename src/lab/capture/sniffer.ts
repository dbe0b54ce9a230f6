/**
 * A sniffer reads a NIC in the background while a check sends traffic. It starts when it is constructed, and keeps a bounded
 * number of parsed frames.
 */
import { VXLAN_PORT } from '../../wire/vxlan.js';
import { becomesTrue } from '../testbed/wait.js';
import { type ObservedDatagram, type ObservedFrame, readFrame, readTunnel } from './observed-frame.js';

/** A source of captured frames. */
export interface FrameSource {
  /** A copy of the next frame; null when none waits. */
  read(): Uint8Array | null;
  close(): void;
}

const POLL_MS = 5;
/** More than any check sends; a forwarding loop ends here instead of filling the memory. */
const MAX_OBSERVED = 50_000;
/** Frames read in one turn, so that the event loop also serves the agents. */
const FRAMES_A_TURN = 2_000;

export class Sniffer {
  /** Parsed VXLAN datagrams of an underlay NIC. */
  readonly tunnel: ObservedDatagram[] = [];
  /** Parsed frames of a guest's NIC. */
  readonly frames: ObservedFrame[] = [];
  readonly #source: FrameSource;
  readonly #where: 'underlay' | 'guest';
  readonly #port: number;
  #timer: NodeJS.Timeout | null;
  #failure: unknown = null;

  /** @param port the UDP port of VXLAN on the underlay */
  constructor(source: FrameSource, where: 'underlay' | 'guest', port = VXLAN_PORT) {
    this.#source = source;
    this.#where = where;
    this.#port = port;
    this.#timer = setInterval(() => this.#turn(), POLL_MS);
  }

  /**
   * Reads the frames that wait in the socket.
   * @throws the failure since the last call: the NIC is gone, or too many frames passed
   */
  drain(): void {
    this.#turn();
    if (this.#failure !== null) throw this.#failure;
  }

  /** Waits until a condition on the parsed frames holds. @returns false when the limit is over first */
  sees(condition: () => boolean, signal: AbortSignal, limitMs = 3000): Promise<boolean> {
    const look = (): boolean => {
      this.drain();
      return condition();
    };
    return becomesTrue(look, { limitMs, everyMs: POLL_MS, signal });
  }

  /** Stops reading; the parsed frames stay. */
  stop(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#source.close();
  }

  /** Also run by the timer, where an exception would end the process: the next `drain` throws a failure. */
  #turn(): void {
    try {
      this.#readSome();
    } catch (error) {
      this.#failure = error;
      this.stop();
    }
  }

  #readSome(): void {
    if (this.#timer === null) return;
    for (let taken = 0; taken < FRAMES_A_TURN; taken++) {
      const bytes = this.#source.read();
      if (bytes === null) return;
      this.#keep(bytes);
    }
  }

  #keep(bytes: Uint8Array): void {
    if (this.tunnel.length + this.frames.length >= MAX_OBSERVED) {
      throw new RangeError(`more than ${MAX_OBSERVED} frames passed: this looks like a forwarding loop`);
    }
    if (this.#where === 'underlay') {
      this.tunnel.push(...readTunnel(bytes, this.#port));
      return;
    }
    const frame = readFrame(bytes);
    if (frame) this.frames.push(frame);
  }
}
