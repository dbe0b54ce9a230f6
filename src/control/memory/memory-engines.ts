/**
 * The engine of a switch in memory: carried by the thread that asks, over a PacketIo in memory, with a clock that its owner moves.
 */
import { Engine } from '../../dataplane/engine.js';
import { ORIGINATED_ROOM } from '../../dataplane/egress/originate.js';
import { applyOperations, type Operation } from '../../dataplane/operations/operations.js';
import { type OwnFrame, sendFrames } from '../../dataplane/send.js';
import { Context } from '../../dataplane/state/context.js';
import { CounterReader, Counters, MAX_PORTS, MAX_VNIS } from '../../dataplane/state/counters.js';
import { DropRing } from '../../dataplane/state/drop-ring.js';
import { FloodBudget } from '../../dataplane/state/flood-budget.js';
import { MAX_BRIDGES } from '../../dataplane/state/forwarding.js';
import { PortStates } from '../../dataplane/state/port-states.js';
import { PuntReader, PuntRing } from '../../dataplane/state/punt-ring.js';
import { StormControl } from '../../dataplane/state/storm.js';
import { createRemotes } from '../../encap/remotes.js';
import { createFdb, FdbEvents, FdbReader } from '../../fdb/table.js';
import { createNeighbours, NeighReader } from '../../neigh/table.js';
import { MemoryPacketIo } from '../../port/memory.js';
import { LONGEST_FRAME } from '../../port/packet-io.js';
import { VXLAN_HEADER } from '../../wire/vxlan.js';
import { Shadow } from '../shadow/shadow.js';

/** Frames of a batch: one at a time, as a capture has them. */
const FRAMES = 64;
const EVENTS = 1024;

export class MemoryEngines {
  readonly io = new MemoryPacketIo({
    maxFrames: FRAMES,
    headerBytes: MAX_VNIS * VXLAN_HEADER + ORIGINATED_ROOM,
    frameBytes: 4 * LONGEST_FRAME,
  });
  readonly engine: Engine;
  readonly context: Context;
  readonly fdb: FdbReader;
  readonly events: FdbEvents;
  readonly neigh: NeighReader;
  readonly remotes = createRemotes();
  readonly counters: CounterReader;
  readonly punts: PuntReader;
  readonly shadow: Shadow;
  readonly states = new PortStates();

  /** @param fdbSize entries of the FDB */
  constructor(fdbSize: number) {
    const fdb = createFdb({ capacity: fdbSize, owners: MAX_PORTS, groups: MAX_BRIDGES, events: EVENTS });
    const neigh = createNeighbours({ ports: MAX_PORTS });
    const [counters, punts, storm, budget] = [new Counters(), new PuntRing(), new StormControl(), new FloodBudget()];
    this.context = new Context(
      this.io,
      fdb,
      this.remotes,
      counters,
      0,
      storm,
      punts,
      neigh,
      new DropRing(),
      budget,
      undefined,
      this.states,
    );
    const ignore = (): void => undefined;
    const events = { rung: ignore, portLost: ignore, offloadLost: ignore, punted: ignore, tooBig: ignore };
    this.engine = new Engine(this.context, events);
    this.fdb = new FdbReader(fdb.memory);
    this.events = FdbEvents.attach(fdb.memory);
    this.neigh = new NeighReader(neigh.memory);
    this.counters = new CounterReader([counters.memory]);
    this.punts = new PuntReader([punts.memory]);
    this.shadow = new Shadow({
      fdb: fdb.memory,
      neigh: neigh.memory,
      remotes: this.remotes.memory,
      storm: storm.memory,
      police: this.context.policers.memory,
      budget: budget.memory,
      states: this.states.memory,
    });
    this.engine.turn(0); // the clock starts with the first turn
  }

  /** Sends frames of the control thread out of ports. */
  send(frames: readonly OwnFrame[]): void {
    sendFrames(this.context, frames);
  }

  async apply(operations: Operation[]): Promise<void> {
    this.shadow.apply(operations);
    applyOperations(this.context, operations);
  }
}
