/**
 * Adds, changes and deletes ports: indexes, bridge and settings. Kind-specific parts are in `ports/`.
 */
import type { Operation } from '../../dataplane/operations/operations.js';
import { ABSENT_HOST_PORT } from '../../dataplane/state/destination.js';
import type { DeviceSource } from '../devices/devices.js';
import type { DesiredPort } from '../model/desired.js';
import {
  type BridgeModel,
  hasOwnMac,
  isHostOfBridge,
  type OwnMacPort,
  type Port,
  type SwitchModel,
  type VxlanPort,
} from '../model/model.js';
import { Numbers } from '../model/numbers.js';
import type { Transition } from '../model/transition.js';
import type { Opened, Surroundings } from '../ports/port-kind.js';
import { kindOf } from '../ports/registry.js';
import { followMac } from '../ports/tap.js';
import type { Memberships } from './memberships.js';
import type { PortEntries } from './port-entries.js';
import type { PortSettings } from './port-settings.js';
import type { Told } from './told.js';

export class PortLife implements Surroundings {
  private readonly numbers = new Numbers('ports, host ports among them', 0, ABSENT_HOST_PORT);

  constructor(
    readonly model: SwitchModel,
    readonly devices: DeviceSource,
    private readonly entries: PortEntries,
    private readonly memberships: Memberships,
    private readonly settings: PortSettings,
    private readonly told: Told,
  ) {}

  /** @throws DeviceError when the tables are too full */
  checkRoom(ports: number): void {
    this.numbers.need(ports);
  }

  /** Adds a port whose device is open. */
  begin(desired: DesiredPort, opened: Opened, change: Transition): void {
    const { name } = desired;
    const bridge = this.bridgeOf(desired);
    const fault = opened.absent.get(name) ?? null;
    const base = { index: this.numbers.take(), name, bridge, vlans: new Map(), pvid: 0, fault };
    const kind = kindOf(desired);
    const port = kind.create(base, desired, opened.devices.get(name) as object, this.model);
    this.model.ports.set(name, port);
    this.model.portAt[port.index] = port;
    if (fault !== null) this.model.lost.add(port.index);
    bridge?.ports.push(port);
    kind.attach(port, this, change);
    if (isHostOfBridge(port)) this.entries.beginHost(name);
    this.settings.begin(port);
    this.settings.setStorm(port, change);
    this.settings.setMss(port, change);
    this.settings.setCvlans(port, change);
    this.memberships.setVlans(port, change);
    kind.update(port, null, this, change);
  }

  /** Deletes a port. */
  end(port: Port, { inherited }: Opened, change: Transition): void {
    if (isHostOfBridge(port)) this.entries.endHost(port, change);
    else this.entries.forgetPort(port, change);
    this.leaveBridge(port);
    this.model.ports.delete(port.name);
    change.structure.push({ op: 'port-del', port: port.index });
    change.flushes.push({ owner: port.index });
    kindOf(port).end(port, inherited, this, change);
    this.memberships.end(port, change);
    change.afterwards.push(() => {
      if (this.model.portAt[port.index] === port) this.model.portAt[port.index] = undefined;
      this.model.lost.delete(port.index);
      this.numbers.give(port.index);
    });
  }

  private leaveBridge(port: Port): void {
    const { bridge } = port;
    if (bridge !== null) bridge.ports = bridge.ports.filter((other) => other !== port);
    port.bridge = null;
  }

  private bridgeOf({ bridge }: DesiredPort): BridgeModel | null {
    return bridge === null ? null : (this.model.bridges.get(bridge.name) ?? null);
  }

  // ---- Ports that stay ----

  /** Changes a present port to another configuration. */
  update(port: Port, desired: DesiredPort, opened: Opened, change: Transition): void {
    const before = port.config;
    const bridge = this.bridgeOf(desired);
    port.config = desired.config;
    if (bridge !== port.bridge) this.move(port, bridge, change);
    this.settings.setStorm(port, change);
    this.settings.setMss(port, change);
    this.settings.setCvlans(port, change);
    if (hasOwnMac(port)) this.followMac(port, change);
    this.memberships.setVlans(port, change);
    kindOf(port).update(port, before, this, change, opened.renewals.get(port.name));
  }

  /** The entries of a NIC's own MAC follow it, whatever has changed it. */
  followMac(port: OwnMacPort, change: Transition): void {
    followMac(port, this.model, change);
  }

  private move(port: Port, bridge: BridgeModel | null, change: Transition): void {
    this.entries.forgetPort(port, change);
    this.leaveBridge(port);
    port.bridge = bridge;
    bridge?.ports.push(port);
    // Sent first, before the other flags: nothing may be learned in the old bridge after its entries are flushed.
    this.settings.setFlags(port, change);
    change.flushes.push({ owner: port.index });
    kindOf(port).moved(port);
  }

  // ---- What kinds of ports need of the switch ----

  setVnis(port: VxlanPort, change: Transition): void {
    this.memberships.setVnis(port, change);
  }

  setPeers(port: VxlanPort, before: readonly string[], after: readonly string[]): void {
    this.entries.setPeers(port, before, after);
  }

  endVteps(port: VxlanPort, change: Transition): void {
    this.entries.end(port, change);
  }

  note(port: Port, operation: Operation): void {
    this.told.note(port, operation);
  }

  tell(port: Port, operation: Operation, change: Transition): void {
    this.told.tell(port, operation, change.structure);
  }
}
