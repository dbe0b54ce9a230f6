/**
 * A whole switch in memory: control and data path of `overtap run`, from a configuration, without devices, threads, privileges or a
 * clock of its own. Its owner puts frames in, moves the time, and gets what leaves. The same input gives the same output.
 *
 *   const sw = await MemorySwitch.start(document);
 *   sw.put('tap1', frame);                    // or putDatagram('vxlan0', { from: '192.0.2.2', vni: 100 }, frame)
 *   for (const left of await sw.run()) ...    // what has left by then
 *   await sw.advance(1000);                   // a second passes
 *   sw.stop();
 */
import type { TraceAnswer, TraceRequest } from '../../api/trace.js';
import type { Document } from '../../config/edit/tree.js';
import { checkDocument } from '../../config/load.js';
import { TICK_MS } from '../../dataplane/engine.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { PUNT_BPDU, PUNT_PROBE } from '../../dataplane/state/punt-ring.js';
import type { Departure } from '../../port/memory.js';
import { KIND_FRAME, KIND_UDP, STATUS_NOW } from '../../port/packet-io.js';
import { ETHERNET_HEADER } from '../../wire/ethernet.js';
import { formatAddress, parseAddress } from '../../wire/ip-address.js';
import { viewOf } from '../../wire/bytes.js';
import { VXLAN_HEADER, vni } from '../../wire/vxlan.js';
import { stableMac } from '../devices/stable-mac.js';
import { EventFeed } from '../events/event-feed.js';
import { GUARD_TICK_MS, type Loop } from '../loops/loop-guard.js';
import { LoopControl } from '../loops/loop-control.js';
import { ConfiguredStates } from '../loops/configured-states.js';
import { PortClosing } from '../loops/port-closing.js';
import { isTunnel, type Port, type SwitchModel } from '../model/model.js';
import { Transition } from '../model/transition.js';
import { bridgeOperation } from '../reconcile/bridge-operation.js';
import { Reconciler } from '../reconcile/reconcile.js';
import { remotesOf } from '../reconcile/vteps.js';
import { LiveControl } from '../requests/live-control.js';
import { TREE_TICK_MS, TreeControl, type TreeNotice } from '../spanning-tree/tree-control.js';
import { MulticastControl } from '../tables/multicast-control.js';
import { NeighTable } from '../tables/neigh-table.js';
import { encapsulate } from '../trace/encapsulate.js';
import { traceFrame } from '../trace/trace.js';
import type { Sources } from '../views/views.js';
import { MemoryDevices } from './memory-devices.js';
import { inMemory, type Patches } from './memory-document.js';
import { MemoryEngines } from './memory-engines.js';

/**
 * Steps of the clock, in milliseconds: so long as more than `rest` is left, it moves by `step`. The last half minute is enough for all
 * that ages to be looked at. What is beyond ten minutes is passed over at once.
 */
const STEPS = [
  { rest: 30_000, step: 10_000 },
  { rest: 2000, step: 1000 },
  { rest: 0, step: TICK_MS },
];
const MOST = 600_000;
/** Turns in one call of `run`: frames that circle between patch ports end it. */
const TURNS = 4096;

/** Numbers from 0 to 1, another sequence for each name. */
function sequence(name: string): () => number {
  let state = [...name].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), 1);
  return () => {
    state = Math.imul(state, 1_103_515_245) + 12_345;
    return ((state >>> 8) & 0xffff) / 0x10000;
  };
}

const UNDERLAY_MTU = 1500;

/** virtio-net words of a frame, as in the descriptors of a PacketIo. */
export interface Offload {
  vnet: number;
  gso: number;
  csum: number;
}

/** The outer side of a datagram from a remote. */
export interface Outer {
  from: string;
  vni: number;
  tos?: number;
}

/** A copy that has left. */
export interface Left {
  /** The link: a local port, or the vxlan port. */
  port: string;
  /** The Ethernet frame, as it leaves: behind the VXLAN header where there is one. */
  frame: Uint8Array;
  /** Of a superframe, and of one whose checksum is left to a device. */
  offload?: Offload;
  /** Behind a vxlan port. */
  remote?: { address: string; udpPort: number; vni: number };
}

export interface MemorySwitchOptions {
  /** MTU of every path to a remote. Default 1500. */
  underlayMtu?: number;
  /** Entries of the FDB; default: the document's. */
  fdbSize?: number;
  /** Loop guard acts, and says what it finds here. Default: it does not, so that what leaves is what came in. */
  loops?: (loop: Loop, isThere: boolean) => void;
  /** Spanning trees act, and say what happens to ports here. Default: they do not, and all ports are open. */
  trees?: (notice: TreeNotice) => void;
  /** The process before has its state, which `trees.restore` and `trees.begin` take over. */
  isHeld?: boolean;
}

export class MemorySwitch {
  readonly engines: MemoryEngines;
  readonly controls: LiveControl;
  readonly sources: Sources;
  readonly neigh: NeighTable;
  private readonly feed: EventFeed;
  private readonly multicast: MulticastControl;
  readonly loops: LoopControl | null;
  readonly trees: TreeControl | null;
  /** Changes of the switch's own that are under way. */
  private pending: Promise<void> = Promise.resolve();
  private failure: Error | null = null;

  private constructor(
    document: Document,
    private readonly patches: Patches,
    private readonly underlayMtu: number,
    { fdbSize, loops, trees, isHeld }: MemorySwitchOptions,
  ) {
    const { config } = checkDocument(document);
    this.engines = new MemoryEngines(fdbSize ?? config.fdb_size);
    const devices = new MemoryDevices(config.name, underlayMtu);
    const reconciler = new Reconciler({ ...config, bridges: [], ports: [] }, devices);
    const { model } = reconciler;
    const { counters, events, fdb, remotes } = this.engines;
    this.sources = { model, counters, remotes, fdb };
    const closing = new PortClosing(this.engines.states);
    this.feed = new EventFeed({
      model,
      remotes,
      events,
      moved: () => fdb.counters().moved,
      met: (bridge, vid, ports) => this.loops?.moved(bridge, vid, ports),
    });
    this.feed.stop(); // its owner has the clock
    const remotesAt = (port: number, address: string): number[] => this.remotesAt(port, address);
    this.neigh = new NeighTable({ model, neigh: this.engines.neigh, tick: () => counters.tick });
    this.multicast = new MulticastControl({
      model,
      remotes,
      remotesAt,
      vteps: reconciler.entries.vteps,
      tunnelGroups: reconciler.entries.tunnelGroups,
      tell: (event) => this.feed.tell(event),
      carryOut: (operations) => this.carryOut(operations),
      now: () => this.now,
      macOf: (bridge) => stableMac('memory', config.name, '', bridge),
    });
    this.loops = loops === undefined ? null : this.createLoops(loops, closing);
    this.trees = trees === undefined ? null : this.createTrees(trees, closing, isHeld === true);
    if (this.trees !== null) this.sources.trees = this.trees;
    this.controls = new LiveControl(document, {
      reconciler,
      engines: this.engines,
      tables: { model, entries: reconciler.entries, fdb, remotesAt, udpPortOf: (remote) => remotes.udpPort(remote) },
      neigh: this.neigh,
      multicast: this.multicast,
      trees: this.trees ?? { follow: () => undefined },
      states: new ConfiguredStates(model, closing),
      feed: this.feed,
      observation: { subscribe: () => () => undefined, drain: () => undefined, ports: () => [] },
      renumbered: () => undefined,
      broken: (error) => {
        this.failure = error;
      },
    });
  }

  /**
   * @param document a configuration; what is of the host, such as namespaces, is left out
   * @throws ConfigError
   */
  static async start(document: Document, options: MemorySwitchOptions = {}): Promise<MemorySwitch> {
    const { document: own, patches } = inMemory(document);
    const sw = new MemorySwitch(own, patches, options.underlayMtu ?? UNDERLAY_MTU, options);
    await sw.controls.start(checkDocument(own).config);
    await sw.setPathMtus();
    return sw;
  }

  private createTrees(say: (notice: TreeNotice) => void, closing: PortClosing, isHeld: boolean): TreeControl {
    const { model } = this;
    const own = (fill: (change: Transition) => void): void =>
      this.change(() => {
        const change = new Transition();
        fill(change);
        return change;
      });
    return new TreeControl({
      model,
      closing,
      isHeld,
      send: (frames) => this.engines.send(frames),
      flush: (matches) => own(({ flushes }) => void flushes.push(...matches)),
      ageing: (bridge) => own(({ structure }) => void structure.push(bridgeOperation(bridge))),
      macOf: (bridge) => stableMac('memory', model.config.name, '', bridge),
      tell: (event) => this.feed.tell(event),
      say,
      now: () => this.now,
    });
  }

  private createLoops(say: (loop: Loop, isThere: boolean) => void, closing: PortClosing): LoopControl {
    const { counters } = this.engines;
    return new LoopControl({
      model: this.model,
      closing,
      send: (frames) => this.engines.send(frames),
      floods: () => counters.flooded,
      flush: (matches) =>
        this.change(() => {
          const change = new Transition();
          change.flushes.push(...matches);
          return change;
        }),
      tell: (event) => this.feed.tell(event),
      say,
      now: () => this.now,
      random: sequence(this.model.config.name),
    });
  }

  stop(): void {
    this.feed.stop();
    this.multicast.stop();
  }

  get model(): SwitchModel {
    return this.sources.model;
  }

  /** Milliseconds since the start. */
  get now(): number {
    return this.engines.io.status[STATUS_NOW];
  }

  /** Milliseconds since the start, without the bounds of `now`, which wraps after 24 days. */
  elapsed = 0;

  // ---- Frames

  /**
   * Puts a frame into a local port. A layer-3 port takes its IP packet.
   * @returns false without such a port
   */
  put(name: string, frame: Uint8Array, offload?: Offload): boolean {
    const port = this.model.ports.get(name);
    if (port === undefined || isTunnel(port)) return false;
    const bytes = port.kind === 'tun' ? frame.slice().fill(0, 0, ETHERNET_HEADER) : frame;
    this.engines.io.arrive({ kind: KIND_FRAME, index: port.index, bytes, ...offload });
    return true;
  }

  /** Puts a datagram of a remote into the receiving socket of a vxlan port. @returns false without such a port, or address */
  putDatagram(name: string, { from, vni: number, tos }: Outer, frame: Uint8Array): boolean {
    const port = this.model.ports.get(name);
    if (!isTunnel(port)) return false;
    const payload = encapsulate(port.config.type, number, frame);
    return this.putPayload(name, { from, ...(tos === undefined ? {} : { tos }) }, payload);
  }

  /** As `putDatagram`, with the VXLAN header. */
  putPayload(name: string, { from, tos = 0 }: Omit<Outer, 'vni'>, bytes: Uint8Array): boolean {
    const port = this.model.ports.get(name);
    const address = parseAddress(from);
    if (!isTunnel(port) || address === null) return false;
    this.engines.io.arrive({ kind: KIND_UDP, index: port.underlay.socket, bytes, address: address.words, tos });
    return true;
  }

  /** Takes in what was put in, and what comes of it. @returns what has left, in its order @throws Error when frames circle */
  async run(): Promise<Left[]> {
    const { engine, io } = this.engines;
    const left: Left[] = [];
    for (let turns = 0; ; turns++) {
      engine.turn(0);
      await this.hearPunts();
      for (const departure of io.take()) left.push(this.leave(departure));
      if (io.waiting === 0) return left;
      if (turns === TURNS) throw new Error('frames circle between patch ports: there is a loop of bridges');
    }
  }

  private leave(departure: Departure): Left {
    const port = this.model.portAt[departure.cookie] as Port;
    const { bytes, kind, vnet, gso, csum } = departure;
    const offload = vnet === 0 ? {} : { offload: { vnet, gso, csum } };
    if (kind === KIND_FRAME) {
      const peer = this.patches.get(port.name);
      if (peer !== undefined) this.put(peer, bytes, offload.offload);
      return { port: port.name, frame: bytes, ...offload };
    }
    const { address, port: udpPort } = this.engines.io.remotes.get(departure.remote) ?? {
      address: [0, 0, 0, 0],
      port: 0,
    };
    const [a0, a1, a2, a3] = address;
    const remote = { address: formatAddress(a0, a1, a2, a3), udpPort, vni: vni(viewOf(bytes), 0) };
    return { port: port.name, frame: bytes.subarray(VXLAN_HEADER), remote, ...offload };
  }

  /** What the switch would do with a frame. @throws ChangeRefused */
  trace(request: TraceRequest): TraceAnswer {
    const { counters, fdb, neigh, shadow } = this.engines;
    return traceFrame(request, { model: this.model, shadow, counters, fdb, neigh }).answer;
  }

  /** Lets time pass. @returns what has left meanwhile @throws as `run` */
  async advance(ms: number): Promise<Left[]> {
    const { io } = this.engines;
    const left: Left[] = [];
    this.elapsed += ms;
    let rest = ms - this.jump(ms);
    while (rest > 0) {
      const unit = STEPS.find((one) => rest > one.rest)?.step ?? TICK_MS;
      const step = Math.min(rest, unit - (this.now % unit));
      io.advance(step);
      rest -= step;
      if (this.now % TICK_MS !== 0) break;
      this.multicast.advance();
      this.feed.drain();
      if (this.now % GUARD_TICK_MS === 0) this.loops?.tick();
      if (this.now % TREE_TICK_MS === 0) this.trees?.tick();
      await this.pending;
      left.push(...(await this.run()));
    }
    return left;
  }

  /** Of a long time, what is passed over at once. @returns milliseconds */
  private jump(ms: number): number {
    const over = Math.floor((ms - MOST) / TICK_MS) * TICK_MS;
    if (over <= 0) return 0;
    this.engines.io.advance(over);
    return over;
  }

  // ---- Changes of the switch's own

  private async hearPunts(): Promise<void> {
    let heard = false;
    this.engines.punts.drain((punt) => {
      if (punt.kind === PUNT_PROBE) this.loops?.hear(punt);
      else if (punt.kind === PUNT_BPDU) this.trees?.hear(punt);
      else this.multicast.hear(punt);
      heard = true;
    });
    if (!heard) return;
    this.multicast.publish();
    this.trees?.publish();
    await this.pending;
    if (this.failure !== null) throw this.failure;
  }

  private carryOut(operations: () => Operation[]): void {
    this.change(() => {
      const change = new Transition();
      change.entries.push(...operations());
      return change;
    });
  }

  private change(of: () => Transition): void {
    this.pending = this.controls.own(of);
  }

  /** As the MTU watch does for the paths of the underlay. */
  private setPathMtus(): Promise<void> {
    const remotes = [...this.model.ports.values()].filter(isTunnel).flatMap((port) => [...remotesOf(port)]);
    return this.controls.own(() => {
      const change = new Transition();
      for (const [remote] of remotes) change.structure.push({ op: 'remote-mtu', remote, mtu: this.underlayMtu });
      return change;
    });
  }

  private remotesAt(index: number, address: string): number[] {
    const port = this.model.portAt[index];
    const parsed = parseAddress(address);
    if (!isTunnel(port) || parsed === null) return [];
    const vtep = port.vteps.get(address);
    const own = vtep === undefined ? [] : [vtep.home, ...[...vtep.others.values()].map(({ remote }) => remote)];
    const [a0, a1, a2, a3] = parsed.words;
    const found = this.engines.remotes.find(index, a0, a1, a2, a3);
    return [...new Set([...own, ...(found === 0 ? [] : [found])])];
  }
}
