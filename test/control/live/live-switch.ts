/**
 * A whole switch in one process without devices, for tests: control as assembled by `switch.ts`, over engines in this thread,
 * on in-memory PacketIos, with a clock moved by the test. Only devices and threads are replaced.
 */
import { vi } from 'vitest';

/** Every NIC is up, and otherwise what the switch has put on it: there is no kernel to ask. */
vi.mock('../../../src/port/tap.js', async (original) => ({
  ...(await original<typeof import('../../../src/port/tap.js')>()),
  tapState: () => ({ up: true }),
}));

import type { FdbRow, MdbAnswer, StatsAnswer } from '../../../src/api/api.js';
import type { Document } from '../../../src/config/edit/tree.js';
import { checkDocument } from '../../../src/config/load.js';
import { EventFeed } from '../../../src/control/events/event-feed.js';
import type { SwitchModel } from '../../../src/control/model/model.js';
import { Transition } from '../../../src/control/model/transition.js';
import { Reconciler } from '../../../src/control/reconcile/reconcile.js';
import { ConfiguredStates } from '../../../src/control/loops/configured-states.js';
import { PortClosing } from '../../../src/control/loops/port-closing.js';
import { LiveControl, type LiveParts } from '../../../src/control/requests/live-control.js';
import type { PeerParts } from '../../../src/control/peers/peer-control.js';
import { MulticastControl } from '../../../src/control/tables/multicast-control.js';
import { NeighTable } from '../../../src/control/tables/neigh-table.js';
import { type Sources, viewFdb, viewLinks, viewStats } from '../../../src/control/views/views.js';
import { viewVlans } from '../../../src/control/views/vlans.js';
import { Engine } from '../../../src/dataplane/engine.js';
import { applyOperations, type Operation } from '../../../src/dataplane/operations/operations.js';
import { Context } from '../../../src/dataplane/state/context.js';
import { CounterReader, Counters, MAX_PORTS } from '../../../src/dataplane/state/counters.js';
import { MAX_BRIDGES } from '../../../src/dataplane/state/forwarding.js';
import { PuntReader, PuntRing } from '../../../src/dataplane/state/punt-ring.js';
import { OPEN, PortStates } from '../../../src/dataplane/state/port-states.js';
import { Policers } from '../../../src/dataplane/state/policers.js';
import { StormControl } from '../../../src/dataplane/state/storm.js';
import { createRemotes, RemoteTable } from '../../../src/encap/remotes.js';
import { createFdb, Fdb, FdbEvents, FdbReader } from '../../../src/fdb/table.js';
import { createNeighbours, Neighbours, NeighReader } from '../../../src/neigh/table.js';
import { KIND_FRAME, KIND_UDP } from '../../../src/port/packet-io.js';
import { viewOf } from '../../../src/wire/bytes.js';
import { formatAddress, parseAddress } from '../../../src/wire/ip-address.js';
import { VXLAN_HEADER, vni, writeVxlanHeader } from '../../../src/wire/vxlan.js';
import { DevicePacketIo, FakeDevices } from './live-devices.js';

/** Entries of the FDB: what every document of these tests says as `fdb_size`. */
export const FDB_SIZE = 128;

/** Something that left the switch. */
export interface Left {
  /** `t1`, or `v1>192.0.2.1 vni 10`, with the UDP port where it is given. */
  to: string;
  frame: Uint8Array;
}

export interface LiveOptions {
  /** Engines. Default 1. */
  workers?: number;
  /** Entries of the FDB's memory; default FDB_SIZE. What documents say is not touched by it. */
  fdbCapacity?: number;
  /** Ports whose devices are not there at the start. */
  absent?: ReadonlySet<string>;
  /** Clock of the multicast database, in milliseconds; absent: that of the process. */
  groupClock?: () => number;
  /** Makes the part that has the rows of sources of peers; absent: there is none. */
  peers?: (parts: Omit<PeerParts, 'bindings' | 'isOwn'>) => NonNullable<LiveParts['peers']>;
}

/** The engines of a switch, carried by the thread that asks. */
class Engines {
  readonly fdb: FdbReader;
  readonly events: FdbEvents;
  readonly remotes = createRemotes();
  readonly counters: CounterReader;
  readonly punts: PuntReader;
  readonly neigh: NeighReader;
  readonly states: PortStates;
  readonly each: { engine: Engine; io: DevicePacketIo; context: Context }[];
  /** Every list that was carried out. */
  readonly lists: Operation[][] = [];

  private constructor(devices: FakeDevices, workers: number, capacity: number) {
    const memory = createFdb({ capacity, seed: 1, owners: MAX_PORTS, groups: MAX_BRIDGES, events: 1024 }).memory;
    const storm = new StormControl().memory;
    const police = new Policers().memory;
    const counters = Array.from({ length: workers }, () => new Counters().memory);
    const punts = counters.map(() => new PuntRing().memory);
    this.states = new PortStates();
    this.fdb = new FdbReader(memory);
    const neighbours = createNeighbours({ ports: MAX_PORTS, seed: 1 }).memory;
    this.neigh = new NeighReader(neighbours);
    this.events = FdbEvents.attach(memory);
    this.counters = new CounterReader(counters);
    this.punts = new PuntReader(punts);
    this.each = counters.map((own, number) => {
      const io = new DevicePacketIo(devices);
      const context = new Context(
        io,
        Fdb.attach(memory),
        new RemoteTable(this.remotes.memory),
        new Counters(own),
        number,
        new StormControl(storm),
        new PuntRing(punts[number]),
        Neighbours.attach(neighbours),
        undefined,
        undefined,
        undefined,
        new PortStates(this.states.memory),
        new Policers(police),
      );
      const ignore = (): void => undefined;
      const engine = new Engine(context, {
        rung: ignore,
        portLost: ignore,
        offloadLost: ignore,
        punted: ignore,
        tooBig: ignore,
      });
      engine.turn(0); // the clock starts with the first turn
      return { engine, io, context };
    });
  }

  /** Engines that a switch has left as it found them, by what they are: made once, since their tables are large. */
  private static readonly free = new Map<string, Engines[]>();

  static take(devices: FakeDevices, workers: number, capacity: number): Engines {
    const engines = Engines.free.get(`${workers} ${capacity}`)?.pop();
    if (engines === undefined) return new Engines(devices, workers, capacity);
    for (const { io } of engines.each) io.devices = devices;
    engines.lists.length = 0;
    for (let port = 0; port < MAX_PORTS; port++) engines.states.set(port, OPEN);
    return engines;
  }

  give(): void {
    const key = `${this.each.length} ${this.fdb.capacity}`;
    Engines.free.set(key, [...(Engines.free.get(key) ?? []), this]);
  }

  /** As the threads do it: the first one last. */
  async apply(operations: Operation[]): Promise<void> {
    this.lists.push(operations);
    for (const { context } of [...this.each].reverse()) applyOperations(context, operations);
  }
}

export class LiveSwitch {
  readonly devices: FakeDevices;
  readonly reconciler: Reconciler;
  readonly controls: LiveControl;
  readonly neigh: NeighTable;
  readonly engines: Engines;
  readonly workers: number;
  /** Set when engines and model have come apart. */
  broken: Error | null = null;
  readonly feed: EventFeed;
  private readonly multicast: MulticastControl;
  private readonly sources: Sources;

  private constructor(document: Document, { workers = 1, fdbCapacity = FDB_SIZE, groupClock, peers }: LiveOptions) {
    const { config } = checkDocument(document, { hostname: () => 'live' });
    this.workers = workers;
    this.devices = new FakeDevices(workers);
    this.engines = Engines.take(this.devices, workers, fdbCapacity);
    this.reconciler = new Reconciler({ ...config, bridges: [], ports: [] }, this.devices);
    const { model } = this.reconciler;
    const { counters, events, fdb, remotes } = this.engines;
    this.sources = { model, counters, remotes, fdb };
    this.feed = new EventFeed({ model, remotes, events, moved: () => fdb.counters().moved });
    const remotesAt = (port: number, address: string): number[] => this.numbersOf(port, address);
    this.neigh = new NeighTable({ model, neigh: this.engines.neigh, tick: () => counters.tick });
    this.multicast = new MulticastControl({
      model,
      remotes,
      remotesAt,
      vteps: this.reconciler.entries.vteps,
      tunnelGroups: this.reconciler.entries.tunnelGroups,
      tell: (event) => this.feed.tell(event),
      macOf: () => '02:00:00:00:00:99',
      ...(groupClock === undefined ? {} : { now: groupClock }),
      carryOut: (operations) => {
        void this.controls.own(() => {
          const change = new Transition();
          change.entries.push(...operations());
          return change;
        });
      },
    });
    this.sources.multicast = this.multicast;
    this.controls = new LiveControl(document, {
      reconciler: this.reconciler,
      engines: this.engines,
      tables: {
        model,
        entries: this.reconciler.entries,
        fdb,
        remotesAt,
        udpPortOf: (remote) => remotes.udpPort(remote),
      },
      neigh: this.neigh,
      ...(peers === undefined
        ? {}
        : {
            peers: peers({
              model,
              entries: this.reconciler.entries,
              finish: (change) => this.reconciler.finishEntries(change),
              own: (operations) => this.controls.own(operations),
            }),
          }),
      multicast: this.multicast,
      trees: { follow: () => undefined },
      states: new ConfiguredStates(model, new PortClosing(this.engines.states)),
      feed: this.feed,
      observation: { subscribe: () => () => undefined, drain: () => undefined, ports: () => [] },
      renumbered: () => undefined,
      broken: (error) => {
        this.broken = error;
      },
    });
  }

  /** Starts a switch with a document, the way `Switch.start` does. @throws ConfigError */
  static async start(document: Document, options: LiveOptions = {}): Promise<LiveSwitch> {
    const live = new LiveSwitch(document, options);
    live.devices.absent = new Set(options.absent);
    await live.controls.start(checkDocument(document, { hostname: () => 'live' }).config);
    return live;
  }

  /** Ends its timers. */
  stop(): void {
    this.feed.stop();
    this.multicast.stop();
  }

  /** Leaves the engines to another switch: nothing is on them any more. */
  recycle(): void {
    this.engines.give();
  }

  get model(): SwitchModel {
    return this.reconciler.model;
  }

  /** What the switch goes by: the very object. */
  get document(): Document {
    return (this.controls as unknown as { document: Document }).document;
  }

  private numbersOf(index: number, address: string): number[] {
    const port = this.model.portAt[index];
    const parsed = parseAddress(address);
    if (port?.kind !== 'vxlan' || parsed === null) return [];
    const vtep = port.vteps.get(address);
    const own = vtep === undefined ? [] : [vtep.home, ...[...vtep.others.values()].map(({ remote }) => remote)];
    const [a0, a1, a2, a3] = parsed.words;
    const found = this.engines.remotes.find(index, a0, a1, a2, a3);
    return [...new Set([...own, ...(found === 0 ? [] : [found])])];
  }

  // ---- What it says

  links(): Record<string, unknown>[] {
    return viewLinks(this.sources);
  }

  /** With all options in force. */
  linkDetails(): Record<string, unknown>[] {
    return viewLinks(this.sources, true);
  }

  vlans(): ReturnType<typeof viewVlans> {
    return viewVlans(this.sources);
  }

  fdb(): FdbRow[] {
    return [...viewFdb(this.sources)].filter((row) => row !== undefined);
  }

  groups(): MdbAnswer {
    return this.multicast.list();
  }

  stats(): StatsAnswer {
    return viewStats(this.sources);
  }

  // ---- Frames and time

  /** Puts a frame into a port's TAP. @returns false when there is no such TAP */
  inject(engine: number, port: string, frame: Uint8Array): boolean {
    const { io } = this.engines.each[engine];
    const index = io.indexOf('tap', port);
    if (index === undefined) return false;
    io.arrive({ kind: KIND_FRAME, index, bytes: frame });
    return true;
  }

  /** Puts a datagram into a receiving socket. @returns false when there is none of that key */
  injectDatagram(engine: number, receiver: string, from: string, payload: Uint8Array): boolean {
    const { io } = this.engines.each[engine];
    const index = io.indexOf('receiver', receiver);
    const address = parseAddress(from);
    if (index === undefined || address === null) return false;
    io.arrive({ kind: KIND_UDP, index, bytes: payload, address: address.words });
    return true;
  }

  /** Puts a frame into a receiving socket of the first engine, as a remote sends it. */
  arrive(receiver: string, from: string, vni: number, frame: Uint8Array): void {
    const payload = new Uint8Array(VXLAN_HEADER + frame.length);
    writeVxlanHeader(viewOf(payload), 0, vni);
    payload.set(frame, VXLAN_HEADER);
    this.injectDatagram(0, receiver, from, payload);
  }

  /** Turns an engine until it has taken in everything. @returns what left it */
  turn(number: number): Left[] {
    const { engine, io } = this.engines.each[number];
    const left: Left[] = [];
    do {
      engine.turn(0);
      for (const departure of io.take()) {
        const port = io.portOf(departure);
        if (departure.kind === KIND_FRAME) {
          left.push({ to: port, frame: departure.bytes });
          continue;
        }
        const remote = io.remotes.get(departure.remote) ?? { address: [0, 0, 0, 0], port: 0 };
        const [a0, a1, a2, a3] = remote.address;
        const address = `${formatAddress(a0, a1, a2, a3)}:${remote.port}`;
        const number = vni(viewOf(departure.bytes), 0);
        left.push({ to: `${port}>${address} vni ${number}`, frame: departure.bytes.subarray(VXLAN_HEADER) });
      }
    } while (io.waiting > 0);
    return left;
  }

  /** Tells subscribers what has happened to entries. */
  drainEvents(): void {
    this.feed.drain();
  }

  /** Lets snooping hear what the engines have handed over. */
  hearPunts(): void {
    this.engines.punts.drain((punt) => this.multicast.hear(punt));
    this.multicast.publish();
  }

  /** Lets the multicast database look at its clock, and the engines do what it says. */
  async tickGroups(): Promise<void> {
    this.multicast.advance();
    // Behind the operations that wait.
    await this.controls.own(() => new Transition());
  }

  /** Lets seconds pass; all entries that are too old are gone then. */
  wait(seconds: number): void {
    for (const { io } of this.engines.each) io.advance(seconds * 1000);
    for (let number = this.engines.each.length - 1; number >= 0; number--) this.turn(number);
  }
}
