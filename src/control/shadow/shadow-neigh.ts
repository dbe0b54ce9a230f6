/**
 * The neighbour table of a shadow switch: a small table of its own, into which a binding of the live table comes when it is first
 * asked for (`shadow-fdb.ts` says why).
 */
import {
  createNeighbours,
  NEIGH_DISPUTED,
  NEIGH_EXTERN,
  NEIGH_MANUAL,
  NEIGH_ROUTER,
  Neighbours,
  type NeighReader,
  type NeighRow,
  ROW_CHANGES,
  ROW_MAC_HIGH,
  ROW_SHIFT,
  ROW_SINCE,
} from '../../neigh/table.js';
import type { Recorder, Words } from './facts.js';

/** More bindings than one frame can ask for. */
const ROWS = 64;

export class ShadowNeigh extends Neighbours {
  private readonly empty: Uint8Array;
  private readonly bytes: Uint8Array;
  private readonly asked = new Set<string>();
  private readonly routers: Neighbours;

  /** @param live reads the live table; @param memory of it; @param ports as many as it knows */
  constructor(
    private readonly live: NeighReader,
    memory: SharedArrayBuffer,
    ports: number,
    private readonly recorder: Recorder,
  ) {
    const own = createNeighbours({ capacity: ROWS, ports });
    super(own.memory);
    this.routers = Neighbours.attach(memory);
    this.bytes = new Uint8Array(own.memory);
    this.empty = this.bytes.slice();
  }

  /** Forgets everything. */
  begin(): void {
    this.bytes.set(this.empty);
    this.asked.clear();
  }

  override read(fid: number, words: ArrayLike<number>, at: number, out: Int32Array): boolean {
    const address = wordsAt(words, at);
    this.fetch(fid, address);
    this.recorder.note({ fact: 'binding', fid, address, binding: this.bindingOf(fid, address) });
    return super.read(fid, words, at, out);
  }

  override isRouter(fid: number, high: number, low: number): boolean {
    const is = this.routers.isRouter(fid, high, low);
    if (is) this.recorder.note({ fact: 'router', fid, high, low });
    return is;
  }

  override hear(
    fid: number,
    words: ArrayLike<number>,
    at: number,
    high: number,
    low: number,
    port: number,
    traits: number,
    now: number,
    before: Int32Array,
  ): number {
    const address = wordsAt(words, at);
    this.fetch(fid, address);
    const binding = this.bindingOf(fid, address);
    const outcome = super.hear(fid, words, at, high, low, port, traits, now, before);
    this.recorder.note({ fact: 'heard', fid, address, high, low, before: binding, outcome });
    return outcome;
  }

  private fetch(fid: number, address: Words): void {
    const key = `${fid} ${address.join(' ')}`;
    if (this.asked.has(key)) return;
    this.asked.add(key);
    const binding = this.live.find(fid, address);
    if (binding === null) return;
    const { high, low, flags, port, stamp } = binding;
    const { changes, since } = this.live.claims(fid, address);
    const isRouter = (flags & NEIGH_ROUTER) !== 0;
    if ((flags & NEIGH_MANUAL) !== 0) this.set(fid, address, high, low, isRouter, port, stamp);
    else if ((flags & NEIGH_EXTERN) !== 0) this.setExternal(fid, address, high, low, isRouter, port, stamp);
    else this.restore(fid, address, high, low, flags, port, stamp);
    const row = this.find(fid, ...address);
    if (row < 0) return;
    const base = row << ROW_SHIFT;
    this.rows[base + ROW_MAC_HIGH] |= (flags & NEIGH_DISPUTED) << 16;
    this.rows[base + ROW_CHANGES] = changes;
    this.rows[base + ROW_SINCE] = since;
  }

  private bindingOf(fid: number, address: Words): NeighRow | null {
    const binding = this.live.find(fid, address);
    return this.find(fid, ...address) < 0 ? null : binding;
  }
}

function wordsAt(words: ArrayLike<number>, at: number): Words {
  return [words[at] | 0, words[at + 1] | 0, words[at + 2] | 0, words[at + 3] | 0];
}
