/**
 * Port settings sent at the end of a change: flags, MTUs, storm limits, and the port that counts datagrams without a port.
 */
import { defaultsOf } from '../../config/options/option.js';
import { stormLimitOptions } from '../../config/options/port.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { automaticMtu, DEFAULT_MTU, type DeviceSource } from '../devices/devices.js';
import type { Port, SwitchModel } from '../model/model.js';
import type { Transition } from '../model/transition.js';
import { kindOf, portOperation } from '../ports/registry.js';
import type { Told } from './told.js';

const NO_LIMIT = defaultsOf(stormLimitOptions);

export class PortSettings {
  private socketOwners = new Map<number, number>();

  constructor(
    private readonly model: SwitchModel,
    private readonly devices: DeviceSource,
    private readonly told: Told,
  ) {}

  /** A new port's flags are part of the operation that adds it, and it has no storm limit yet. */
  begin(port: Port): void {
    this.told.note(port, portOperation(port));
    this.told.note(port, stormOperation(port, NO_LIMIT));
  }

  setAllFlags(change: Transition): void {
    for (const port of this.model.ports.values()) this.setFlags(port, change);
  }

  setStorm(port: Port, change: Transition): void {
    this.told.tell(port, stormOperation(port, port.config.storm_limit), change.structure);
  }

  /** Bridge, flags and MTU of the port. Bridges affect flags too. */
  setFlags(port: Port, change: Transition): void {
    this.told.tell(port, portOperation(port), change.structure);
  }

  /** `mtu: auto` follows the routes to the remotes. */
  setMtus(change: Transition): void {
    const { bridges, ports } = this.model;
    const ways = new Map<Port, number | null>();
    for (const port of ports.values()) ways.set(port, kindOf(port).wayMtu(port.config, this.devices, port));
    for (const bridge of bridges.values()) {
      bridge.mtu = automaticMtu(bridge.ports.flatMap((port) => ways.get(port) ?? []));
    }
    for (const [port, way] of ways) {
      if (kindOf(port).setMtu(port, way, port.bridge?.mtu ?? DEFAULT_MTU)) this.setFlags(port, change);
    }
  }

  /** Datagrams without a port are counted at the first port on their socket. */
  setSocketOwners(change: Transition): void {
    const owners = new Map<number, number>();
    for (const port of this.model.ports.values()) {
      for (const socket of kindOf(port).sockets(port)) if (!owners.has(socket)) owners.set(socket, port.index);
    }
    for (const [socket, owner] of owners) {
      if (this.socketOwners.get(socket) !== owner) change.structure.push({ op: 'socket-owner', socket, owner });
    }
    this.socketOwners = owners;
  }
}

function stormOperation({ index }: Port, limit: Port['config']['storm_limit']): Operation {
  const { broadcast, unknown_unicast: unknownUnicast, multicast } = limit;
  return { op: 'storm', port: index, broadcast, unknownUnicast, multicast };
}
