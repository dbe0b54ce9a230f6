/**
 * Everything that a stage works on, made once at start: the PacketIo's receive and transmit tables, the forwarding tables, the batch
 * and the counters. Stages are functions over this and a row of the batch.
 */
import { PathMtus } from '../../encap/path-mtu.js';
import { MAX_REMOTES, type RemoteTable, STATIC_REMOTES } from '../../encap/remotes.js';
import type { Fdb } from '../../fdb/table.js';
import { createNeighbours } from '../../neigh/table.js';
import { type PacketIo, RX_STRIDE } from '../../port/packet-io.js';
import type { DatagramRing } from '../../shared-memory/datagram-ring.js';
import { Batch } from './batch.js';
import { ControlLimiter } from './control-limiter.js';
import type { Counters } from './counters.js';
import { DropRing } from './drop-ring.js';
import { FloodBudget } from './flood-budget.js';
import { Flooding } from './flooding.js';
import type { Flows } from './flows.js';
import { Forwarding } from './forwarding.js';
import { Gateways } from './gateways.js';
import { Layer3 } from './layer3.js';
import { MissLimiter } from './miss-limiter.js';
import { Mirrors } from './mirrors.js';
import type { Observer } from './observer.js';
import { Policers } from './policers.js';
import { Claim } from './port-guard.js';
import { PortStates } from './port-states.js';
import { PuntRing } from './punt-ring.js';
import { StormControl } from './storm.js';
import { TooBigList } from './too-big-list.js';

export class Context {
  readonly rx: Int32Array;
  readonly tx: Int32Array;
  /** The arena, for the header codecs. */
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly batch: Batch;
  readonly mirrors: Mirrors;
  readonly forwarding = new Forwarding();
  /** How long a frame may be that goes to a remote. */
  readonly pathMtus = new PathMtus();
  /** Frames of this batch that were too long for their path. */
  readonly tooBig = new TooBigList();
  /** The layer-3 ports. */
  readonly layer3: Layer3;
  readonly gateways: Gateways;
  /** The frame being flooded; `bridge/flood.ts` owns it. */
  readonly flooding = new Flooding();
  /** By engine-numbered remote: the version of its row whose address this engine's PacketIo has; -1: none (`egress/install-remote.ts`). */
  readonly installedRemotes = new Int32Array(MAX_REMOTES - STATIC_REMOTES).fill(-1);
  /** By remote with a VNI of its own: the arena offset of its VXLAN header, or -1: the VLAN's header; and its VNI counter. */
  readonly sentHeader = new Int32Array(STATIC_REMOTES).fill(-1);
  readonly sentCounter = new Int32Array(STATIC_REMOTES);
  /** What the last frame that a guard refused had claimed. */
  readonly claim = new Claim();
  readonly controlLimiter = new ControlLimiter();
  /** Coarse clock, in ticks of 100 ms. */
  tick = 0;
  /** Frames that the switch has originated in this batch. */
  originated = 0;
  /** Transmit commands written and not yet handed to the PacketIo. */
  commands = 0;
  /** Records what becomes of frames; null: nobody looks. */
  observer: Observer | null = null;
  /** Records samples of frames for exporters; null: nobody wants any. */
  sampler: Observer | null = null;
  /** Known flows that are carried outside of the engine; null: none are. */
  flows: Flows | null = null;
  /** Datagrams for the liveness thread; null: there is none. */
  liveness: DatagramRing | null = null;
  /** Wakes the liveness thread: its ring was empty. */
  wakeLiveness: () => void = () => undefined;
  /** Sink of `warmFdb`, so that its reads are not optimised away. */
  warmed = 0;

  constructor(
    readonly io: PacketIo,
    readonly fdb: Fdb,
    readonly remotes: RemoteTable,
    readonly counters: Counters,
    /** Number of the engine among those of the switch. */
    readonly engine = 0,
    /** Shared by the engines of a switch. */
    readonly storm = new StormControl(),
    /** Frames and reports for the control thread; each engine has its own ring. */
    readonly punts = new PuntRing(),
    /** Shared by the engines of a switch. */
    readonly neigh = createNeighbours(),
    /** The last dropped frames; each engine has its own ring. */
    readonly drops = new DropRing(),
    readonly floodBudget = new FloodBudget(),
    readonly missLimiter = new MissLimiter(),
    /** Written by the control thread. */
    readonly states = new PortStates(),
    /** Shared by the engines of a switch. */
    readonly policers = new Policers(),
  ) {
    this.rx = io.rx;
    this.tx = io.tx;
    this.view = new DataView(io.arena);
    this.bytes = new Uint8Array(io.arena);
    this.layer3 = new Layer3(io);
    this.batch = new Batch(io.rx.length / RX_STRIDE);
    this.gateways = new Gateways(this.batch.size, io);
    this.mirrors = new Mirrors(this.batch.port.length);
  }
}
