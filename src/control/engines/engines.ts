/**
 * The engines of a switch: as many threads as it has workers, over one FDB and one table of remotes.
 */
import type { OffloadConfig } from '../../config/types.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { CounterReader, Counters, MAX_PORTS } from '../../dataplane/state/counters.js';
import { MAX_BRIDGES } from '../../dataplane/state/forwarding.js';
import { PuntReader, PuntRing } from '../../dataplane/state/punt-ring.js';
import { StormControl } from '../../dataplane/state/storm.js';
import { RemoteTable } from '../../encap/remotes.js';
import { FdbEvents } from '../../fdb/events.js';
import { createFdb, type FdbOptions, FdbReader } from '../../fdb/table.js';
import { createNeighbours, NeighReader } from '../../neigh/table.js';
import { EngineThread, type EngineThreadEvents } from './engine-thread.js';

export interface EnginesOptions {
  workers: number;
  fdb: FdbOptions;
  offloads: OffloadConfig;
  busyPoll: number;
}

export class Engines {
  readonly counters: CounterReader;
  readonly remotes = new RemoteTable();
  readonly fdb: FdbReader;
  /** What happens to its entries. */
  readonly events: FdbEvents;
  /** Who has which address, as far as it was put in or heard. */
  readonly neigh: NeighReader;
  /** Frames that the engines have handed over; the event `punted` says when to look. */
  readonly punts: PuntReader;
  private readonly threads: EngineThread[];

  constructor({ workers, fdb: fdbOptions, offloads, busyPoll }: EnginesOptions, events: EngineThreadEvents) {
    const fdb = createFdb({ ...fdbOptions, owners: MAX_PORTS, groups: MAX_BRIDGES }).memory;
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
    const shared = { fdb, remotes, storm, neigh, offloads, busyPoll };
    this.threads = counters.map(
      (own, engine) => new EngineThread({ ...shared, engine, counters: own, punts: punts[engine] }, events),
    );
  }

  /** Carries operations out in every engine; the first one last, since it writes what all of them read. */
  async apply(operations: Operation[]): Promise<void> {
    for (const thread of [...this.threads].reverse()) await thread.apply(operations);
  }

  async stop(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.stop()));
  }
}
