/**
 * Removes VTEPs learned by ports with `accept_vteps: any`, to make room for new ones.
 *
 *   each minute   unused VTEPs: not the destination of an FDB entry or a permanent group member, and without received
 *                 datagrams for two rounds
 *   each second   at three quarters of the limit of a port or network (`introductions.ts`): the most idle VTEPs, down to half,
 *                 with their FDB entries. VTEPs with few frames, as forged sources have, are removed first, after five idle
 *                 seconds; others after a minute. Permanent group members stay.
 */
import type { CounterReader } from '../../dataplane/state/counters.js';
import { destinationRemote } from '../../dataplane/state/destination.js';
import { MET_OF_NETWORK, MET_OF_PORT } from '../../encap/introductions.js';
import type { RemoteTable } from '../../encap/remotes.js';
import type { FdbReader } from '../../fdb/table.js';
import { every } from '../guard.js';
import { isTunnel, type SwitchModel } from '../model/model.js';
import { type Departure, Transition } from '../model/transition.js';

const ROUND_MS = 60_000;
const RELIEF_MS = 1000;
/** Most frames of a VTEP that may be a forged source, and its idle time limit in ticks. */
const FEW = 4;
const FEW_IDLE_TICKS = 50;
/** Idle time limit of all others. */
const IDLE_TICKS = 600;
/** Most VTEPs removed in one round: their entries and indexes take the engines a few milliseconds. */
const MOST_LEAVING = 1024;
/** The clock of ticks wraps. */
const TICKS = 0x7fffffff;
/** FDB rows read before a pause. */
const PIECE = 16_384;

export interface VtepWatchParts {
  model: SwitchModel;
  remotes: RemoteTable;
  counters: CounterReader;
  fdb: FdbReader;
  /** VTEPs that are permanent members of groups. */
  members(): Set<number>;
  carryOut(change: () => Transition): void;
}

export class VtepWatch {
  private readonly timers: NodeJS.Timeout[];
  /** Frame count of each idle VTEP when it was found idle. */
  private idle = new Map<number, number>();
  private isLooking = false;

  constructor(private readonly parts: VtepWatchParts) {
    this.timers = [
      every('vtep-watch', ROUND_MS, () => this.look()),
      every('vtep-relief', RELIEF_MS, () => this.relieve()),
    ];
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  /** Removes VTEPs where little room is left. */
  relieve(): void {
    const crowded = this.crowded();
    if (crowded.length === 0) return;
    const members = this.parts.members();
    const leaving = crowded.flatMap(({ remotes, excess }) =>
      this.idlest(remotes.filter(({ remote }) => !members.has(remote))).slice(0, excess),
    );
    const once = [...new Map(leaving.map((departure) => [departure.remote, departure])).values()];
    if (once.length > 0) this.parts.carryOut(() => this.changeFor(once.slice(0, MOST_LEAVING)));
  }

  /** The learned VTEPs of each port and network that has too many, and the number to remove. */
  private crowded(): { remotes: Departure[]; excess: number }[] {
    const { model, remotes } = this.parts;
    const found: { remotes: Departure[]; excess: number }[] = [];
    for (const { index: port } of [...model.ports.values()].filter(isTunnel)) {
      // If a network has too many, its port has at least as many.
      if (!isCrowded(remotes.learnedOf(port), MET_OF_NETWORK)) continue;
      const learned = [...remotes.learned(port)].map((remote) => ({ port, remote }));
      if (isCrowded(learned.length, MET_OF_PORT))
        found.push({ remotes: learned, excess: learned.length - MET_OF_PORT / 2 });
      const networks = new Map<number, Departure[]>();
      for (const one of learned) {
        if (!isCrowded(remotes.learnedBeside(one.remote), MET_OF_NETWORK)) continue;
        const network = remotes.networkOf(one.remote);
        const beside = networks.get(network);
        if (beside === undefined) networks.set(network, [one]);
        else beside.push(one);
      }
      for (const all of networks.values()) found.push({ remotes: all, excess: all.length - MET_OF_NETWORK / 2 });
    }
    return found;
  }

  /** Idle VTEPs, the least valuable first. */
  private idlest(all: readonly Departure[]): Departure[] {
    const { counters, remotes } = this.parts;
    return all
      .map((departure) => ({
        departure,
        idle: (counters.tick - remotes.heardAt(departure.remote)) & TICKS,
        few: counters.remote(departure.remote).rx_packets < FEW,
      }))
      .filter(({ few, idle }) => idle >= (few ? FEW_IDLE_TICKS : IDLE_TICKS) && idle < TICKS / 2)
      .sort((one, other) => (one.few === other.few ? other.idle - one.idle : one.few ? -1 : 1))
      .map(({ departure }) => departure);
  }

  /** One round. */
  async look(): Promise<void> {
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      const learned = this.learned();
      if (learned.length > 0) this.letGo(learned, await this.needed());
    } finally {
      this.isLooking = false;
    }
  }

  private learned(): Departure[] {
    const { model, remotes } = this.parts;
    return [...model.ports.values()]
      .filter(isTunnel)
      .flatMap(({ index }) => [...remotes.learned(index)].map((remote) => ({ port: index, remote })));
  }

  /** Every VTEP that is the destination of an FDB entry or a permanent group member. */
  private async needed(): Promise<Set<number>> {
    const { fdb } = this.parts;
    const needed = this.parts.members();
    for (let from = 0; from < fdb.slots; from += PIECE) {
      fdb.forEach(
        ({ destination }) => {
          needed.add(destinationRemote(destination));
        },
        from,
        PIECE,
      );
      await new Promise((resolve) => setImmediate(resolve));
    }
    return needed;
  }

  private letGo(learned: readonly Departure[], needed: ReadonlySet<number>): void {
    const before = this.idle;
    this.idle = new Map();
    const idle: Departure[] = [];
    for (const { port, remote } of learned) {
      if (needed.has(remote)) continue;
      const received = this.parts.counters.remote(remote).rx_packets;
      if (before.get(remote) !== received) {
        this.idle.set(remote, received);
        continue;
      }
      idle.push({ port, remote });
    }
    if (idle.length > 0) this.parts.carryOut(() => this.changeFor(idle));
  }

  /** Another change may have removed some of them first. */
  private changeFor(idle: readonly Departure[]): Transition {
    const change = new Transition();
    for (const { port, remote } of idle) if (this.parts.remotes.isFindable(port, remote)) change.letGo(port, remote);
    return change;
  }
}

/** Three quarters of the limit are reached. */
function isCrowded(count: number, most: number): boolean {
  return count > (most * 3) / 4;
}
