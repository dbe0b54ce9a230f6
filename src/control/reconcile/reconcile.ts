/**
 * Brings the switch from the configuration it has to another one: what is gone ends, what is new is opened, what differs
 * is changed while it runs. The same way leads from nothing to the first configuration.
 *
 * `prepare` opens every device that the other configuration needs, and may fail: then nothing has changed. What follows
 * cannot be refused any more, so that a change is done wholly or not at all.
 */
import { entriesOf } from '../../config/entries/list.js';
import type { BridgeConfig, SwitchConfig } from '../../config/types.js';
import { MAX_BRIDGES } from '../../dataplane/state/forwarding.js';
import { mayPass } from '../../port/absence.js';
import { DEFAULT_MTU, type DeviceSource } from '../devices/devices.js';
import { type DesiredPort, desiredPorts } from '../model/desired.js';
import { DeviceError } from '../model/device-error.js';
import { type Entry, EntryTable } from '../model/entries.js';
import type { Port, SwitchModel, TapPort } from '../model/model.js';
import { Numbers } from '../model/numbers.js';
import { Transition } from '../model/transition.js';
import type { EntryDelta } from '../plan/delta.js';
import { takeBack } from '../ports/nic-changes.js';
import type { Opened, Opening } from '../ports/port-kind.js';
import { identityOf, kindOf } from '../ports/registry.js';
import { bridgeOperation } from './bridge-operation.js';
import { Memberships } from './memberships.js';
import { PortEntries } from './port-entries.js';
import { PortLife } from './port-life.js';
import { PortSettings } from './port-settings.js';
import { Told } from './told.js';
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
  desired: DesiredPort[];
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
  private readonly told = new Told();

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
    this.settings = new PortSettings(this.model, devices, this.told);
    this.ports = new PortLife(this.model, devices, this.entries, this.memberships, this.settings, this.told);
  }

  /**
   * Opens what the change needs. @throws DeviceError; then nothing has changed
   */
  prepare(next: SwitchConfig, delta: EntryDelta, { renewed = [], waits = false }: How = {}): Prepared {
    const desired = desiredPorts(next);
    const staying = new Map(desired.map((port) => [port.name, identityOf(port)]));
    const ending = [...this.model.ports.values()]
      .filter((port) => renewed.includes(port.name) || staying.get(port.name) !== identityOf(port))
      .map(({ name }) => name);
    const opened: Opened = {
      devices: new Map(),
      inherited: new Set(),
      absent: new Map(),
      renewals: new Map(),
      undo: [],
    };
    const opening = { model: this.model, devices: this.devices, next, ending, renewed, opened };
    try {
      this.checkRoom(next, desired, ending, delta);
      for (const port of desired) {
        if (!this.model.ports.has(port.name) || ending.includes(port.name))
          this.open(port, this.openingOf(port.name, opening, waits));
        else this.reopen(port, this.openingOf(port.name, opening, waits));
      }
    } catch (error) {
      this.abandon(desired, opened);
      throw error;
    }
    // Ports whose devices are renewed have the entries that they had: those put in by hand, and none that was taken away.
    const own = renewed.flatMap((name) => [...this.model.entries.ofPort(name)]);
    const anew = this.restated(next, desired, ending).filter(({ port }) => !renewed.includes(port));
    const restated = [...anew, ...own];
    return { next, delta, desired, ending, restated, opened };
  }

  private restated(next: SwitchConfig, desired: DesiredPort[], ending: string[]): Entry[] {
    const anew = desired.filter(({ name, bridge }) => {
      const present = this.model.ports.get(name);
      return (
        ending.includes(name) || (present !== undefined && (present.bridge?.name ?? null) !== (bridge?.name ?? null))
      );
    });
    const names = new Set(anew.map(({ name }) => name));
    return names.size === 0 ? [] : entriesOf(next).filter(({ port }) => names.has(port));
  }

  private checkRoom(next: SwitchConfig, desired: DesiredPort[], ending: string[], delta: EntryDelta): void {
    const added = desired.filter(({ name }) => !this.model.ports.has(name) || ending.includes(name));
    this.ports.checkRoom(added.length);
    this.bridgeNumbers.need(next.bridges.filter(({ name }) => !this.model.bridges.has(name)).length);
    const room = desired.map((port) => kindOf(port).room(port.config));
    // Headers of present VNIs are counted too: the bound is far off, and below it nothing can fail.
    this.memberships.checkRoom(room.reduce((sum, { vnis }) => sum + vnis, 0));
    this.entries.checkRoom(
      delta.add,
      room.reduce((sum, { vteps }) => sum + vteps, 0),
    );
  }

  private openingOf(name: string, of: Omit<Opening, 'orAbsent' | 'wayMtu'>, waits: boolean): Opening {
    return {
      ...of,
      wayMtu: (config) => kindOf({ config }).wayMtu(config, this.devices),
      orAbsent(open, absent, netns) {
        try {
          return open();
        } catch (error) {
          if (!waits || !(error instanceof DeviceError) || !mayPass(error.cause, netns)) throw error;
          of.opened.absent.set(name, reasonOf(error));
          return absent();
        }
      },
    };
  }

  private open(port: DesiredPort, opening: Opening): void {
    opening.opened.devices.set(port.name, kindOf(port).open(port, opening));
  }

  /** What a present port needs anew. One without its device is left alone: that is opened anew when it can be. */
  private reopen({ name, config }: DesiredPort, opening: Opening): void {
    const port = this.model.ports.get(name);
    if (port === undefined || this.model.lost.has(port.index)) return;
    kindOf(port).reopen(port, config, opening);
  }

  /** Closes what `prepare` has opened. */
  private abandon(desired: readonly DesiredPort[], { devices, inherited, renewals, undo }: Opened): void {
    takeBack(undo);
    for (const port of desired) {
      const device = devices.get(port.name);
      const own = device !== undefined && inherited.has(device) ? undefined : device;
      kindOf(port).discard(own, renewals.get(port.name), this.devices);
    }
  }

  /** Changes the model, and says what the engines have to do. */
  commit({ next, delta, desired, ending, restated, opened }: Prepared): Transition {
    const change = new Transition();
    this.entries.remove(delta.remove, change);
    const staying = new Set(next.bridges.map(({ name }) => name));
    for (const name of this.model.bridges.keys()) if (!staying.has(name)) this.entries.forgetBridge(name, change);
    for (const name of ending) this.ports.end(this.model.ports.get(name) as Port, opened, change);
    for (const config of next.bridges) this.setBridge(config, change);
    for (const port of desired) {
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
    }
    bridge.config = config;
    this.told.tell(bridge, bridgeOperation(bridge), change.structure);
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
