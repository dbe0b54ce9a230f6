/**
 * Follows the MTU of the paths to remotes: the engines are told what reaches each of them in one piece, and the NICs of
 * guests that have `mtu: auto` get what fits.
 *
 *   remotes of the configuration   looked at once a second, a part of them at a time; where they are very many, so many at a
 *                                  time, and each of them less often
 *   VTEPs that engines have met    looked at when something was sent there since the last look, so many at a time: whoever
 *                                  forges source addresses causes none
 *   any                            at once, where an engine has met a path that takes less than was known
 *
 * A look is a socket that is opened, connected and closed.
 */
import { MAX_REMOTES, type RemoteTable, STATIC_REMOTES } from '../../encap/remotes.js';
import { every } from '../guard.js';
import { isTunnel, type SwitchModel, type VxlanPort } from '../model/model.js';
import { remoteAddress } from '../model/naming.js';
import { Transition } from '../model/transition.js';
import { remotesOf } from '../reconcile/vteps.js';

const LOOK_MS = 100;
/** Looks in which all remotes of the configuration are visited once. */
const LOOKS = 10;
/** Of them, at most so many paths at a time. */
const MOST_PATHS = 128;
/** Paths to VTEPs that engines have met, at a time: 160 a second. */
const MOST_LEARNED = 16;
/** Numbers of such VTEPs that are passed over at a time. */
const VISITS = 512;

export interface MtuWatchParts {
  model: SwitchModel;
  remotes: RemoteTable;
  /** Frames that were sent to a remote so far. */
  sentTo(remote: number): number;
  /** The largest outer packet that reaches the address in one piece; null: there is no way to it. */
  pathMtu(port: VxlanPort, address: string): number | null;
  /** Has a change carried out, between two others. */
  carryOut(change: () => Transition): void;
  /** Sets the MTU of ports and NICs by the paths as they are now. */
  setMtus(change: Transition): void;
}

type Path = [remote: number, port: VxlanPort, address: string];

export class MtuWatch {
  private readonly timer: NodeJS.Timeout;
  /** What the engines have been told, by the remote's number. */
  private readonly told = new Map<number, { port: VxlanPort; address: string; mtu: number }>();
  /** What had been sent to a VTEP that engines have met, when its path was looked at. */
  private readonly sent = new Map<number, number>();
  private turn = 0;
  /** The VTEP that engines have met to be visited next. */
  private next = STATIC_REMOTES;

  constructor(private readonly parts: MtuWatchParts) {
    this.timer = every('mtu-watch', LOOK_MS, () => this.look());
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** One look: at a part of the remotes, and at what was sent to meanwhile. */
  look(): void {
    this.update([...this.configured(), ...this.used()]);
  }

  /** A number is given to a VTEP anew, or to none: the engines know nothing of its path yet. */
  begin(remote: number): void {
    this.told.delete(remote);
    this.sent.delete(remote);
  }

  /** An engine could not send: the path to the remote takes less than was known. */
  tooBig(remote: number): void {
    const known = this.told.get(remote);
    this.told.delete(remote);
    if (known !== undefined) this.update([[remote, known.port, known.address]]);
    else this.update(remote < STATIC_REMOTES ? this.configuredAt(remote) : this.learnedAt(remote));
  }

  /** The remotes of the configuration whose turn it is. */
  private configured(): Path[] {
    const ports = this.vxlanPorts();
    const count = ports.reduce((total, port) => total + port.vteps.size, 0);
    const looks = Math.max(LOOKS, Math.ceil(count / MOST_PATHS));
    this.turn = (this.turn + 1) % looks;
    let index = 0;
    return this.select(ports, () => index++ % looks === this.turn);
  }

  private configuredAt(remote: number): Path[] {
    return this.select(this.vxlanPorts(), (number) => number === remote);
  }

  private vxlanPorts(): VxlanPort[] {
    return [...this.parts.model.ports.values()].flatMap((port) => (isTunnel(port) ? [port] : []));
  }

  private select(ports: readonly VxlanPort[], wanted: (remote: number) => boolean): Path[] {
    const found: Path[] = [];
    for (const port of ports)
      for (const [remote, address] of remotesOf(port)) if (wanted(remote)) found.push([remote, port, address]);
    return found;
  }

  private learnedAt(remote: number): Path[] {
    const { model, remotes } = this.parts;
    const port = model.portAt[remotes.portOf(remote)];
    if (!isTunnel(port) || !remotes.isFindable(port.index, remote)) return [];
    return [[remote, port, remoteAddress(remotes, remote)]];
  }

  /** VTEPs that engines have met and sent to since the last look at their path. */
  private used(): Path[] {
    const { remotes } = this.parts;
    const found: Path[] = [];
    const end = Math.min(MAX_REMOTES, remotes.learnedEnd);
    for (let visits = Math.min(VISITS, end - STATIC_REMOTES); visits > 0 && found.length < MOST_LEARNED; visits--) {
      if (this.next >= end) this.next = STATIC_REMOTES;
      const remote = this.next++;
      const sent = this.parts.sentTo(remote);
      if (sent === (this.sent.get(remote) ?? 0)) continue;
      this.sent.set(remote, sent);
      found.push(...this.learnedAt(remote));
    }
    return found;
  }

  private update(found: readonly Path[]): void {
    const change = new Transition();
    let isConfigured = false;
    for (const [remote, port, address] of found) {
      const mtu = this.parts.pathMtu(port, address) ?? 0;
      const known = this.told.get(remote);
      if (known?.mtu === mtu && known.port === port && known.address === address) continue;
      this.told.set(remote, { port, address, mtu });
      change.structure.push({ op: 'remote-mtu', remote, mtu });
      isConfigured ||= remote < STATIC_REMOTES;
    }
    if (change.isEmpty) return;
    this.parts.carryOut(() => {
      // The guests' MTU follows the configuration alone.
      if (isConfigured) this.parts.setMtus(change);
      return change;
    });
  }
}
