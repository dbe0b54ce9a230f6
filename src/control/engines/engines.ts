/**
 * The engines of a switch: one thread for each worker, sharing one FDB and one table of remotes.
 */
import type { OffloadConfig } from '../../config/types.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { CounterReader, Counters, MAX_PORTS } from '../../dataplane/state/counters.js';
import { DropReader, DropRing } from '../../dataplane/state/drop-ring.js';
import { FloodBudget } from '../../dataplane/state/flood-budget.js';
import { flowMemory, FlowReader } from '../../dataplane/state/flows.js';
import { MAX_BRIDGES } from '../../dataplane/state/forwarding.js';
import { type ObserverSettings, observerMemory } from '../../dataplane/state/observer.js';
import { ObserverReader } from '../../dataplane/state/observer-reader.js';
import { PortStates } from '../../dataplane/state/port-states.js';
import { SAMPLER_WORDS } from '../../dataplane/state/sampler.js';
import { PuntReader, PuntRing } from '../../dataplane/state/punt-ring.js';
import { Policers } from '../../dataplane/state/policers.js';
import { StormControl } from '../../dataplane/state/storm.js';
import { createRemotes, type RemoteTable } from '../../encap/remotes.js';
import { FdbEvents } from '../../fdb/events.js';
import { createFdb, Fdb, type FdbOptions, FdbReader } from '../../fdb/table.js';
import { createNeighbours, NEIGH_CAPACITY, Neighbours, NeighReader, PEER_BINDINGS } from '../../neigh/table.js';
import type { OwnFrame } from '../../dataplane/send.js';
import { ALL_FLOWS } from '../../port/flow-table.js';
import { type FlowMaps, flowTable, settleFlows } from '../../port/native-flow-table.js';
import type { Injection } from '../../port/packet-io.js';
import { createWake, type Wake } from '../../port/wake.js';
import { DatagramRing } from '../../shared-memory/datagram-ring.js';
import { Shadow } from '../shadow/shadow.js';
import { EngineThread, type EngineThreadEvents } from './engine-thread.js';

export interface EnginesOptions {
  workers: number;
  fdb: FdbOptions;
  offloads: OffloadConfig;
  busyPoll: number | 'auto';
  /** The maps of known flows; absent: none are carried outside of the engines. */
  flows?: FlowMaps | null;
  /** They begin standing still, until `goOn`. Default false. */
  held?: boolean;
}

/** What a switch writes that goes on from another one. */
export interface Legacy {
  fdb: Fdb;
  neigh: Neighbours;
  counters: Counters;
  storm: StormControl;
  /** Of each engine. */
  budgets: FloodBudget[];
}

export class Engines {
  readonly counters: CounterReader;
  readonly remotes: RemoteTable;
  readonly fdb: FdbReader;
  /** Ring of FDB change records. */
  readonly events: FdbEvents;
  /** The neighbour table: configured and snooped bindings. */
  readonly neigh: NeighReader;
  /** Punt rings of the engines; the event `punted` announces records. */
  readonly punts: PuntReader;
  /** Which ports loops close. Only the control thread writes. */
  readonly states = new PortStates();
  /** The last dropped frames. */
  readonly drops: DropReader;
  /** What the engines write, for what another switch has left, and for the next one; to write it they must stand still. */
  readonly legacy: Legacy;
  /** One more reader of the FDB's changes, from now on. */
  readonly readEvents: () => FdbEvents;
  /** What the liveness thread reads: a ring of each engine, and the descriptor that wakes it. */
  readonly liveness: { rings: readonly SharedArrayBuffer[]; wake: Wake };
  /** Says what the engines would do with a frame. */
  readonly shadow: Shadow;
  /** Known flows that are carried by the kernel; null: none ever are. */
  readonly flows: FlowReader | null;
  private readonly threads: EngineThread[];

  constructor(
    { workers, fdb: fdbOptions, offloads, busyPoll, flows = null, held = false }: EnginesOptions,
    events: EngineThreadEvents,
  ) {
    const fdb = createFdb({ ...fdbOptions, owners: MAX_PORTS, groups: MAX_BRIDGES }).memory;
    this.remotes = createRemotes(fdbOptions.seed);
    const remotes = this.remotes.memory;
    this.fdb = new FdbReader(fdb);
    this.events = FdbEvents.attach(fdb);
    this.readEvents = () => FdbEvents.attach(fdb);
    const counters = Array.from({ length: workers }, () => new Counters().memory);
    this.counters = new CounterReader(counters);
    const punts = counters.map(() => new PuntRing().memory);
    this.punts = new PuntReader(punts);
    const drops = counters.map(() => new DropRing().memory);
    this.drops = new DropReader(drops);
    const storm = new StormControl().memory;
    const police = new Policers().memory;
    const neigh = createNeighbours({
      capacity: NEIGH_CAPACITY + PEER_BINDINGS,
      ports: MAX_PORTS,
      seed: fdbOptions.seed,
    }).memory;
    this.neigh = new NeighReader(neigh);
    const budgets = counters.map(() => new FloodBudget().memory);
    this.legacy = {
      fdb: Fdb.attach(fdb),
      neigh: Neighbours.attach(neigh),
      counters: new Counters(counters[0]),
      storm: new StormControl(storm),
      budgets: budgets.map((memory) => new FloodBudget(memory)),
    };
    this.shadow = new Shadow({ fdb, neigh, remotes, storm, police, budget: budgets[0], states: this.states.memory });
    this.liveness = { rings: counters.map(() => new DatagramRing().memory), wake: createWake() };
    const rows = counters.map(() => flowMemory());
    this.flows = flows === null ? null : new FlowReader(rows);
    if (flows !== null) {
      const table = flowTable(flows, 0);
      this.states.changed = () => table.touch(ALL_FLOWS);
    }
    const livenessFd = this.liveness.wake.fd;
    const shared = {
      fdb,
      remotes,
      livenessFd,
      storm,
      police,
      neigh,
      states: this.states.memory,
      offloads,
      busyPoll,
      held,
    };
    this.threads = counters.map(
      (own, engine) =>
        new EngineThread(
          {
            ...shared,
            ...{ counters: own, punts: punts[engine], drops: drops[engine] },
            engine,
            budget: budgets[engine],
            liveness: this.liveness.rings[engine],
            ...(flows === null ? {} : { flows: { maps: flows, rows: rows[engine] } }),
          },
          { ...events, portLost: (port, errno) => this.losePort(port, errno, events) },
        ),
    );
  }

  /** Carries operations out in every engine; engine 0 last, because it writes the shared tables. */
  async apply(operations: Operation[]): Promise<void> {
    const [first, ...others] = this.threads;
    for (const thread of others.reverse()) await thread.apply(operations);
    this.shadow.apply(operations);
    await first.apply(operations);
    // No frame is carried any more by what was decided before.
    if (this.flows !== null) await settleFlows();
  }

  /** Takes in a frame that no device has received, by the first engine. */
  inject(injection: Injection): Promise<void> {
    return this.threads[0].inject(injection);
  }

  /** Sends frames of the control thread out of ports, by the first engine. */
  send(frames: readonly OwnFrame[]): void {
    if (frames.length > 0) this.threads[0].send(frames);
  }

  private losePort(port: number, errno: number, events: EngineThreadEvents): void {
    this.shadow.portLost(port);
    events.portLost(port, errno);
  }

  /** All engines stand still when it resolves: between two batches, with every frame that they took in counted. */
  async hold(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.hold()));
  }

  goOn(): void {
    for (const thread of this.threads) thread.goOn();
  }

  /** Every engine begins to record what it does with frames. @returns the reader of the records */
  observe(settings: ObserverSettings): ObserverReader {
    const memories = this.threads.map(() => observerMemory());
    for (const [engine, thread] of this.threads.entries()) thread.observe(settings, memories[engine]);
    return new ObserverReader(memories);
  }

  /** Every engine records one frame of `interval`. @returns the reader of the records */
  sample(interval: number): ObserverReader {
    const memories = this.threads.map(() => observerMemory(SAMPLER_WORDS));
    for (const [engine, thread] of this.threads.entries()) thread.sample(memories[engine], interval);
    return new ObserverReader(memories);
  }

  /** Ends `sample`. */
  sampleNoMore(): void {
    for (const thread of this.threads) thread.sample(null, 1);
  }

  /** Other settings for `observe`. */
  observeOther(settings: ObserverSettings): void {
    for (const thread of this.threads) thread.observe(settings);
  }

  /** Ends `observe`. */
  observeNoMore(): void {
    for (const thread of this.threads) thread.observe({ ports: null, snaplen: 0 }, null);
  }

  async stop(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.stop()));
    this.liveness.wake.close();
  }
}
