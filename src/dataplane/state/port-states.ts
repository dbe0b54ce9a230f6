/**
 * The states of ports in shared memory: whether loop guard or the spanning tree keeps a port closed. The control thread writes, every
 * engine reads once a turn whether anything has changed, and takes it over into its own flags (`Forwarding.adoptStates`). So a state
 * waits for no other change, and costs a frame nothing.
 */
import { MAX_PORTS } from './counters.js';

/** Frames pass, as far as loops are concerned. */
export const OPEN = 0;
/** Loop guard has found that the port is part of a loop. */
export const LOOP_BLOCKED = 1;
/** The spanning tree: no frame passes, nothing is learned. */
export const STP_DISCARDING = 2;
/** The spanning tree: no frame passes, sources are learned. */
export const STP_LEARNING = 3;

export type PortState = typeof OPEN | typeof LOOP_BLOCKED | typeof STP_DISCARDING | typeof STP_LEARNING;

const VERSION = 0;
const PORTS = 1;

export class PortStates {
  readonly memory: SharedArrayBuffer;
  private readonly words: Int32Array;
  /** Called after each change by this thread. */
  changed: () => void = () => undefined;

  /** New states, all OPEN, or with `memory` those that another thread has created. */
  constructor(memory?: SharedArrayBuffer) {
    this.memory = memory ?? new SharedArrayBuffer((PORTS + MAX_PORTS) * 4);
    this.words = new Int32Array(this.memory);
  }

  /** Changes with every state. */
  get version(): number {
    return Atomics.load(this.words, VERSION);
  }

  of(port: number): number {
    return this.words[PORTS + port];
  }

  /** Control thread only. @returns whether the state is another one */
  set(port: number, state: PortState): boolean {
    if (this.words[PORTS + port] === state) return false;
    Atomics.store(this.words, PORTS + port, state);
    Atomics.add(this.words, VERSION, 1);
    this.changed();
    return true;
  }
}
