/**
 * Follows the MTU of the paths to all remotes: the engines are told what reaches each of them in one piece, and the NICs of
 * guests that have `mtu: auto` get what fits. Looked at once a second, a part of the remotes at a time, and at once where
 * an engine has met a path that takes less than was known.
 */
import type { RemoteTable } from '../../encap/remotes.js';
import { Transition } from '../change/transition.js';
import { remotesOf } from '../change/vteps.js';
import { every } from '../guard.js';
import type { SwitchModel, VxlanPort } from '../model.js';
import { remoteAddress } from '../naming.js';

const LOOK_MS = 100;
/** Looks in which all remotes are visited once. */
const LOOKS = 10;

export interface MtuWatchParts {
  model: SwitchModel;
  remotes: RemoteTable;
  /** The largest outer packet that reaches the address in one piece; null: there is no way to it. */
  pathMtu(port: VxlanPort, address: string): number | null;
  /** Has a change carried out, between two others. */
  carryOut(change: () => Transition): void;
  /** Sets the MTU of ports and NICs by the paths as they are now. */
  setMtus(change: Transition): void;
}

export class MtuWatch {
  private readonly timer: NodeJS.Timeout;
  /** What the engines have been told, by the remote's number. */
  private readonly told = new Map<number, { port: VxlanPort; address: string; mtu: number }>();
  private turn = 0;

  constructor(private readonly parts: MtuWatchParts) {
    this.timer = every('mtu-watch', LOOK_MS, () => this.look());
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** One look, at a tenth of the remotes. */
  look(): void {
    this.turn = (this.turn + 1) % LOOKS;
    const found: [remote: number, port: VxlanPort, address: string][] = [];
    for (const port of this.parts.model.ports.values()) {
      if (port.kind !== 'vxlan') continue;
      for (const [remote, address] of this.remotesOf(port)) {
        if (remote % LOOKS === this.turn) found.push([remote, port, address]);
      }
    }
    this.update(found);
  }

  /** A number is given to a VTEP anew, or to none: the engines know nothing of its path yet. */
  begin(remote: number): void {
    this.told.delete(remote);
  }

  /** An engine could not send: the path to the remote takes less than was known. */
  tooBig(remote: number): void {
    const known = this.told.get(remote);
    this.told.delete(remote);
    if (known !== undefined) {
      this.update([[remote, known.port, known.address]]);
      return;
    }
    for (const port of this.parts.model.ports.values()) {
      if (port.kind !== 'vxlan') continue;
      const address = new Map(this.remotesOf(port)).get(remote);
      if (address === undefined) continue;
      this.update([[remote, port, address]]);
      return;
    }
  }

  private *remotesOf(port: VxlanPort): Generator<[number, string]> {
    yield* remotesOf(port);
    if (port.config.acceptVteps !== 'any') return;
    for (const remote of this.parts.remotes.learned(port.index))
      yield [remote, remoteAddress(this.parts.remotes, remote)];
  }

  private update(found: readonly [remote: number, port: VxlanPort, address: string][]): void {
    const change = new Transition();
    for (const [remote, port, address] of found) {
      const mtu = this.parts.pathMtu(port, address) ?? 0;
      const known = this.told.get(remote);
      if (known?.mtu === mtu && known.port === port && known.address === address) continue;
      this.told.set(remote, { port, address, mtu });
      change.structure.push({ op: 'remote-mtu', remote, mtu });
    }
    if (change.isEmpty) return;
    this.parts.carryOut(() => {
      this.parts.setMtus(change);
      return change;
    });
  }
}
