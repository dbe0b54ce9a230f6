/**
 * Port settings sent at the end of a change: flags, MTUs, storm limits, and the port that counts datagrams without a port.
 */
import { defaultsOf } from '../../config/options/option.js';
import { stormLimitOptions } from '../../config/options/port.js';
import type { Operation } from '../../dataplane/operations/operations.js';
import { MSS_AUTO } from '../../dataplane/state/forwarding.js';
import { MIRROR_EGRESS, MIRROR_INGRESS } from '../../dataplane/state/mirrors.js';
import { FLAG_LOCKED } from '../../fdb/table.js';
import { Refusal } from '../../values/address.js';
import { readCvlanMap } from '../../values/cvlan-map.js';
import { automaticMtu, DEFAULT_MTU, type DeviceSource } from '../devices/devices.js';
import type { Port, SwitchModel } from '../model/model.js';
import type { Transition } from '../model/transition.js';
import { guardOperation, noGuard } from '../ports/port-guards.js';
import { noPolice, policeOperation } from '../ports/port-police.js';
import { kindOf, portOperation } from '../ports/registry.js';
import type { Backups } from './backups.js';
import type { Told } from './told.js';

const DIRECTIONS = { off: 0, ingress: MIRROR_INGRESS, egress: MIRROR_EGRESS, both: MIRROR_INGRESS | MIRROR_EGRESS };
const NO_LIMIT = defaultsOf(stormLimitOptions);

export class PortSettings {
  private socketOwners = new Map<number, number>();
  private readonly withMab = new WeakSet<Port>();

  constructor(
    private readonly model: SwitchModel,
    private readonly devices: DeviceSource,
    private readonly told: Told,
    private readonly backups: Backups,
  ) {}

  /** A new port's flags are part of the operation that adds it, and it has no storm limit yet. */
  begin(port: Port): void {
    this.told.note(port, portOperation(port));
    this.told.note(port, stormOperation(port, NO_LIMIT));
    this.told.note(port, mssOperation(port, 'off'));
    this.told.note(port, { op: 'mirror', port: port.index, directions: 0, ports: null, vlans: null });
    this.backups.begin(port);
    this.told.note(port, noGuard(port));
    this.told.note(port, cvlansOperation(port, []));
    this.told.note(port, noPolice(port));
    this.told.note(port, { op: 'group-fwd', port: port.index, mask: 0 });
  }

  setAllFlags(change: Transition): void {
    for (const port of this.model.ports.values()) this.setFlags(port, change);
  }

  setStorm(port: Port, change: Transition): void {
    this.told.tell(port, stormOperation(port, port.config.storm_limit), change.structure);
  }

  setMss(port: Port, change: Transition): void {
    this.told.tell(port, mssOperation(port, port.config.mss_clamp), change.structure);
  }

  setCvlans(port: Port, change: Transition): void {
    this.told.tell(port, cvlansOperation(port, port.config.cvlan_map), change.structure);
  }

  /** Bridge, flags and MTU of the port, and its guard. Bridges affect all but the MTU too. */
  setFlags(port: Port, change: Transition): void {
    this.told.tell(port, portOperation(port), change.structure);
    this.told.tell(port, guardOperation(port, port.bridge?.config ?? null), change.structure);
    this.told.tell(port, policeOperation(port), change.structure);
    this.told.tell(port, { op: 'group-fwd', port: port.index, mask: port.config.group_fwd_mask }, change.structure);
    this.followMab(port, change);
  }

  /** Turned off, MAB leaves no locked entries (Linux br_setport). */
  private followMab(port: Port, change: Transition): void {
    if (port.config.mab) this.withMab.add(port);
    else if (this.withMab.delete(port))
      change.flushes.push({ owner: port.index, flagsMask: FLAG_LOCKED, flagsValue: FLAG_LOCKED });
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

  /** Mirrors name ports, whose indexes change. */
  setMirrors(change: Transition): void {
    for (const port of this.model.ports.values()) this.told.tell(port, this.mirrorOperation(port), change.structure);
  }

  private mirrorOperation({ index, bridge, config }: Port): Operation {
    const directions = bridge === null ? 0 : DIRECTIONS[config.mirror];
    if (directions === 0) return { op: 'mirror', port: index, directions: 0, ports: null, vlans: null };
    const ports = config.mirror_ports.flatMap((name) => this.model.ports.get(name)?.index ?? []);
    const vlans = config.mirror_vlans.flatMap(({ first, last }) =>
      Array.from({ length: last - first + 1 }, (_, at) => first + at),
    );
    return {
      op: 'mirror',
      port: index,
      directions,
      ports: config.mirror_ports.length === 0 ? null : ports.sort((one, other) => one - other),
      vlans: config.mirror_vlans.length === 0 ? null : vlans,
    };
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

function cvlansOperation({ index }: Port, texts: readonly string[]): Operation {
  const maps = texts.flatMap((text) => {
    const read = readCvlanMap(text);
    return read instanceof Refusal ? [] : [{ ...read.customers, service: read.service }];
  });
  return { op: 'cvlans', port: index, maps };
}

function mssOperation({ index }: Port, clamp: Port['config']['mss_clamp']): Operation {
  return { op: 'mss', port: index, mss: clamp === 'off' ? 0 : clamp === 'auto' ? MSS_AUTO : clamp };
}
