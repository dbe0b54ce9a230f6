/**
 * The rows of all sources of peers, and their way into the tables. Each source has an owner; a row belongs to a network, which is a VNI of a
 * vxlan port by name, so that it outlives the port: it waits while the port, its bridge or the VNI is not there.
 *
 * The configuration wins over sources: an FDB entry or a permanent binding of its own stays, and what sources say of that MAC or address
 * holds again when it is gone.
 */
import { soon } from '../guard.js';
import type { PeerRows, VxlanPort } from '../model/model.js';
import type { PeerFloodRow } from '../model/peer-rows.js';
import { Transition } from '../model/transition.js';
import type { Surroundings } from './checks.js';
import type { Claimant } from './claims.js';
import type { PeerTables } from './contract.js';
import { type AnyRow, Intake } from './intake.js';
import { Limits } from './limits.js';
import type { BindingRow, MacRow, Network } from './network.js';
import { Networks } from './networks.js';
import { Owner, PIECE, type Piece } from './owner.js';
import { changeOf, type SavedPeers, savedOf } from './saved.js';
import { Teller, type TellerParts } from './teller.js';

/** Seconds for which rows of the process before wait for their source. */
const GRACE_S = 120;

export interface PeerParts extends TellerParts, Surroundings {
  /** Most bindings of sources in the table. */
  bindings: number;
  /** Completes a change of entries. */
  finish(change: Transition): void;
  /** Carries out operations between two requests. */
  own(operations: () => Transition): Promise<void>;
}

export class PeerControl implements PeerTables, PeerRows {
  private readonly owners = new Map<string, Owner>();
  private readonly networks: Networks;
  private readonly limits: Limits;
  private readonly teller: Teller;
  /** MACs whose place may have become free. */
  private readonly unsettled = new Map<MacRow, Network>();
  /** Networks whose rows have to be sent again, and how far that is. */
  private readonly backlog = new Map<Network, Iterator<MacRow | BindingRow>>();
  private isCatchingUp = false;

  constructor(private readonly parts: PeerParts) {
    this.networks = new Networks(parts.model);
    this.teller = new Teller(parts);
    this.limits = new Limits(parts.model, parts.bindings);
    parts.model.peers = this;
  }

  owner(name: string): Owner {
    let owner = this.owners.get(name);
    if (owner === undefined) {
      owner = new Owner(name, {
        put: (by, piece) => this.put(by, piece),
        sweep: (by, which) => this.sweep(by, which),
      });
      this.owners.set(name, owner);
    }
    return owner;
  }

  /** Ends the timers. */
  stop(): void {
    for (const owner of this.owners.values()) owner.stop();
  }

  // ---- Changes by sources

  private async put(by: Claimant, piece: Piece): Promise<string[]> {
    const { limits, networks, teller, parts } = this;
    const intake = new Intake({ around: remembering(parts), networks, limits, teller }, by);
    await parts.own(() => {
      intake.take(piece);
      return this.transitionOf(intake.touched);
    });
    return intake.reasons;
  }

  private transitionOf(touched: Iterable<[AnyRow, Network]>): Transition {
    const change = new Transition();
    for (const [row, network] of touched) this.sync(network, row, change);
    this.parts.finish(change);
    return change;
  }

  private sync(network: Network, row: AnyRow, change: Transition): void {
    if (row.kind === 'flood') this.teller.flood(network, row);
    else if (row.kind === 'mac') this.teller.mac(network, row, change);
    else this.teller.binding(network, row, change);
    if (!row.claims.isEmpty || !network.forget(row)) return;
    this.limits.end(row);
    // The same MAC may be behind another vxlan port of the bridge, whose row was overwritten.
    const { place } = network;
    if (row.kind === 'mac' && place !== null && this.networks.at(place.bridgeName, place.vid).size > 1)
      this.freed(place.bridgeName, place.vid, row.key);
    if (this.networks.tidy(network)) this.backlog.delete(network);
  }

  private async sweep(by: Claimant, which: 'all' | 'stale'): Promise<void> {
    const meant: [AnyRow, Network][] = [];
    for (const network of this.networks.all()) {
      for (const row of [...network.floods.values(), ...network.rows()])
        if (which === 'all' ? row.claims.of(by) !== undefined : row.claims.isStale(by)) meant.push([row, network]);
    }
    for (let at = 0; at < meant.length; at += PIECE) {
      await this.parts.own(() => {
        // It may have been named again meanwhile.
        const some = meant.slice(at, at + PIECE).filter(([{ claims }]) => which === 'all' || claims.isStale(by));
        for (const [{ claims }] of some) claims.withdraw(by, () => true);
        return this.transitionOf(some);
      });
    }
  }

  // ---- From one process to the next

  /** Rows of all sources. */
  saved(): SavedPeers {
    return [...this.owners.values()].filter(({ rows }) => rows > 0).map((owner) => savedOf(owner, this.networks.all()));
  }

  /** Rows of the process before hold until their sources have spoken, or for a while. */
  async restore(saved: SavedPeers): Promise<void> {
    for (const one of saved) {
      const owner = this.owner(one.source);
      await owner.change(changeOf(one));
      owner.renew(GRACE_S);
    }
  }

  // ---- Changes of the model

  /** Rows go to where their networks are now. Flood lists do so in this change, the many others in pieces after it. */
  follow(): void {
    for (const network of this.networks.follow()) {
      for (const row of network.floods.values()) this.teller.flood(network, row);
      if (network.macs.size + network.bindings.size > 0) this.backlog.set(network, network.rows());
    }
    if (this.backlog.size > 0) soon('peers', () => this.catchUp());
  }

  /** Sends the rows of the backlog, piece by piece. */
  private async catchUp(): Promise<void> {
    if (this.isCatchingUp) return;
    this.isCatchingUp = true;
    try {
      let goesOn = true;
      while (goesOn && this.backlog.size > 0) {
        goesOn = false; // as long as the switch is this process's
        await this.parts.own(() => {
          goesOn = true;
          return this.transitionOf(this.nextOfBacklog());
        });
      }
    } finally {
      this.isCatchingUp = false;
    }
  }

  private nextOfBacklog(): [AnyRow, Network][] {
    const rows: [AnyRow, Network][] = [];
    for (const [network, left] of this.backlog) {
      while (rows.length < PIECE) {
        const { done, value } = left.next();
        if (done === true) break;
        rows.push([value, network]);
      }
      if (rows.length >= PIECE) break;
      this.backlog.delete(network);
    }
    return rows;
  }

  // ---- For the rest of the control thread

  get macs(): number {
    return this.limits.macCount;
  }

  *floodsOf(port: VxlanPort, vid?: number): Generator<PeerFloodRow> {
    for (const { place, vni, floods } of this.networks.ofPort(port.name)) {
      if (place?.port !== port || (vid !== undefined && place.floodVid !== vid)) continue;
      for (const { told, claims } of floods.values())
        if (told !== null) yield { ...told.value, vni, vid: place.floodVid, source: claims.source ?? '' };
    }
  }

  sourceOf(bridge: string, vid: number, mac: string): string | undefined {
    for (const { macs } of this.networks.at(bridge, vid)) {
      const row = macs.get(mac);
      if (row !== undefined && row.told !== null) return row.claims.source;
    }
    return undefined;
  }

  freed(bridge: string, vid: number, mac: string): void {
    for (const network of this.networks.at(bridge, vid)) {
      const row = network.macs.get(mac);
      if (row !== undefined) this.unsettled.set(row, network);
    }
  }

  /** A permanent binding was removed by command: the source's holds again. */
  bindingFreed(bridge: string, vid: number, ip: string): void {
    for (const { bindings } of this.networks.at(bridge, vid)) {
      const row = bindings.get(ip);
      if (row !== undefined && row.told !== null) this.teller.again(row);
    }
  }

  settle(change: Transition): void {
    for (const [row, network] of this.unsettled)
      if (network.macs.get(row.key) === row) this.teller.mac(network, row, change);
    this.unsettled.clear();
  }

  tell(moved: ReadonlyMap<VxlanPort, ReadonlySet<string>>, change: Transition): void {
    for (const [port, addresses] of moved)
      for (const network of this.networks.ofPort(port.name)) this.teller.moved(network, port, addresses);
    this.teller.tell(change);
  }
}

/** The kernel is asked once for each remote of a piece. */
function remembering({ model, isOwn }: Surroundings): Surroundings {
  const known = new Map<string, boolean>();
  return {
    model,
    isOwn(port, remote) {
      const key = `${port} ${remote}`;
      const own = known.get(key) ?? isOwn(port, remote);
      known.set(key, own);
      return own;
    },
  };
}
