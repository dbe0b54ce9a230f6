/**
 * Lets go of VTEPs that a port with `accept_vteps: any` has met and that nothing needs any more: no FDB entry leads there, and
 * nothing has come from there for two rounds. So a port that meets ever new ones has room for them for ever.
 */
import type { CounterReader } from '../../dataplane/counters.js';
import { destinationRemote } from '../../dataplane/forwarding.js';
import { type RemoteTable, STATIC_REMOTES } from '../../encap/remotes.js';
import type { FdbReader } from '../../fdb/table.js';
import type { SwitchModel } from '../model.js';
import { Transition } from '../change/transition.js';

const ROUND_MS = 60_000;
/** Rows of the FDB that are read at once; then others have their turn. */
const PIECE = 16_384;

export interface VtepWatchParts {
  model: SwitchModel;
  remotes: RemoteTable;
  counters: CounterReader;
  fdb: FdbReader;
  carryOut(change: () => Transition): void;
  /** A VTEP is let go. */
  letGo(remote: number): void;
}

export class VtepWatch {
  private readonly timer: NodeJS.Timeout;
  /** What had come from each idle VTEP when it was found idle. */
  private idle = new Map<number, number>();
  private isLooking = false;

  constructor(private readonly parts: VtepWatchParts) {
    this.timer = setInterval(() => void this.look(), ROUND_MS);
    this.timer.unref();
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

  private learned(): number[] {
    const ports = [...this.parts.model.ports.values()];
    return ports.flatMap((port) => (port.kind === 'vxlan' ? [...this.parts.remotes.learned(port.index)] : []));
  }

  /** Every VTEP that an FDB entry leads to. */
  private async needed(): Promise<Set<number>> {
    const { fdb } = this.parts;
    const needed = new Set<number>();
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

  private letGo(learned: readonly number[], needed: ReadonlySet<number>): void {
    const before = this.idle;
    this.idle = new Map();
    const change = new Transition();
    for (const remote of learned) {
      if (remote < STATIC_REMOTES || needed.has(remote)) continue;
      const received = this.parts.counters.remote(remote).rx_packets;
      if (before.get(remote) !== received) {
        this.idle.set(remote, received);
        continue;
      }
      this.parts.letGo(remote);
      change.structure.push({ op: 'remote-del', remote });
    }
    if (!change.isEmpty) this.parts.carryOut(() => change);
  }
}
