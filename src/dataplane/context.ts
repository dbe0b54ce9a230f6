/**
 * Everything a stage works on, made once at start: the Nic's rings, the tables, the batch and the accounts.
 * The stages are functions over this and a frame's number, so that the same code can run on one frame alone.
 */
import type { RemoteTable } from '../encap/remotes.js';
import type { Fdb } from '../fdb/table.js';
import { type Nic, RX_STRIDE } from '../port/nic.js';
import { Batch, MAX_FRAMES } from './batch.js';
import type { Counters } from './counters.js';
import { Forwarding } from './forwarding.js';

export class Context {
  readonly rx: Int32Array;
  readonly tx: Int32Array;
  /** The arena, for the header codecs. */
  readonly view: DataView;
  readonly batch = new Batch();
  readonly forwarding = new Forwarding();
  /** Scratch of `parseInner`. */
  readonly layout = new Int32Array(8);
  /** Coarse clock, in ticks of 100 ms. */
  tick = 0;
  /** Commands written to the transmit ring so far. */
  commands = 0;

  constructor(
    readonly nic: Nic,
    readonly fdb: Fdb,
    readonly remotes: RemoteTable,
    readonly counters: Counters,
  ) {
    const frames = nic.rx.length / RX_STRIDE;
    if (frames > MAX_FRAMES) throw new RangeError(`a batch of ${frames} frames: give the Nic at most ${MAX_FRAMES}`);
    this.rx = nic.rx;
    this.tx = nic.tx;
    this.view = new DataView(nic.arena);
  }
}
