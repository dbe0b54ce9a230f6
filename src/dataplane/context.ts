/**
 * Everything a stage works on, made once at start: the Nic's rings, the tables, the batch and the accounts.
 * The stages are functions over this and a frame's number, so that the same code can run on one frame alone.
 */
import { MAX_REMOTES, type RemoteTable, STATIC_REMOTES } from '../encap/remotes.js';
import type { Fdb } from '../fdb/table.js';
import { type Nic, RX_STRIDE } from '../port/nic.js';
import { Batch } from './batch.js';
import { type Counters, MAX_PORTS } from './counters.js';
import { Forwarding } from './forwarding.js';
import { Punts } from './punts.js';
import { StormControl } from './storm.js';

export class Context {
  readonly rx: Int32Array;
  readonly tx: Int32Array;
  /** The arena, for the header codecs. */
  readonly view: DataView;
  readonly batch: Batch;
  readonly forwarding = new Forwarding();
  /** Scratch of `parseInner`. */
  readonly layout = new Int32Array(8);
  /** 1 for each engine-numbered remote whose address this engine's Nic has been told. */
  readonly learnedRemotes = new Uint8Array(MAX_REMOTES - STATIC_REMOTES);
  /** `remotes.forgotten` at the time of it. */
  forgottenRemotes = 0;
  /** Coarse clock, in ticks of 100 ms. */
  tick = 0;
  /** What `warmFdb` has read; it means nothing. */
  warmed = 0;
  /** Frames of the switch's own in this batch so far. */
  ownFrames = 0;
  /** Commands written to the transmit ring so far. */
  commands = 0;
  /** Counts the frames that went to a group; a vxlan port that stands at its number has had it for all its remotes. */
  replication = 0;
  readonly replicatedFor = new Int32Array(MAX_PORTS);

  constructor(
    readonly nic: Nic,
    readonly fdb: Fdb,
    readonly remotes: RemoteTable,
    readonly counters: Counters,
    /** Number of the engine among those of the switch. */
    readonly engine = 0,
    /** Shared by the engines of a switch. */
    readonly storm = new StormControl(),
    /** Frames for the control thread; this engine's own. */
    readonly punts = new Punts(),
  ) {
    this.rx = nic.rx;
    this.tx = nic.tx;
    this.view = new DataView(nic.arena);
    this.batch = new Batch(nic.rx.length / RX_STRIDE);
  }
}
