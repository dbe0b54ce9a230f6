/**
 * The engines of a switch: one thread for each worker, sharing one FDB and one table of remotes.
 */
import type { OffloadConfig } from '../../config/types.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { CounterReader, Counters, MAX_PORTS } from '../../dataplane/state/counters.js';
import { MAX_BRIDGES } from '../../dataplane/state/forwarding.js';
import { PuntReader, PuntRing } from '../../dataplane/state/punt-ring.js';
import { StormControl } from '../../dataplane/state/storm.js';
import { createRemotes, type RemoteTable } from '../../encap/remotes.js';
import { FdbEvents } from '../../fdb/events.js';
import { createFdb, Fdb, type FdbOptions, FdbReader } from '../../fdb/table.js';
import { createNeighbours, NeighReader, Neighbours } from '../../neigh/table.js';
import { EngineThread, type EngineThreadEvents } from './engine-thread.js';

export interface EnginesOptions {
  workers: number;
  fdb: FdbOptions;
  offloads: OffloadConfig;
  busyPoll: number;
  /** They begin standing still, until `goOn`. Default false. */
  held?: boolean;
}

/** What a switch writes that goes on from another one. */
export interface Legacy {
  fdb: Fdb;
  neigh: Neighbours;
  counters: Counters;
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
  /** The tables and counters that engine 0 writes, for what another switch has left; the engines must stand still. */
  readonly legacy: Legacy;
  private readonly threads: EngineThread[];

  constructor(
    { workers, fdb: fdbOptions, offloads, busyPoll, held = false }: EnginesOptions,
    events: EngineThreadEvents,
  ) {
    const fdb = createFdb({ ...fdbOptions, owners: MAX_PORTS, groups: MAX_BRIDGES }).memory;
    this.remotes = createRemotes(fdbOptions.seed);
    const remotes = this.remotes.memory;
    this.fdb = new FdbReader(fdb);
    this.events = FdbEvents.attach(fdb);
    const counters = Array.from({ length: workers }, () => new Counters().memory);
    this.counters = new CounterReader(counters);
    const punts = counters.map(() => new PuntRing().memory);
    this.punts = new PuntReader(punts);
    const storm = new StormControl().memory;
    const neigh = createNeighbours({ ports: MAX_PORTS, seed: fdbOptions.seed }).memory;
    this.neigh = new NeighReader(neigh);
    this.legacy = { fdb: Fdb.attach(fdb), neigh: Neighbours.attach(neigh), counters: new Counters(counters[0]) };
    const shared = { fdb, remotes, storm, neigh, offloads, busyPoll, held };
    this.threads = counters.map(
      (own, engine) => new EngineThread({ ...shared, engine, counters: own, punts: punts[engine] }, events),
    );
  }

  /** Carries operations out in every engine; engine 0 last, because it writes the shared tables. */
  async apply(operations: Operation[]): Promise<void> {
    for (const thread of [...this.threads].reverse()) await thread.apply(operations);
  }

  /** All engines stand still when it resolves: between two batches, with every frame that they took in counted. */
  async hold(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.hold()));
  }

  goOn(): void {
    for (const thread of this.threads) thread.goOn();
  }

  async stop(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.stop()));
  }
}
