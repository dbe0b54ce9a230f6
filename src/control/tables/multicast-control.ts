/**
 * IGMP and MLD snooping of a running switch: feeds punted frames to the MDB, follows changes of ports, VLANs and remotes, and
 * drives the MDB's clock. The protocol logic is in `mdb.ts`.
 */
import type { MdbAnswer, MdbRequest, SwitchEvent } from '../../api/api.js';
import { checkDestination } from '../../config/edit/check-entry.js';
import type { GroupConfig } from '../../config/types.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { destinationOf } from '../../dataplane/state/destination.js';
import type { Punt } from '../../dataplane/state/punt-ring.js';
import type { RemoteTable } from '../../encap/remotes.js';
import { command } from '../../text/shell.js';
import type { GroupAddress } from '../../wire/group-message.js';
import { parseAddress } from '../../wire/ip-address.js';
import { ChangeRefused, notFound } from '../controls.js';
import { every } from '../guard.js';
import { type BridgeModel, isTunnel, type Port, type SwitchModel, type VxlanPort } from '../model/model.js';
import { remoteAddress } from '../model/naming.js';
import type { Vteps } from '../reconcile/vteps.js';
import { type HeardVlan, Mdb } from './mdb.js';
import { hearPunt } from './mdb-feed.js';

const TICK_MS = 250;

export interface MulticastParts {
  model: SwitchModel;
  remotes: RemoteTable;
  /** Remotes of a VTEP on a port. */
  remotesAt(port: number, address: string): number[];
  /** Holds references to the VTEPs of permanent entries. */
  vteps: Pick<Vteps, 'checkRoom' | 'hold' | 'release'>;
  tell(event: SwitchEvent): void;
  /** Carries operations out, between two changes. */
  carryOut(operations: () => Operation[]): void;
}

/** A group in VLANs of a bridge. */
interface GroupPlace {
  bridge: BridgeModel;
  vids: readonly number[];
  address: GroupAddress;
  /** As in the request. */
  name: string;
}

/** Port settings last sent to the MDB. */
interface Known {
  name: string;
  bridge: number;
  vids: Set<number>;
  isUp: boolean;
}

export class MulticastControl {
  private readonly mdb: Mdb;
  private readonly ports = new Map<Port, Known>();
  private readonly bridges = new Map<BridgeModel, { filtering: boolean; snooping: boolean }>();
  private readonly portNames = new Map<number, string>();
  private readonly bridgeNames = new Map<number, string>();
  /** VTEPs referenced by permanent entries, by the index of their home. */
  private readonly held = new Map<number, { port: VxlanPort; address: string }>();
  private readonly timer: NodeJS.Timeout;
  private isWaiting = false;

  constructor(private readonly parts: MulticastParts) {
    this.mdb = new Mdb({
      bridge: (bridge) => this.bridgeNames.get(bridge) ?? '',
      port: (port) => this.portNames.get(port) ?? '',
      remote: (remote) => remoteAddress(parts.remotes, remote),
    });
    this.timer = every('multicast', TICK_MS, () => this.advance());
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** The contents; without bridges that do not snoop (`br_mdb_fill_info`). */
  list(): MdbAnswer {
    const { mdb, router } = this.mdb.rows(performance.now());
    const isShown = ({ dev }: { dev: string }): boolean =>
      this.parts.model.bridges.get(dev)?.config.mcast_snooping === true;
    return { mdb: mdb.filter(isShown), router: router.filter(isShown) };
  }

  /** Permanent members, including those of bridges that do not snoop at present. */
  permanent(): GroupConfig[] {
    const rows = this.mdb.rows(performance.now()).mdb.filter(({ state }) => state === 'permanent');
    return rows.map(({ state: _, timer: _timer, ...row }) => row);
  }

  /** VTEPs were removed or have new indexes. Called after they left source lookup. @returns operations for the engines */
  forgetRemotes(heirs: ReadonlyMap<number, number>): Operation[] {
    this.mdb.forgetRemotes(heirs);
    return this.take();
  }

  /** The VTEPs that are permanent members of groups. */
  permanentRemotes(): Set<number> {
    return this.mdb.permanentRemotes();
  }

  /** The device of a port is gone: learned state is removed. */
  portLost(port: number): void {
    this.mdb.forgetLearned(port);
    this.publish();
  }

  /** What was learned by snooping. */
  heard(): HeardVlan[] {
    return this.mdb.heard(performance.now());
  }

  /** Goes on from what another switch has learned. @returns operations for the engines */
  restore(vlans: readonly HeardVlan[]): Operation[] {
    this.mdb.restore(vlans, performance.now());
    return this.take();
  }

  /** A frame punted by an engine. */
  hear(punt: Punt): void {
    // The port was deleted meanwhile, or its bridge does not snoop.
    const port = this.parts.model.portAt[punt.port];
    if (port?.bridge?.config.mcast_snooping !== true || !this.isRemoteOf(port, punt.remote)) return;
    hearPunt(this.mdb, punt, performance.now());
  }

  /** Follows the model after a change. @returns operations for the engines */
  follow(): Operation[] {
    const { model } = this.parts;
    for (const [bridge, known] of this.bridges) {
      const { vlan_filtering, mcast_snooping } = bridge.config;
      if (model.bridges.get(bridge.name) !== bridge) this.bridges.delete(bridge);
      else if (known.filtering === vlan_filtering) {
        if (known.snooping && !mcast_snooping) this.mdb.forgetHeard(bridge.index);
        continue;
      }
      this.mdb.forgetBridge(bridge.index);
    }
    for (const port of this.ports.keys()) {
      if (model.ports.get(port.name) === port && port.bridge !== null) continue;
      this.mdb.forgetPort(port.index);
      this.ports.delete(port);
    }
    const operations = this.take();
    for (const bridge of model.bridges.values()) {
      this.bridgeNames.set(bridge.index, bridge.name);
      this.bridges.set(bridge, { filtering: bridge.config.vlan_filtering, snooping: bridge.config.mcast_snooping });
    }
    for (const port of model.ports.values()) if (port.bridge !== null) this.followPort(port, port.bridge);
    this.releaseUnneeded();
    return [...operations, ...this.take()];
  }

  private followPort(port: Port, bridge: BridgeModel): void {
    const { index, config } = port;
    const before = this.ports.get(port);
    const now: Known = {
      name: port.name,
      bridge: bridge.index,
      vids: new Set(port.vlans.keys()),
      isUp: config.up,
    };
    this.portNames.set(index, port.name);
    this.mdb.setPort(index, { bridge: bridge.index, router: config.mcast_router, fastLeave: config.mcast_fast_leave });
    for (const vid of before?.vids ?? []) if (!now.vids.has(vid)) this.mdb.forgetMembership(index, vid);
    if (!now.isUp) this.mdb.forgetLearned(index);
    this.ports.set(port, now);
  }

  /**
   * Changes a permanent entry. A new VTEP is added to the port.
   * @param evenAsleep also where the bridge does not snoop: the entry acts once it does
   * @throws ChangeRefused, EditRefused, DeviceError; nothing has changed then
   * @returns operations for the engines after the port's VTEPs are settled
   */
  change({ op, dev, port: portName, grp, vid, dst }: MdbRequest, evenAsleep = false): Operation[] {
    const { model } = this.parts;
    const bridge = model.bridges.get(dev);
    if (bridge === undefined) throw notFound('bridge', dev);
    if (!bridge.config.mcast_snooping && !evenAsleep)
      throw new ChangeRefused(`bridge ${dev} does not snoop; set mcast_snooping 1 there first`, 'unavailable');
    const port = bridge.ports.find(({ name }) => name === portName);
    if (port === undefined)
      throw new ChangeRefused(
        `bridge ${dev} has no port "${portName}"; "${command`link show master ${dev}`}" lists those it has`,
        'not_found',
      );
    const address = parseAddress(grp);
    if (address === null) throw new ChangeRefused(`"${grp}" is no IP address; give a group such as 239.1.1.1`);
    const vids = vidsOf(bridge, port, vid);
    const group = { bridge, vids, address: address.words, name: grp };
    if (op === 'del') this.remove(group, port, dst);
    else this.add(group, port, dst);
    return this.take();
  }

  private add({ bridge, vids, address, name }: GroupPlace, port: Port, dst: string | undefined): void {
    const home = dst === undefined ? 0 : this.hold(port, dst);
    const outcome = this.mdb.add(bridge.index, vids, address, destinationOf(port.index, home));
    if (outcome === 'added') return;
    this.releaseUnneeded();
    if (outcome === 'exists')
      throw new ChangeRefused(
        `port ${port.name} is a permanent member of ${name} already; there is nothing to add`,
        'exists',
      );
    if (outcome === 'full')
      throw new ChangeRefused(`bridge ${bridge.name} holds as many groups as it may; delete some first`, 'full');
    throw new ChangeRefused(`${name} is no group that can be restricted: it is not multicast, or always flooded`);
  }

  private remove({ bridge, vids, address, name }: GroupPlace, port: Port, dst: string | undefined): void {
    const remotes = dst === undefined ? [0] : this.parts.remotesAt(port.index, dst);
    const places = remotes.map((remote) => destinationOf(port.index, remote));
    const removed = places.filter((place) => this.mdb.remove(bridge.index, vids, address, place));
    if (removed.length === 0)
      throw new ChangeRefused(
        `port ${port.name} is no member of ${name}; "${command`mdb show port ${port.name}`}" lists its groups`,
        'not_found',
      );
    this.releaseUnneeded();
  }

  /** Index of the VTEP of an entry. @throws ChangeRefused, EditRefused, DeviceError */
  private hold(port: Port, dst: string): number {
    if (!isTunnel(port))
      throw new ChangeRefused(`${port.name} is a ${port.kind} port and has no remotes; leave dst out`);
    checkDestination(dst, port.config);
    const { vteps } = this.parts;
    vteps.checkRoom([], 1, () => port);
    const home = vteps.hold(port, dst);
    if (this.held.has(home)) vteps.release(port, dst);
    else this.held.set(home, { port, address: dst });
    return home;
  }

  private releaseUnneeded(): void {
    if (this.held.size === 0) return;
    const needed = this.mdb.permanentRemotes();
    for (const [home, { port, address }] of this.held) {
      if (needed.has(home)) continue;
      this.held.delete(home);
      this.parts.vteps.release(port, address);
    }
  }

  private advance(): void {
    const now = performance.now();
    if (now < this.mdb.due) return;
    this.mdb.tick(now);
    this.publish();
  }

  /** Sends the MDB's changes, including those that arrive before the send. */
  publish(): void {
    if (this.isWaiting) return;
    this.isWaiting = true;
    this.parts.carryOut(() => {
      this.isWaiting = false;
      return this.take();
    });
  }

  /** Whether an index still belongs to a VTEP of the port: a punted frame may be older than its removal. */
  private isRemoteOf(port: Port, remote: number): boolean {
    return remote === 0 || this.parts.remotes.isFindable(port.index, remote);
  }

  private take(): Operation[] {
    const { operations, events } = this.mdb.take();
    for (const event of events) this.parts.tell(event);
    return operations;
  }
}

/**
 * The VLANs of an entry: without a VID all present memberships of the port, not later ones (`br_mdb_add`).
 * @throws ChangeRefused
 */
function vidsOf(bridge: BridgeModel, port: Port, vid: number | undefined): number[] {
  if (!bridge.config.vlan_filtering) {
    if (vid !== undefined) throw new ChangeRefused(`bridge ${bridge.name} does not look at VLANs; leave vid out`);
    return [0];
  }
  const vids = vid === undefined ? [...port.vlans.keys()] : [vid].filter((one) => port.vlans.has(one));
  if (vids.length > 0) return vids;
  const what = vid === undefined ? 'any VLAN' : `VLAN ${vid}`;
  throw new ChangeRefused(`port ${port.name} is no member of ${what}; make it one with "vlan add" first`);
}
