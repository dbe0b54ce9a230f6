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
  readonly remotes: RemoteTable;
  readonly fdb: FdbReader;
  /** Ring of FDB change records. */
  readonly events: FdbEvents;
  /** The neighbour table: configured and snooped bindings. */
  readonly neigh: NeighReader;
  /** Punt rings of the engines; the event `punted` announces records. */
  readonly punts: PuntReader;
  private readonly threads: EngineThread[];

  constructor({ workers, fdb: fdbOptions, offloads, busyPoll }: EnginesOptions, events: EngineThreadEvents) {
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
    const shared = { fdb, remotes, storm, neigh, offloads, busyPoll };
    this.threads = counters.map(
      (own, engine) => new EngineThread({ ...shared, engine, counters: own, punts: punts[engine] }, events),
    );
  }

  /** Carries operations out in every engine; engine 0 last, because it writes the shared tables. */
  async apply(operations: Operation[]): Promise<void> {
    for (const thread of [...this.threads].reverse()) await thread.apply(operations);
  }

  async stop(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.stop()));
  }
}
