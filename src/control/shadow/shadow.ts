/**
 * The shadow of a running switch: what it would do with a frame, by the data path's own functions, while nothing of it changes.
 *
 * The shadow is as one more engine, in the control thread, to which no frame comes. It carries out every list of operations as the
 * others do, so its forwarding state is theirs, index by index. Tables that engines share are read where they are, and decided upon
 * by copies of single rows; limits by copies of their buckets. Its PacketIo is in memory.
 *
 * What it cannot know: the millisecond within a tick, by which limits of ports are filled; what becomes of a copy in a device or on the network, the packets that wait in an engine for the MAC of their
 * next hop, and which of several engines would receive the frame: budgets for floods are those of the first one.
 */
import { processBatch, TICK_MS } from '../../dataplane/engine.js';
import { ORIGINATED_ROOM } from '../../dataplane/egress/originate.js';
import { chooseWay } from '../../dataplane/routing/next.js';
import { routeWaiting } from '../../dataplane/routing/route.js';
import { applyOperations, type Operation } from '../../dataplane/operations/operations.js';
import { Context } from '../../dataplane/state/context.js';
import { MAX_PORTS, MAX_VNIS } from '../../dataplane/state/counters.js';
import { DropRing } from '../../dataplane/state/drop-ring.js';
import { MIRROR, UP } from '../../dataplane/state/forwarding.js';
import { PortStates } from '../../dataplane/state/port-states.js';
import { NO_ROUTE, WAY_WORDS } from '../../dataplane/state/routes.js';
import { FdbReader } from '../../fdb/table.js';
import { NeighReader } from '../../neigh/table.js';
import { type Arrival, type Departure, MemoryPacketIo } from '../../port/memory.js';
import { LONGEST_FRAME, RX_INDEX, RX_OFFSET, STATUS_NOW } from '../../port/packet-io.js';
import { ETHERNET_HEADER, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../../wire/ethernet.js';
import { setMapped } from '../../wire/ip-address.js';
import { IPV4_HEADER, ipv4Destination } from '../../wire/ipv4.js';
import { IPV6_HEADER, ipv6Destination } from '../../wire/ipv6.js';
import { VXLAN_HEADER } from '../../wire/vxlan.js';
import { type Fact, Recorder, type Words } from './facts.js';
import { ShadowFdb } from './shadow-fdb.js';
import { ShadowBudget, ShadowCounters, ShadowMisses, ShadowPolice, ShadowPunts, ShadowStorm } from './shadow-limits.js';
import { ShadowNeigh } from './shadow-neigh.js';
import { ShadowRemotes } from './shadow-remotes.js';

/** Any number that is not that of engine 0, which alone writes to shared memory. */
const SHADOW_ENGINE = 0xff;
/** Room for the longest frame and its alignment. */
const FRAME_BYTES = LONGEST_FRAME + 4096;

/** The memory that the engines of a switch share. */
export interface SharedTables {
  fdb: SharedArrayBuffer;
  neigh: SharedArrayBuffer;
  remotes: SharedArrayBuffer;
  storm: SharedArrayBuffer;
  police: SharedArrayBuffer;
  /** The flood budget of the first engine. */
  budget: SharedArrayBuffer;
  /** Which ports loops close. */
  states: SharedArrayBuffer;
}

/** What the switch would do with a frame. */
export interface Shadowed {
  facts: readonly Fact[];
  /** Copies and answers, in their order. */
  departures: readonly Departure[];
  /** The state that decided, with the frame in row 0 of its batch; valid until the next call. */
  context: Context;
}

/** What the router of the shadow would do with the packet that a gateway has taken, and then the bridge with the frame that it becomes. */
export interface Routed extends Shadowed {
  /** The gateway that had the packet. */
  gateway: number;
  /** What was looked up; null: the packet is no IP packet. */
  route: {
    vrf: number;
    destination: Words;
    length: number;
    kind: number;
    ways: readonly Int32Array[];
    /** Index of the way that the flow takes; -1: none is up, or there are none. */
    chosen: number;
  } | null;
  /** Met before the packet was a frame again. */
  before: readonly Fact[];
  /** Arena offset of the Ethernet header of that frame, as the bridge gets it; -1: there is none. */
  frame: number;
  /** The gateway by which it leaves. */
  by: number;
  /** It is what the gateway itself says: an answer, or an error about the packet. */
  isOwn: boolean;
  isHeld: boolean;
}

export class Shadow {
  readonly context: Context;
  private readonly recorder = new Recorder();
  private readonly io: MemoryPacketIo;
  private readonly fdb: ShadowFdb;
  private readonly neigh: ShadowNeigh;
  private readonly remotes: ShadowRemotes;
  private readonly storm: ShadowStorm;
  private readonly budget: ShadowBudget;
  private readonly police: ShadowPolice;

  constructor(tables: SharedTables) {
    const { recorder } = this;
    this.io = new MemoryPacketIo({
      maxFrames: 1,
      headerBytes: MAX_VNIS * VXLAN_HEADER + ORIGINATED_ROOM,
      frameBytes: FRAME_BYTES,
    });
    this.fdb = new ShadowFdb(new FdbReader(tables.fdb), tables.fdb, recorder);
    this.neigh = new ShadowNeigh(new NeighReader(tables.neigh), tables.neigh, MAX_PORTS, recorder);
    this.remotes = new ShadowRemotes(tables.remotes, recorder);
    this.storm = new ShadowStorm(tables.storm, recorder);
    this.budget = new ShadowBudget(tables.budget, recorder);
    this.police = new ShadowPolice(tables.police, recorder);
    const counters = new ShadowCounters(recorder);
    this.context = new Context(
      this.io,
      this.fdb,
      this.remotes,
      counters,
      SHADOW_ENGINE,
      this.storm,
      new ShadowPunts(recorder),
      this.neigh,
      new DropRing(),
      this.budget,
      new ShadowMisses(),
      new PortStates(tables.states),
      this.police,
    );
    counters.sent = () => this.io.departures.length + this.context.commands;
  }

  /** Carries out what every engine does, before engine 0: by then rows that a removal names are still in the tables. */
  apply(operations: readonly Operation[]): void {
    this.fdb.begin();
    applyOperations(this.context, operations);
  }

  /** The engines have found the device of a port gone. */
  portLost(port: number): void {
    this.context.forwarding.portGone[port] = 1;
    this.context.forwarding.portFlags[port] &= ~(UP | MIRROR);
  }

  /** @param tick the engines' clock */
  run(arrival: Arrival, tick: number): Shadowed {
    const { context, io, recorder } = this;
    this.begin(tick);
    io.take();
    io.arrive(arrival);
    context.forwarding.adoptStates(context.states);
    processBatch(context, io.receive(0));
    this.forgetHeld();
    return { facts: recorder.facts, departures: io.take(), context };
  }

  /**
   * Goes on with what a gateway has taken in `run`, or in the round before.
   * @param round from 0 @returns null when nothing is left
   */
  routeOn(round: number): Routed | null {
    const { context, io, recorder } = this;
    const { gateways, layer3 } = context;
    if (gateways.count === 0) return null;
    const gateway = gateways.port[0];
    recorder.facts = [];
    const route = this.lookUp(gateway, gateways.l3[0], gateways.end[0]);
    const frames = routeWaiting(context, round);
    const before = recorder.facts;
    recorder.facts = [];
    const at = frames === 0 ? -1 : context.rx[RX_OFFSET];
    const by = frames === 0 ? gateway : context.rx[RX_INDEX];
    const isHeld = layer3.heldFor.some((ask) => ask >= 0);
    // Row 0 is the packet itself, unless it was dropped: then it is the error about it.
    const isOwn = frames > 0 && (gateways.own[0] !== 0 || at + ETHERNET_HEADER !== gateways.l3[0]);
    if (frames > 0) processBatch(context, frames);
    this.forgetHeld();
    const parts = { gateway, route, before, frame: at, by, isOwn, isHeld };
    return { ...parts, facts: recorder.facts, departures: io.take(), context };
  }

  /** The route of an IP packet that a gateway has. */
  private lookUp(gateway: number, l3: number, end: number): Routed['route'] {
    const { gateways, view } = this.context;
    const type = view.getUint16(l3 - 2);
    const isV4 = type === ETHERTYPE_IPV4;
    if ((!isV4 && type !== ETHERTYPE_IPV6) || end - l3 < (isV4 ? IPV4_HEADER : IPV6_HEADER)) return null;
    const words = new Int32Array(4);
    if (isV4) setMapped(words, 0, ipv4Destination(view, l3));
    else for (let word = 0; word < 4; word++) words[word] = ipv6Destination(view, l3, word);
    const vrf = gateways.vrf[gateway];
    const length = gateways.routes.lookup(vrf, words, 0);
    const { kind, ways } = gateways.routes;
    const list = length === NO_ROUTE ? [] : Array.from({ length: ways.length / WAY_WORDS }, (_, way) => way);
    return {
      ...{ vrf, length, kind, destination: [words[0], words[1], words[2], words[3]] },
      chosen: length === NO_ROUTE || ways.length === 0 ? -1 : chooseWay(this.context, l3, end, ways) / WAY_WORDS,
      ways: list.map((way) => ways.slice(way * WAY_WORDS, (way + 1) * WAY_WORDS)),
    };
  }

  private begin(tick: number): void {
    this.recorder.facts = [];
    this.context.gateways.count = 0;
    this.context.gateways.errors = 0;
    this.fdb.begin();
    this.neigh.begin();
    this.remotes.begin();
    this.storm.begin();
    this.police.begin();
    this.budget.begin((tick * TICK_MS) & 0x7fffffff);
    this.context.tick = tick;
    this.io.status[STATUS_NOW] = (tick * TICK_MS) & 0x7fffffff;
  }

  /** Packets that would wait, and questions for MACs, last for one frame. */
  private forgetHeld(): void {
    const { layer3 } = this.context;
    layer3.asks.fill(-1);
    layer3.heldFor.fill(-1);
    layer3.askCount = 0;
    layer3.isDue = false;
  }
}
