/**
 * Lets go of VTEPs that a port with `accept_vteps: any` has met and that nothing needs any more: no FDB entry and no permanent
 * member of a group leads there, and nothing has come from there for two rounds. So a port that meets ever new ones has room
 * for them for ever.
 */
import type { CounterReader } from '../../dataplane/counters.js';
import { destinationRemote } from '../../dataplane/forwarding.js';
import type { RemoteTable } from '../../encap/remotes.js';
import type { FdbReader } from '../../fdb/table.js';
import { type Departure, Transition } from '../change/transition.js';
import { every } from '../guard.js';
import type { SwitchModel } from '../model.js';

const ROUND_MS = 60_000;
/** Rows of the FDB that are read at once; then others have their turn. */
const PIECE = 16_384;

export interface VtepWatchParts {
  model: SwitchModel;
  remotes: RemoteTable;
  counters: CounterReader;
  fdb: FdbReader;
  /** Those that somebody wants frames of a group to go to, come what may. */
  members(): Set<number>;
  carryOut(change: () => Transition): void;
}

export class VtepWatch {
  private readonly timer: NodeJS.Timeout;
  /** What had come from each idle VTEP when it was found idle. */
  private idle = new Map<number, number>();
  private isLooking = false;

  constructor(private readonly parts: VtepWatchParts) {
    this.timer = every('vtep-watch', ROUND_MS, () => this.look());
  }

  stop(): void {
    clearInterval(this.timer);
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
    return [...model.ports.values()].flatMap(({ kind, index }) =>
      kind === 'vxlan' ? [...remotes.learned(index)].map((remote) => ({ port: index, remote })) : [],
    );
  }

  /** Every VTEP that an FDB entry leads to, or a group by hand. */
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

  /** Another change may have come first, and have taken some of them along. */
  private changeFor(idle: readonly Departure[]): Transition {
    const change = new Transition();
    for (const { port, remote } of idle) if (this.parts.remotes.isFindable(port, remote)) change.letGo(port, remote);
    return change;
  }
}
