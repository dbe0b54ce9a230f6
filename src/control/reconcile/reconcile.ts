/**
 * Brings the switch from the configuration it has to another one: what is gone ends, what is new is opened, what differs
 * is changed while it runs. The same way leads from nothing to the first configuration.
 *
 * `prepare` opens every device that the other configuration needs, and may fail: then nothing has changed. What follows
 * cannot be refused any more, so that a change is done wholly or not at all.
 */
import { entriesOf } from '../../config/entries/list.js';
import type { BridgeConfig, SwitchConfig, TapConfig } from '../../config/types.js';
import { MAX_BRIDGES } from '../../dataplane/state/forwarding.js';
import { isAbsent } from '../../port/absence.js';
import { automaticMtu, DEFAULT_MTU, type DeviceSource } from '../devices/devices.js';
import { DeviceError } from '../model/device-error.js';
import { type Entry, EntryTable } from '../model/entries.js';
import type { Port, PortRole, SwitchModel, TapPort } from '../model/model.js';
import { Numbers } from '../model/numbers.js';
import type { EntryDelta } from '../plan/delta.js';
import { identityOf, poolOf, vnisOf, type WantedPort, wantedPorts } from '../plan/desired.js';
import { asWanted, bridgeOperation, remotesOf, sameBridge, tapMtu } from './facts.js';
import { Memberships } from './memberships.js';
import { changeNic, takeBack } from './nic-changes.js';
import { PortEntries } from './port-entries.js';
import { type Opened, PortLife } from './port-life.js';
import { PortSettings } from './port-settings.js';
import { Transition } from './transition.js';
import { VniNumbers } from './vni-numbers.js';

/** How devices are opened. */
export interface How {
  /** Names of ports that stay, but whose devices are to be opened anew: those they have are gone. */
  renewed?: readonly string[];
  /** A port whose device is not there yet waits for it; else the change is refused. */
  waits?: boolean;
}

/** A change that can be carried out. */
export interface Prepared {
  next: SwitchConfig;
  delta: EntryDelta;
  wanted: WantedPort[];
  /** Names of present ports that go, to make room for one of the same name too. */
  ending: string[];
  /** Entries of ports that are made anew or change their bridge, and so lose those they have. */
  restated: Entry[];
  opened: Opened;
}

export class Reconciler {
  readonly model: SwitchModel;
  readonly entries: PortEntries;
  private readonly bridgeNumbers = new Numbers('bridges', 1, MAX_BRIDGES);
  private readonly memberships: Memberships;
  private readonly settings: PortSettings;
  private readonly ports: PortLife;

  /** @param empty the configuration without bridges and ports that the switch starts from */
  constructor(
    empty: SwitchConfig,
    private readonly devices: DeviceSource,
  ) {
    this.model = {
      config: empty,
      bridges: new Map(),
      ports: new Map(),
      portAt: [],
      bridgeAt: [],
      entries: new EntryTable(),
      lost: new Set(),
    };
    const vnis = new VniNumbers();
    this.entries = new PortEntries(this.model, vnis);
    this.memberships = new Memberships(this.entries, vnis);
    this.settings = new PortSettings(this.model, devices);
    this.ports = new PortLife(this.model, devices, this.entries, this.memberships, this.settings);
  }

  /**
   * Opens what the change needs. @throws DeviceError; then nothing has changed
   */
  prepare(next: SwitchConfig, delta: EntryDelta, { renewed = [], waits = false }: How = {}): Prepared {
    const wanted = wantedPorts(next);
    const staying = new Map(wanted.map((port) => [port.name, identityOf(port)]));
    const ending = [...this.model.ports.values()]
      .filter((port) => renewed.includes(port.name) || staying.get(port.name) !== identityOf(asWanted(port)))
      .map(({ name }) => name);
    const opened: Opened = {
      taps: new Map(),
      inherited: new Set(),
      underlays: new Map(),
      absent: new Map(),
      pools: new Map(),
      undo: [],
    };
    try {
      this.checkRoom(next, wanted, ending, delta);
      for (const port of wanted) {
        if (!this.model.ports.has(port.name) || ending.includes(port.name))
          this.open(port, next, { ending, renewed, waits }, opened);
        else this.reopen(port, opened);
      }
    } catch (error) {
      this.abandon(opened);
      throw error;
    }
    // Ports whose devices are renewed have the entries that they had: those put in by hand, and none that was taken away.
    const own = renewed.flatMap((name) => [...this.model.entries.ofPort(name)]);
    const anew = this.restated(next, wanted, ending).filter(({ port }) => !renewed.includes(port));
    const restated = [...anew, ...own];
    return { next, delta, wanted, ending, restated, opened };
  }

  private restated(next: SwitchConfig, wanted: WantedPort[], ending: string[]): Entry[] {
    const anew = wanted.filter(({ name, bridge }) => {
      const present = this.model.ports.get(name);
      return (
        ending.includes(name) || (present !== undefined && (present.bridge?.name ?? null) !== (bridge?.name ?? null))
      );
    });
    const names = new Set(anew.map(({ name }) => name));
    return names.size === 0 ? [] : entriesOf(next).filter(({ port }) => names.has(port));
  }

  private checkRoom(next: SwitchConfig, wanted: WantedPort[], ending: string[], delta: EntryDelta): void {
    const added = wanted.filter(({ name }) => !this.model.ports.has(name) || ending.includes(name));
    this.ports.checkRoom(added.length);
    this.bridgeNumbers.need(next.bridges.filter(({ name }) => !this.model.bridges.has(name)).length);
    const vxlans = wanted.flatMap(({ config }) => (config.type === 'vxlan' ? [config] : []));
    // Headers of VNIs that stay are counted along: the bound is far off, and this side of it nothing can go wrong.
    this.memberships.checkRoom(vxlans.reduce((sum, config) => sum + vnisOf(config).length, 0));
    this.entries.checkRoom(
      delta.add,
      vxlans.reduce((sum, config) => sum + config.peers.length, 0),
    );
  }

  private open(
    { name, config, role }: WantedPort,
    next: SwitchConfig,
    { ending, renewed, waits }: Required<How> & { ending: string[] },
    opened: Opened,
  ): void {
    const orAbsent = <T>(open: () => T, absent: () => T): T => {
      try {
        return open();
      } catch (error) {
        if (!waits || !(error instanceof DeviceError) || !isAbsent(error.cause)) throw error;
        opened.absent.set(name, reasonOf(error));
        return absent();
      }
    };
    if (config.type === 'vxlan') {
      const present = renewed.includes(name) ? this.model.ports.get(name) : undefined;
      const deaf = present?.kind === 'vxlan' ? present.underlay : undefined;
      const underlay = orAbsent(
        () => this.devices.underlay(config, deaf),
        () => this.devices.absentUnderlay(),
      );
      opened.underlays.set(name, underlay);
      return;
    }
    const heir = ending.map((other) => this.model.ports.get(other)).find((port) => this.isSameNic(port, config));
    if (heir?.kind === 'tap') {
      opened.inherited.add(heir.tap);
      opened.taps.set(name, heir.tap);
      opened.undo.unshift(...nicErrors(name, () => changeNic(heir.tap, heir.config, config)));
      return;
    }
    const mtu = tapMtu(config, this.automaticMtuOf(next, config, role));
    const tap = orAbsent(
      () => this.devices.guestTap(config, mtu),
      () => this.devices.absentTap(config, mtu),
    );
    opened.taps.set(name, tap);
  }

  /**
   * One NIC cannot be open under two names: a port of another name takes over the device that is there. The file may also
   * follow what was done to the NIC itself, when it was renamed or moved.
   */
  private isSameNic(port: Port | undefined, { netns, ifname }: TapConfig): boolean {
    if (port?.kind !== 'tap' || this.model.lost.has(port.index)) return false;
    return (port.config.netns === netns && port.config.ifname === ifname) || port.tap.isAt(ifname, netns);
  }

  /** What `auto` will come to for a TAP that is opened, by the configuration alone. */
  private automaticMtuOf(next: SwitchConfig, config: TapConfig, role: PortRole): number {
    const bridge = next.bridges.find(
      (one) =>
        (role === 'bridge' && one.name === config.name) ||
        one.ports.some((port) => port.name === config.name || (role === 'vxlan' && port.name === config.ifname)),
    );
    const vxlans = (bridge?.ports ?? []).flatMap((port) => (port.type === 'vxlan' ? [port] : []));
    return automaticMtu(vxlans.map((port) => this.devices.vxlanMtu(port, remotesOf(port))));
  }

  /** What a port that stays needs anew. One without its device is left alone: that is made anew when it can be. */
  private reopen({ name, config }: WantedPort, opened: Opened): void {
    const port = this.model.ports.get(name);
    if (port === undefined || this.model.lost.has(port.index)) return;
    if (port.kind === 'vxlan' && config.type === 'vxlan') {
      if (poolOf(port.config) !== poolOf(config)) opened.pools.set(name, this.devices.poolsOf(config));
    } else if (port.kind === 'tap' && config.type === 'tap') {
      opened.undo.unshift(...nicErrors(name, () => changeNic(port.tap, port.config, config)));
    }
  }

  /** Closes what `prepare` has opened. */
  private abandon({ taps, inherited, underlays, pools, undo }: Opened): void {
    takeBack(undo);
    for (const tap of taps.values()) if (!inherited.has(tap)) tap.discard();
    for (const { socket, group, pools } of underlays.values())
      this.devices.release({ sockets: [socket, group], senders: [...pools.senders, ...pools.dfSenders] }).close();
    for (const { senders, dfSenders } of pools.values())
      this.devices.release({ sockets: [], senders: [...senders, ...dfSenders] }).close();
  }

  /** Changes the model, and says what the engines have to do. */
  commit({ next, delta, wanted, ending, restated, opened }: Prepared): Transition {
    const change = new Transition();
    this.entries.remove(delta.remove, change);
    const staying = new Set(next.bridges.map(({ name }) => name));
    for (const name of this.model.bridges.keys()) if (!staying.has(name)) this.entries.forgetBridge(name, change);
    for (const name of ending) this.ports.end(this.model.ports.get(name) as Port, opened.inherited, change);
    for (const config of next.bridges) this.setBridge(config, change);
    for (const port of wanted) {
      const present = this.model.ports.get(port.name);
      if (present === undefined) this.ports.begin(port, opened, change);
      else this.ports.update(present, port, opened, change);
    }
    this.entries.add(restated, change);
    this.entries.add(delta.add, change);
    this.entries.finish(change);
    this.settings.setAllFlags(change);
    this.endBridges(next, change);
    this.model.config = next;
    this.settings.setMtus(change);
    this.settings.setSocketOwners(change);
    return change;
  }

  /** The entries of a host port's MAC are those of the MAC that its NIC has now. */
  followMac(port: TapPort, change: Transition): void {
    if (this.model.ports.get(port.name) !== port) return;
    this.ports.followMac(port, change);
    this.memberships.setOwnMac(port, change);
  }

  /** What follows from entries that were changed by hand: flood lists, and with other remotes other paths. */
  finishEntries(change: Transition): void {
    this.entries.finish(change);
    if (change.changesRemotes) this.setMtus(change);
  }

  /** Sets the MTU of ports and NICs by the paths as they are now. */
  setMtus(change: Transition): void {
    this.settings.setMtus(change);
  }

  // ---- Bridges ----

  private setBridge(config: BridgeConfig, change: Transition): void {
    let bridge = this.model.bridges.get(config.name);
    if (bridge === undefined) {
      bridge = { index: this.bridgeNumbers.take(), name: config.name, config, ports: [], mtu: DEFAULT_MTU };
      this.model.bridges.set(config.name, bridge);
      this.model.bridgeAt[bridge.index] = bridge;
    } else if (sameBridge(bridge.config, config)) {
      bridge.config = config;
      return;
    }
    bridge.config = config;
    change.structure.push(bridgeOperation(bridge));
  }

  private endBridges(next: SwitchConfig, change: Transition): void {
    const staying = new Set(next.bridges.map(({ name }) => name));
    for (const bridge of [...this.model.bridges.values()]) {
      if (staying.has(bridge.name)) continue;
      this.model.bridges.delete(bridge.name);
      change.structure.push({ op: 'bridge-del', bridge: bridge.index }, { op: 'neigh-flush', bridge: bridge.index });
      change.afterwards.push(() => {
        if (this.model.bridgeAt[bridge.index] === bridge) this.model.bridgeAt[bridge.index] = undefined;
        this.bridgeNumbers.give(bridge.index);
      });
    }
  }
}

/** What a DeviceError says, without the port that it begins with. */
export function reasonOf(error: DeviceError): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function nicErrors<T>(name: string, change: () => T): T {
  try {
    return change();
  } catch (error) {
    throw new DeviceError(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
