/**
 * Follows path MTUs to remotes: engines get the path MTU of each remote, and NICs of guests with `mtu: auto` get the resulting
 * MTU.
 *
 *   configured remotes   checked once a second, a part of them per round; with very many, each less often
 *   learned VTEPs        checked after frames were sent there since the last check, a limited number per round: forged source
 *                        addresses cause no checks
 *   any remote           checked at once after an engine got EMSGSIZE
 *
 * A check opens and connects a socket, reads its path MTU and closes it.
 */
import { MAX_REMOTES, type RemoteTable, STATIC_REMOTES } from '../../encap/remotes.js';
import { every } from '../guard.js';
import { isTunnel, type SwitchModel, type VxlanPort } from '../model/model.js';
import { remoteAddress } from '../model/naming.js';
import { Transition } from '../model/transition.js';
import { remotesOf } from '../reconcile/vteps.js';

const LOOK_MS = 100;
/** Number of rounds in which all configured remotes are checked once. */
const LOOKS = 10;
/** Most of these paths per round. */
const MOST_PATHS = 128;
/** Paths to learned VTEPs per round: 160 a second. */
const MOST_LEARNED = 16;
/** Indexes of learned VTEPs skipped per round. */
const VISITS = 512;

export interface MtuWatchParts {
  model: SwitchModel;
  remotes: RemoteTable;
  /** Frames sent to a remote so far. */
  sentTo(remote: number): number;
  /** Largest outer packet that reaches the address unfragmented; null: unreachable. */
  pathMtu(port: VxlanPort, address: string): number | null;
  /** Carries a change out, between two others. */
  carryOut(change: () => Transition): void;
  /** Sets the MTU of ports and NICs by the present path MTUs. */
  setMtus(change: Transition): void;
}

type Path = [remote: number, port: VxlanPort, address: string];

export class MtuWatch {
  private readonly timer: NodeJS.Timeout;
  /** Path MTUs last sent to the engines, by remote. */
  private readonly told = new Map<number, { port: VxlanPort; address: string; mtu: number }>();
  /** Frames sent to a learned VTEP at the last check of its path. */
  private readonly sent = new Map<number, number>();
  private turn = 0;
  /** The next learned VTEP to check. */
  private next = STATIC_REMOTES;

  constructor(private readonly parts: MtuWatchParts) {
    this.timer = every('mtu-watch', LOOK_MS, () => this.look());
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** One round: a part of the configured remotes, and learned VTEPs with new traffic. */
  look(): void {
    this.update([...this.configured(), ...this.used()]);
  }

  /** An index is reused or released: engines have no path MTU for it. */
  begin(remote: number): void {
    this.told.delete(remote);
    this.sent.delete(remote);
  }

  /** An engine got EMSGSIZE: the path MTU to the remote is lower than known. */
  tooBig(remote: number): void {
    const known = this.told.get(remote);
    this.told.delete(remote);
    if (known !== undefined) this.update([[remote, known.port, known.address]]);
    else this.update(remote < STATIC_REMOTES ? this.configuredAt(remote) : this.learnedAt(remote));
  }

  /** The configured remotes of this round. */
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
    const found: VxlanPort[] = [];
    this.parts.model.ports.forEach((port) => {
      if (isTunnel(port)) found.push(port);
    });
    return found;
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

  /** Learned VTEPs with frames sent since the last check of their path. */
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
    if (found.length === 0) return; // as in most rounds
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
      // The guests' MTU depends on configured remotes only.
      if (isConfigured) this.parts.setMtus(change);
      return change;
    });
  }
}
