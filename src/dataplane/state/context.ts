/**
 * Everything a stage works on, made once at start: the Nic's rings, the tables, the batch and the accounts.
 * The stages are functions over this and a frame's number, so that the same code can run on one frame alone.
 */
import { PathMtus } from '../../encap/path-mtu.js';
import { MAX_REMOTES, type RemoteTable, STATIC_REMOTES } from '../../encap/remotes.js';
import { type Fdb, NOT_FOUND } from '../../fdb/table.js';
import { BINDING_WORDS, createNeighbours } from '../../neigh/table.js';
import { type Nic, RX_STRIDE } from '../../port/nic.js';
import { Batch } from './batch.js';
import { type Counters, MAX_PORTS } from './counters.js';
import { FloodBudget } from './flood-budget.js';
import { Forwarding } from './forwarding.js';
import { MissLimiter } from './miss-limiter.js';
import { NEIGHBOUR_WORDS } from './neigh-message.js';
import { PuntRing } from './punt-ring.js';
import { StormControl } from './storm.js';
import { TooBigList } from './too-big-list.js';

export class Context {
  readonly rx: Int32Array;
  readonly tx: Int32Array;
  /** The arena, for the header codecs. */
  readonly view: DataView;
  readonly batch: Batch;
  readonly forwarding = new Forwarding();
  /** How long a frame may be that goes to a remote. */
  readonly pathMtus = new PathMtus();
  /** What was too long. */
  readonly tooBig = new TooBigList();
  /** Scratch of `parseInner`. */
  readonly layout = new Int32Array(8);
  /** Scratch: the ARP or ND message that was read last (`neigh/parse.ts`), and a binding (BINDING_* words). */
  readonly neighbour = new Int32Array(NEIGHBOUR_WORDS);
  readonly binding = new Int32Array(BINDING_WORDS);
  readonly missLimiter = new MissLimiter();
  readonly floodBudget = new FloodBudget();
  /** Sends that a copy of the frame costs that is being flooded, and the copies that it has had; else 1. */
  sends = 1;
  copies = 0;
  /** The ring's first command of that frame, and what the commands before it cost beyond one send each. */
  floodBegin = 0;
  extraSends = 0;
  /** Port flags, any of which keeps a port from having a copy of the frame that is being flooded. */
  withheld = 0;
  /** FDB destination of the owner that the ARP or DAD probe being flooded is to reach, in place of its port's copies; NOT_FOUND: none. */
  probed = NOT_FOUND;
  /** By engine-numbered remote: the version of its row that this engine's Nic has been told of; -1: none. */
  readonly metRemotes = new Int32Array(MAX_REMOTES - STATIC_REMOTES).fill(-1);
  /** By remote that the control thread has numbered: the header that all frames to it are sent with, or -1: the VLAN's; and its accounts. */
  readonly sentHeader = new Int32Array(STATIC_REMOTES).fill(-1);
  readonly sentCounter = new Int32Array(STATIC_REMOTES);
  /** Coarse clock, in ticks of 100 ms. */
  tick = 0;
  /** What `warmFdb` has read; it means nothing. */
  warmed = 0;
  /** Frames of the switch's own in this batch so far. */
  originated = 0;
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
    readonly punts = new PuntRing(),
    /** Shared by the engines of a switch. */
    readonly neigh = createNeighbours(),
  ) {
    this.rx = nic.rx;
    this.tx = nic.tx;
    this.view = new DataView(nic.arena);
    this.batch = new Batch(nic.rx.length / RX_STRIDE);
  }
}
