/** A table of flows in memory, and a switch with two attached interfaces, `a` and `b`, that gives its flows to it. */
import { watchFdb } from '../../../src/dataplane/flow/mirror.js';
import { CARRIED, Flows, ROW_FROM_LOW, ROW_SHIFT, ROW_STATE } from '../../../src/dataplane/state/flows.js';
import {
  COUNT_BYTES,
  COUNT_FRAMES,
  COUNT_NOTED,
  COUNT_WORDS,
  FLOW_SLOTS,
  FLOW_STAMPS,
  type FlowTable,
} from '../../../src/port/flow-table.js';
import { KIND_FRAME } from '../../../src/port/packet-io.js';
import { parseMac } from '../../../src/wire/ethernet.js';
import { A, B, packet, type PacketFields } from './frames.js';
import { type BridgeSpec, type SwitchOptions, TestSwitch } from './harness.js';

const TICK_MS = 100;

export class MemoryFlowTable implements FlowTable {
  readonly counts = new Int32Array(FLOW_SLOTS * COUNT_WORDS);
  private readonly stamps = new Int32Array(FLOW_STAMPS + 1);
  takesSuperframes = false;
  /** Frames inside of the kernel's devices. */
  inside = 0;
  set = (): number => 0;
  remove = (): void => undefined;
  setFar = (): number => 0;
  removeFar = (): void => undefined;
  outer = (): number => 0;
  under = (): boolean => false;
  isWatched = (): boolean => false;
  holds = (): number => this.inside;
  stamp = (place: number): number => this.stamps[place + 1];
  touch = (place: number): void => {
    this.stamps[place + 1]++;
  };
  read = (words: Int32Array): void => words.set(this.counts);
  listen = (): number => 0;
}

export class FlowSwitch {
  readonly table = new MemoryFlowTable();
  readonly flows = new Flows(this.table, 0);
  readonly sw: TestSwitch;

  constructor(bridge: BridgeSpec, options: SwitchOptions = {}) {
    // An observer would take the flows back.
    this.sw = new TestSwitch({ br0: bridge }, { observed: false, ...options });
    this.sw.context.flows = this.flows;
    watchFdb(this.sw.context, this.flows);
    for (const [at, name] of ['a', 'b'].entries())
      this.flows.ports[this.sw.port(name)] = { device: at + 1, filter: 0, index: at + 10, place: 1, isHome: false };
    // Both MACs are known.
    this.comes('a', 1);
    this.comes('b', 1);
    this.ticks(20);
  }

  /** Frames that come to the engine. */
  comes(from: 'a' | 'b', frames: number, fields: PacketFields = {}): void {
    const ends = from === 'a' ? { source: A, destination: B } : { source: B, destination: A };
    const bytes = packet({ protocol: 'udp', data: 10, ...ends, ...fields });
    for (let i = 0; i < frames; i++) this.sw.io.arrive({ kind: KIND_FRAME, index: this.sw.port(from), bytes });
    while (this.sw.io.waiting > 0) this.sw.engine.turn(0);
    this.sw.io.take();
  }

  /** So many frames of each source, in one turn. */
  burst(from: 'a' | 'b', sources: readonly string[], frames: number): void {
    const destination = from === 'a' ? B : A;
    for (const source of sources) {
      const bytes = packet({ protocol: 'udp', data: 10, source, destination });
      for (let i = 0; i < frames; i++) this.sw.io.arrive({ kind: KIND_FRAME, index: this.sw.port(from), bytes });
    }
    this.sw.engine.turn(0);
    this.sw.io.take();
  }

  ticks(count: number): void {
    for (let i = 0; i < count; i++) {
      this.sw.io.advance(TICK_MS);
      this.sw.engine.turn(0);
    }
  }

  /** A tick in which the table carries so many frames of the flows of `a` and `b`. */
  carriedTick(there: number, back: number, length = 60): void {
    for (const [from, frames] of [
      ['a', there],
      ['b', back],
    ] as const) {
      const at = this.slotOf(from) * COUNT_WORDS;
      this.table.counts[at + COUNT_NOTED] += frames;
      this.table.counts[at + COUNT_FRAMES] += frames;
      this.table.counts[at + COUNT_BYTES] += frames * length;
    }
    this.ticks(1);
  }

  /** From which ports a flow is carried: '', 'a', 'b' or 'ab'. */
  get carried(): string {
    return (['a', 'b'] as const).filter((from) => this.slotOf(from) >= 0).join('');
  }

  private slotOf(from: 'a' | 'b'): number {
    const low = parseMac(from === 'a' ? A : B)?.low;
    for (let slot = 0; slot < this.flows.end; slot++) {
      const row = slot << ROW_SHIFT;
      if (this.flows.rows[row + ROW_STATE] === CARRIED && this.flows.rows[row + ROW_FROM_LOW] === low) return slot;
    }
    return -1;
  }
}
