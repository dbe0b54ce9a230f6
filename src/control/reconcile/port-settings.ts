/**
 * Settings of ports that are told when all else of a change stands: flags, MTUs, storm limits, and which port answers for
 * datagrams that belong to none.
 */
import { defaultsOf } from '../../config/options/option.js';
import { stormLimitOptions } from '../../config/options/port.js';
import type { PortConfig } from '../../config/types.js';
import { automaticMtu, DEFAULT_MTU, type DeviceSource } from '../devices/devices.js';
import type { Port, SwitchModel, TapPort } from '../model/model.js';
import { addresses, portOperation, tapMtu } from './facts.js';
import type { Transition } from './transition.js';

const NO_LIMIT = defaultsOf(stormLimitOptions);

export class PortSettings {
  /** What the engines were told of each port's flags last. */
  private readonly told = new Map<Port, string>();
  private socketOwners = new Map<number, number>();

  constructor(
    private readonly model: SwitchModel,
    private readonly devices: DeviceSource,
  ) {}

  /** The engines know the flags of a port by the operation that made it. */
  begin(port: Port): void {
    this.told.set(port, JSON.stringify(portOperation(port)));
  }

  end(port: Port): void {
    this.told.delete(port);
  }

  setAllFlags(change: Transition): void {
    for (const port of this.model.ports.values()) this.setFlags(port, change);
  }

  /** @param before what the port had; null: nothing */
  setStorm(port: Port, before: PortConfig | null, change: Transition): void {
    const limit = port.config.storm_limit;
    const was = before?.storm_limit ?? NO_LIMIT;
    if (JSON.stringify(limit) === JSON.stringify(was)) return;
    const { broadcast, unknown_unicast: unknownUnicast, multicast } = limit;
    change.structure.push({ op: 'storm', port: port.index, broadcast, unknownUnicast, multicast });
  }

  /** Bridge, flags and MTU, where they are not what the engines have been told. Bridges change flags too. */
  private setFlags(port: Port, change: Transition): void {
    const told = JSON.stringify(portOperation(port));
    if (this.told.get(port) === told) return;
    this.told.set(port, told);
    change.structure.push(portOperation(port));
  }

  /** `auto` follows the routes to the remotes. */
  setMtus(change: Transition): void {
    const { bridges, ports } = this.model;
    for (const port of ports.values()) {
      if (port.kind === 'vxlan') port.mtu = this.devices.vxlanMtu(port.config, addresses(port));
    }
    for (const bridge of bridges.values()) {
      bridge.mtu = automaticMtu(bridge.ports.flatMap((port) => (port.kind === 'vxlan' ? [port.mtu] : [])));
    }
    for (const port of ports.values()) {
      if (port.kind === 'tap') this.setTapMtu(port, tapMtu(port.config, port.bridge?.mtu ?? DEFAULT_MTU), change);
    }
  }

  private setTapMtu(port: TapPort, mtu: number, change: Transition): void {
    if (port.tap.mtu === mtu) return;
    try {
      port.tap.setMtu(mtu);
    } catch {
      return; // its device has gone; the port shows so
    }
    this.setFlags(port, change);
  }

  /** Datagrams that belong to no port are in the accounts of the first one on their socket. */
  setSocketOwners(change: Transition): void {
    const owners = new Map<number, number>();
    for (const port of this.model.ports.values()) {
      if (port.kind !== 'vxlan') continue;
      const { socket, group } = port.underlay;
      for (const one of [socket, ...(group === null ? [] : [group])]) if (!owners.has(one)) owners.set(one, port.index);
    }
    for (const [socket, owner] of owners) {
      if (this.socketOwners.get(socket) !== owner) change.structure.push({ op: 'socket-owner', socket, owner });
    }
    this.socketOwners = owners;
  }
}
