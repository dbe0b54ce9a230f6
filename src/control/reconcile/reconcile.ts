/**
 * Leads from the present configuration to a new one: removed links are closed, new ones opened, changed ones updated in place.
 * The first configuration is reached the same way, from an empty one.
 *
 * `prepare` opens every new device and may fail without effect. The later steps cannot fail, so a change is done completely or
 * not at all.
 */
import { randomInt } from 'node:crypto';
import { entriesOf } from '../../config/entries/list.js';
import { isTunnelPort } from '../../config/options/kinds.js';
import type { BridgeConfig, SwitchConfig } from '../../config/types.js';
import { MAX_BRIDGES } from '../../dataplane/state/forwarding.js';
import { lacksRight, mayPass } from '../../port/absence.js';
import { DEFAULT_MTU, type DeviceSource } from '../devices/devices.js';
import type { Legacy } from '../model/bequest.js';
import { type DesiredPort, desiredPorts } from '../model/desired.js';
import { DeviceError } from '../model/device-error.js';
import { type Entry, EntryTable } from '../model/entries.js';
import type { OwnMacPort, Port, SwitchModel, VxlanPort } from '../model/model.js';
import { Numbers } from '../model/numbers.js';
import { Transition } from '../model/transition.js';
import type { EntryDelta } from '../plan/delta.js';
import { takeBack } from '../ports/nic-changes.js';
import type { Opened, Opening } from '../ports/port-kind.js';
import { identityOf, kindOf } from '../ports/registry.js';
import { Backups } from './backups.js';
import { bridgeOperation } from './bridge-operation.js';
import { Memberships } from './memberships.js';
import { PortEntries } from './port-entries.js';
import { PortLife } from './port-life.js';
import { PortSettings } from './port-settings.js';
import { RouteSet } from './routes.js';
import { Told } from './told.js';
import { VniNumbers } from './vni-numbers.js';

/** Options for opening devices. */
export interface How {
  /** Names of ports that stay, but whose devices must be reopened because they are gone. */
  renewed?: readonly string[];
  /** Whether a port without its device may wait for it; otherwise the change is refused. */
  waits?: boolean;
  /** The devices of the process that this one replaces. */
  legacy?: Legacy | undefined;
}

/** A prepared change. */
export interface Prepared {
  next: SwitchConfig;
  delta: EntryDelta;
  desired: DesiredPort[];
  /** Names of present ports to delete, including those that are recreated. */
  ending: string[];
  /** Entries of ports that are recreated or change their bridge, and so lose their present ones. */
  restated: Entry[];
  opened: Opened;
}

export class Reconciler {
  readonly model: SwitchModel;
  readonly entries: PortEntries;
  private readonly bridgeNumbers = new Numbers('bridges', 1, MAX_BRIDGES);
  private readonly memberships: Memberships;
  private readonly settings: PortSettings;
  private readonly backups: Backups;
  private readonly ports: PortLife;
  private readonly told = new Told();
  readonly routes: RouteSet;

  /** @param empty the configuration without links from which the switch starts */
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
    this.routes = new RouteSet(this.model, this.told);
    const vnis = new VniNumbers();
    this.entries = new PortEntries(this.model, vnis);
    this.memberships = new Memberships(this.entries, vnis);
    this.backups = new Backups(this.model, this.entries.nexthops, this.told);
    this.settings = new PortSettings(this.model, devices, this.told, this.backups);
    this.ports = new PortLife(this.model, devices, this.entries, this.memberships, this.settings, this.told);
  }

  /**
   * Opens the devices of the change.
   * @throws DeviceError; nothing has changed then
   */
  prepare(next: SwitchConfig, delta: EntryDelta, { renewed = [], waits = false, legacy }: How = {}): Prepared {
    const desired = desiredPorts(next);
    const staying = new Map(desired.map((port) => [port.name, identityOf(port)]));
    const ending = [...this.model.ports.values()]
      .filter((port) => renewed.includes(port.name) || staying.get(port.name) !== identityOf(port))
      .map(({ name }) => name);
    const opened: Opened = {
      devices: new Map(),
      inherited: new Set(),
      absent: new Map(),
      powerless: null,
      renewals: new Map(),
      undo: [],
    };
    const opening = { model: this.model, devices: this.devices, next, ending, renewed, opened, legacy };
    try {
      this.checkRoom(next, desired, ending, delta);
      for (const port of desired) {
        if (!this.model.ports.has(port.name) || ending.includes(port.name))
          this.open(port, this.openingOf(port.name, opening, waits));
        else this.reopen(port, this.openingOf(port.name, opening, waits));
      }
      this.checkRights(desired, opened);
    } catch (error) {
      this.abandon(desired, opened);
      throw error;
    }
    // Ports with renewed devices keep their present entries, including later additions and removals.
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
    // Headers of present VNIs are counted too: the limit is far off, and below it no allocation can fail.
    this.memberships.checkRoom(room.reduce((sum, { vnis }) => sum + vnis, 0));
    this.entries.checkRoom(
      delta.add,
      room.reduce((sum, { vteps }) => sum + vteps, 0),
      next.nexthops ?? [],
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
          if (!waits || !(error instanceof DeviceError)) throw error;
          const isPowerless = lacksRight(error.cause);
          if (!isPowerless && !mayPass(error.cause, netns)) throw error;
          if (isPowerless) of.opened.powerless ??= error;
          of.opened.absent.set(name, reasonOf(error));
          return absent();
        }
      },
    };
  }

  /**
   * A port that lacks a right waits while others work. When no local port works, somebody forgot to start the switch as root:
   * the change is refused with that reason.
   */
  private checkRights(desired: readonly DesiredPort[], { absent, powerless }: Opened): void {
    if (powerless === null) return;
    const works = ({ name }: DesiredPort): boolean => {
      const port = this.model.ports.get(name);
      return !absent.has(name) && (port === undefined || !this.model.lost.has(port.index));
    };
    if (!desired.some((port) => !isTunnelPort(port.config) && works(port))) throw powerless;
  }

  private open(port: DesiredPort, opening: Opening): void {
    const device =
      opening.legacy === undefined ? kindOf(port).open(port, opening) : inherit(port, opening.legacy, opening);
    opening.opened.devices.set(port.name, device);
  }

  /** Reopens parts of a present port. A port without its device is skipped: the watch opens it later. */
  private reopen({ name, config }: DesiredPort, opening: Opening): void {
    const port = this.model.ports.get(name);
    if (port === undefined || this.model.lost.has(port.index)) return;
    kindOf(port).reopen(port, config, opening);
  }

  /** Closes the devices opened by `prepare`. */
  private abandon(desired: readonly DesiredPort[], { devices, inherited, renewals, undo }: Opened): void {
    takeBack(undo);
    for (const port of desired) {
      const device = devices.get(port.name);
      const own = device !== undefined && inherited.has(device) ? undefined : device;
      kindOf(port).discard(own, renewals.get(port.name), this.devices);
    }
  }

  /** Changes the model, and writes the operations for the engines. */
  commit({ next, delta, desired, ending, restated, opened }: Prepared): Transition {
    const change = new Transition();
    this.entries.remove(delta.remove, change);
    this.entries.defineNexthops(next.nexthops ?? [], change);
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
    this.backups.settle();
    this.entries.finish(change);
    this.backups.tell(change);
    this.settings.setAllFlags(change);
    this.endBridges(next, change);
    this.model.config = next;
    this.settings.setMtus(change);
    this.settings.setSocketOwners(change);
    this.settings.setMirrors(change);
    this.routes.settle(change);
    return change;
  }

  /** Updates the entries of the host's MAC at a port to the present one of its NIC. */
  followMac(port: OwnMacPort, change: Transition): void {
    if (this.model.ports.get(port.name) !== port) return;
    this.ports.followMac(port, change);
    this.memberships.setOwnMac(port, change);
  }

  /** Completes a change of entries by command: flood lists, and paths of new remotes. */
  finishEntries(change: Transition): void {
    this.entries.finish(change);
    if (change.changesRemotes) this.setMtus(change);
  }

  /** Exactly these VTEPs of a port are dead. */
  setDead(port: VxlanPort, dead: ReadonlySet<string>, change: Transition): void {
    if (this.model.ports.get(port.name) !== port) return;
    this.entries.setDead(port, dead, change);
    this.entries.finish(change);
  }

  /** Sets the MTU of ports and NICs by the present path MTUs. */
  setMtus(change: Transition): void {
    this.settings.setMtus(change);
  }

  /** Sets the flags of ports by the present states of their devices. */
  setFlags(change: Transition): void {
    this.settings.setAllFlags(change);
  }

  // ---- Bridges ----

  private setBridge(config: BridgeConfig, change: Transition): void {
    let bridge = this.model.bridges.get(config.name);
    if (bridge === undefined) {
      const probeId = [randomInt(0x7fffffff), randomInt(1, 0x7fffffff)] as const;
      bridge = { index: this.bridgeNumbers.take(), name: config.name, config, ports: [], mtu: DEFAULT_MTU, probeId };
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

/** The device of a port from the process before. A port that waited there goes on waiting: no device is opened before that has ended. */
function inherit(port: DesiredPort, { bequests, custody }: Legacy, opening: Opening): object {
  const kind = kindOf(port);
  const bequest = bequests.get(port.name) ?? { absent: 'the switch before this one did not have it' };
  if ('fds' in bequest) {
    if (bequest.absent !== undefined) opening.opened.absent.set(port.name, bequest.absent);
    if (kind.inherit !== undefined) return kind.inherit(port, bequest, custody, opening);
    throw new DeviceError(`${port.name}: a ${port.config.type} port cannot be taken over from another process`);
  }
  const orAbsent: Opening['orAbsent'] = (_open, absent) => {
    opening.opened.absent.set(port.name, bequest.absent);
    return absent();
  };
  return kind.open(port, { ...opening, orAbsent });
}

/** The message of a DeviceError without its leading port name. */
export function reasonOf(error: DeviceError): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}
