/**
 * Owns reading a NIC in the background while a check makes traffic. It starts to read when it is made, keeps a bounded
 * number of observed frames, and never sends.
 */
import { VXLAN_PORT } from '../../wire/vxlan.js';
import { becomesTrue } from '../testbed/wait.js';
import { type ObservedDatagram, type ObservedFrame, readFrame, readTunnel } from './observed-frame.js';

/** A source of captured frames, each copied out of the NIC; null when there is none at the moment. */
export interface FrameSource {
  read(): Uint8Array | null;
  close(): void;
}

const POLL_MS = 5;
/** More than any check makes; a flood that goes round in a loop ends here instead of in memory. */
const MAX_OBSERVED = 50_000;
/** How many frames one turn takes, so that the agents' answers are read as well. */
const FRAMES_A_TURN = 2_000;

export class Sniffer {
  /** VXLAN datagrams, when it sniffs an underlay NIC. */
  readonly tunnel: ObservedDatagram[] = [];
  /** Bare frames, when it sniffs a guest's NIC. */
  readonly frames: ObservedFrame[] = [];
  readonly #source: FrameSource;
  readonly #where: 'underlay' | 'guest';
  readonly #port: number;
  #timer: NodeJS.Timeout | null;
  #failure: unknown = null;

  /** @param port the UDP port that is VXLAN's on that underlay */
  constructor(source: FrameSource, where: 'underlay' | 'guest', port = VXLAN_PORT) {
    this.#source = source;
    this.#where = where;
    this.#port = port;
    this.#timer = setInterval(() => this.#turn(), POLL_MS);
  }

  /**
   * Takes in what waits in the socket.
   * @throws what went wrong since the last call: the NIC is gone, or far too much passed it
   */
  drain(): void {
    this.#turn();
    if (this.#failure !== null) throw this.#failure;
  }

  /** Waits until a condition on the observed frames holds. @returns false when it does not within the limit */
  sees(condition: () => boolean, signal: AbortSignal, limitMs = 3000): Promise<boolean> {
    const look = (): boolean => {
      this.drain();
      return condition();
    };
    return becomesTrue(look, { limitMs, everyMs: POLL_MS, signal });
  }

  /** Ends the reading; the observed frames stay. */
  stop(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#source.close();
  }

  /** Run by the timer too, where nobody would catch: a failure is kept for the next `drain`. */
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
      throw new RangeError(`more than ${MAX_OBSERVED} frames passed: they seem to go round in a loop`);
    }
    if (this.#where === 'underlay') {
      this.tunnel.push(...readTunnel(bytes, this.#port));
      return;
    }
    const frame = readFrame(bytes);
    if (frame) this.frames.push(frame);
  }
}
