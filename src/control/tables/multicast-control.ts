/**
 * IGMP and MLD snooping of a running switch: feeds punted frames to the MDB, follows changes of ports, VLANs and remotes, and
 * drives the MDB's clock. The protocol logic is in `mdb.ts`.
 */
import type { MdbAnswer, MdbRequest, SwitchEvent } from '../../api/api.js';
import type { GroupConfig } from '../../config/types.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import type { Punt } from '../../dataplane/state/punt-ring.js';
import type { RemoteTable } from '../../encap/remotes.js';
import { every } from '../guard.js';
import { type BridgeModel, isTunnel, type Port, type SwitchModel } from '../model/model.js';
import { remoteAddress } from '../model/naming.js';
import type { TunnelGroups } from '../reconcile/tunnel-groups.js';
import type { Vteps } from '../reconcile/vteps.js';
import { type HeardVlan, Mdb, type MdbPortSettings } from './mdb.js';
import { hearPunt } from './mdb-feed.js';
import { MulticastEntries } from './multicast-entries.js';
import { querierIdentity, snoopSettings } from './mdb-settings.js';
import { TunnelMdb } from './tunnel-mdb.js';

const TICK_MS = 250;
/** Destinations that are sent in one go: a guest may change many groups, each of many members, by one report. */
const MOST_DESTINATIONS = 131_072;

export interface MulticastParts {
  model: SwitchModel;
  remotes: RemoteTable;
  /** Remotes of a VTEP on a port. */
  remotesAt(port: number, address: string): number[];
  /** Holds references to the VTEPs of permanent entries. */
  vteps: Pick<Vteps, 'checkRoom' | 'hold' | 'release'>;
  tunnelGroups: TunnelGroups;
  tell(event: SwitchEvent): void;
  /** Carries operations out, between two changes. */
  carryOut(operations: () => Operation[]): void;
  /** A monotonic clock in milliseconds; absent: the process's. With one, the owner calls `advance`. */
  now?: () => number;
  /** The MAC of a bridge without a configured one, for its queries. */
  macOf(bridge: string): string;
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
  private readonly bridges = new Map<BridgeModel, { filtering: boolean; snooping: boolean; byVlan: boolean }>();
  private readonly portNames = new Map<number, string>();
  private readonly bridgeNames = new Map<number, string>();
  private readonly entries: MulticastEntries;
  private readonly tunnels: TunnelMdb;
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly now: () => number;
  private isWaiting = false;

  constructor(private readonly parts: MulticastParts) {
    this.mdb = new Mdb({
      bridge: (bridge) => this.bridgeNames.get(bridge) ?? '',
      port: (port) => this.portNames.get(port) ?? '',
      remote: (remote) => remoteAddress(parts.remotes, remote),
    });
    this.now = parts.now ?? (() => performance.now());
    this.entries = new MulticastEntries(this.mdb, parts, this.now);
    this.tunnels = new TunnelMdb(parts.model, parts.tunnelGroups);
    this.timer = parts.now === undefined ? every('multicast', TICK_MS, () => this.advance()) : undefined;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** The contents; without bridges that do not snoop (`br_mdb_fill_info`). */
  list(): MdbAnswer {
    const { mdb, router } = this.mdb.rows(this.now());
    const isShown = ({ dev }: { dev: string }): boolean =>
      this.parts.model.bridges.get(dev)?.config.mcast_snooping === true;
    return { mdb: [...mdb.filter(isShown), ...this.tunnels.rows()], router: router.filter(isShown) };
  }

  /** Entries of a port, or of it in a VLAN (`mcast_n_groups`). */
  entriesOf(port: number, vid?: number): number {
    return this.mdb.entriesOf(port, vid);
  }

  /** Permanent members, including those of bridges that do not snoop at present, and the entries of tunnels. */
  permanent(): GroupConfig[] {
    return [...this.mdb.configured(), ...this.tunnels.configured()];
  }

  /** VTEPs were removed or have new indexes. Called after they left source lookup. @returns operations for the engines */
  forgetRemotes(heirs: ReadonlyMap<number, number>): Operation[] {
    this.mdb.forgetRemotes(heirs);
    return this.take();
  }

  /** The VTEPs that are permanent members of groups. */
  permanentRemotes(): Set<number> {
    return new Set([...this.mdb.permanentRemotes(), ...this.tunnels.remotes()]);
  }

  /** The device of a port is gone: learned state is removed. */
  portLost(port: number): void {
    this.mdb.forgetLearned(port);
    this.publish();
  }

  /** What was learned by snooping. */
  heard(): HeardVlan[] {
    return this.mdb.heard(this.now());
  }

  /** Goes on from what another switch has learned. @returns operations for the engines */
  restore(vlans: readonly HeardVlan[]): Operation[] {
    this.mdb.restore(vlans, this.now());
    return this.take();
  }

  /** A frame punted by an engine. */
  hear(punt: Punt): void {
    // The port was deleted meanwhile, or its bridge does not snoop.
    const port = this.parts.model.portAt[punt.port];
    if (port?.bridge?.config.mcast_snooping !== true || !this.isRemoteOf(port, punt.remote)) return;
    hearPunt(this.mdb, punt, this.now());
  }

  /** Follows the model after a change. @returns operations for the engines */
  follow(): Operation[] {
    const { model } = this.parts;
    this.tunnels.follow();
    for (const [bridge, known] of this.bridges) {
      const { vlan_filtering, mcast_snooping, mcast_vlan_snooping } = bridge.config;
      if (model.bridges.get(bridge.name) !== bridge) this.bridges.delete(bridge);
      else if (known.filtering === vlan_filtering) {
        if ((known.snooping && !mcast_snooping) || known.byVlan !== mcast_vlan_snooping)
          this.mdb.forgetHeard(bridge.index);
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
      const { vlan_filtering: filtering, mcast_snooping: snooping, mcast_vlan_snooping: byVlan } = bridge.config;
      this.bridges.set(bridge, { filtering, snooping, byVlan });
      this.followBridge(bridge);
    }
    for (const port of model.ports.values()) if (port.bridge !== null) this.followPort(port, port.bridge);
    this.entries.releaseUnneeded();
    return [...operations, ...this.take()];
  }

  private followBridge({ index, name, config, ports }: BridgeModel): void {
    const vids = new Set(config.vlan_filtering ? ports.flatMap(({ vlans }) => [...vlans.keys()]) : [0]);
    const identity = querierIdentity(config, this.parts.macOf(name));
    const ofVlans = config.mcast_vlan_snooping
      ? new Map(config.vlan_global.map(({ vid, ...options }) => [vid, snoopSettings(options)]))
      : undefined;
    const settings = { settings: snoopSettings(config), ofVlans, identity, vids, maxGroups: config.mcast_hash_max };
    this.mdb.setBridge(index, settings, this.now());
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
    this.mdb.setPort(index, portSettings(port, bridge));
    for (const vid of before?.vids ?? []) if (!now.vids.has(vid)) this.mdb.forgetMembership(index, vid);
    if (!now.isUp) this.mdb.forgetLearned(index);
    else {
      const isNew = before?.isUp !== true || before.bridge !== now.bridge;
      const vids = bridge.config.vlan_filtering ? now.vids : [0];
      this.mdb.askAgain(bridge.index, isNew ? vids : [...vids].filter((vid) => !before.vids.has(vid)), this.now());
    }
    this.ports.set(port, now);
  }

  /**
   * Changes entries. A new VTEP is added to the port.
   * @param evenAsleep also where the bridge does not snoop: the entry acts once it does
   * @throws ChangeRefused, EditRefused, DeviceError; nothing has changed then
   * @returns operations for the engines after the port's VTEPs are settled
   */
  change(request: MdbRequest, evenAsleep = false): Operation[] {
    const tunnel = this.parts.model.ports.get(request.dev);
    if (isTunnel(tunnel)) this.tunnels.change(tunnel, request);
    else this.entries.change(request, evenAsleep);
    return this.take();
  }

  /** Moves the clock of the MDB on. */
  advance(): void {
    const now = this.now();
    if (now < this.mdb.due) return;
    this.mdb.tick(now);
    this.publish();
  }

  /** Sends the MDB's changes, including those that arrive before the send. Events do not wait: a long change would gather them without end. */
  publish(): void {
    for (const event of this.mdb.takeEvents()) this.parts.tell(event);
    if (this.isWaiting) return;
    this.isWaiting = true;
    this.parts.carryOut(() => {
      this.isWaiting = false;
      const operations = this.take(MOST_DESTINATIONS);
      // Requests come in between.
      if (this.mdb.isBehind) this.publish();
      return operations;
    });
  }

  /** Whether an index still belongs to a VTEP of the port: a punted frame may be older than its removal. */
  private isRemoteOf(port: Port, remote: number): boolean {
    return remote === 0 || this.parts.remotes.isFindable(port.index, remote);
  }

  private take(most?: number): Operation[] {
    const { operations, events } = this.mdb.take(most);
    for (const event of [...events, ...this.tunnels.takeEvents()]) this.parts.tell(event);
    return operations;
  }
}

/** Where the bridge snoops by VLAN, the options of the port's VLANs act. */
function portSettings({ config }: Port, bridge: BridgeModel): MdbPortSettings {
  const common = {
    bridge: bridge.index,
    router: config.mcast_router,
    fastLeave: config.mcast_fast_leave,
    toUnicast: config.mcast_to_unicast,
  };
  const all = config.mcast_max_groups;
  if (!bridge.config.mcast_vlan_snooping) return { ...common, limits: { all, vlans: new Map() } };
  // Of thousands of VLANs few say something.
  const routers = new Map<number, 0 | 1 | 2>();
  const vlans = new Map<number, number>();
  for (const { vid, mcast_router, mcast_max_groups } of config.vlans) {
    if (mcast_router !== undefined) routers.set(vid, mcast_router);
    if (mcast_max_groups !== undefined) vlans.set(vid, mcast_max_groups);
  }
  return { ...common, routers, limits: { all, vlans } };
}
