/**
 * Ports that come, stay and go: their devices, numbers and place in a bridge.
 */
import type { VxlanConfig } from '../../config/types.js';
import { ABSENT_HOST_PORT } from '../../dataplane/state/destination.js';
import { parseAddress } from '../../wire/ip-address.js';
import { DEFAULT_MTU, type DeviceSource, type Released } from '../devices/devices.js';
import type {
  BridgeModel,
  OpenTap,
  OpenUnderlay,
  Port,
  SenderPools,
  SwitchModel,
  TapPort,
  VxlanPort,
} from '../model/model.js';
import { Numbers } from '../model/numbers.js';
import type { WantedPort } from '../plan/desired.js';
import { flagsOf, hostOf, portOperation, sameTunnel, tunnelOptions } from './facts.js';
import type { Memberships } from './memberships.js';
import { macOf, type PortEntries } from './port-entries.js';
import type { PortSettings } from './port-settings.js';
import type { Transition } from './transition.js';

/** Devices that a change has opened. */
export interface Opened {
  taps: Map<string, OpenTap>;
  underlays: Map<string, OpenUnderlay>;
  /** Of `taps`, those of ports that end: the device stays and goes over to a port of another name. */
  inherited: Set<OpenTap>;
  /** Why the devices of ports cannot be opened yet, by name; what stands in their place is in `taps` and `underlays`. */
  absent: Map<string, string>;
  /** New pools of sending sockets for vxlan ports that stay. */
  pools: Map<string, SenderPools>;
  /** Takes changes of NICs back that are open already. */
  undo: (() => void)[];
}

export class PortLife {
  private readonly numbers = new Numbers('ports, host ports among them', 0, ABSENT_HOST_PORT);
  /** Sockets of ports that end in this change, and that another port has too. */
  private readonly kept = new Set<number>();

  constructor(
    private readonly model: SwitchModel,
    private readonly devices: DeviceSource,
    private readonly entries: PortEntries,
    private readonly memberships: Memberships,
    private readonly settings: PortSettings,
  ) {}

  /** @throws DeviceError when there is no room for so many more */
  checkRoom(ports: number): void {
    this.numbers.need(ports);
  }

  /** A port that was not there; its devices are open. */
  begin(wanted: WantedPort, opened: Opened, change: Transition): void {
    const { name, role, config } = wanted;
    const bridge = this.bridgeOf(wanted);
    const fault = opened.absent.get(name) ?? null;
    const base = { index: this.numbers.take(), name, bridge, vlans: new Map(), pvid: 0, fault };
    let port: Port;
    if (config.type === 'tap') {
      const tap = opened.taps.get(name) as OpenTap;
      port = { ...base, kind: 'tap', config, tap, role, ownSegments: [], ownMac: tap.mac };
    } else {
      port = {
        ...base,
        kind: 'vxlan',
        config,
        underlay: opened.underlays.get(name) as OpenUnderlay,
        mtu: DEFAULT_MTU,
        host: hostOf(this.model, name),
        vnis: [],
        vteps: new Map(),
        sentVnis: new Map(),
        pins: new Map(),
      };
    }
    this.model.ports.set(name, port);
    this.model.portAt[port.index] = port;
    if (fault !== null) this.model.lost.add(port.index);
    bridge?.ports.push(port);
    if (port.kind === 'tap') this.attachTap(port, change);
    else this.attachVxlan(port, change);
    if (isHostOfBridge(port)) this.entries.beginHost(name);
    this.settings.begin(port);
    this.settings.setStorm(port, null, change);
    this.memberships.setVlans(port, change);
    if (port.kind === 'vxlan') this.memberships.setVnis(port, change);
    if (port.kind === 'vxlan') this.entries.setPeers(port, [], port.config.peers);
  }

  private attachTap(port: TapPort, change: Transition): void {
    const { fds, vnetHeaderSize, mtu } = port.tap;
    const flags = flagsOf(port);
    change.structure.push({
      op: 'local-port',
      port: port.index,
      bridge: port.bridge?.index ?? 0,
      fds,
      vnetHeaderSize,
      flags,
      mtu,
    });
  }

  private attachVxlan(port: VxlanPort, change: Transition): void {
    const { config, underlay, host } = port;
    this.attachSocket(port, underlay.socket, underlay.socket, change);
    if (underlay.group !== null) this.attachSocket(port, underlay.group, underlay.socket, change);
    this.attachSenders(allSenders(underlay.pools), change);
    change.structure.push({
      op: 'tunnel-port',
      port: port.index,
      bridge: port.bridge?.index ?? 0,
      flags: flagsOf(port),
      socket: underlay.socket,
      ...underlay.pools,
      udpPort: config.dstport,
      local: localOf(config),
      ...tunnelOptions(config),
      mac: host === null ? null : macOf(host.ownMac),
    });
  }

  /** @param as the socket whose VNIs the datagrams belong to */
  private attachSocket(port: VxlanPort, socket: number, as: number, change: Transition): void {
    const isShared = [...this.model.ports.values()].some(
      (other) => other !== port && other.kind === 'vxlan' && socketsOf(other).includes(socket),
    );
    // A port of before that ends in this change may have it still: the engines have the socket then.
    if (isShared || this.kept.has(socket)) return;
    if (change.structure.some((o) => o.op === 'socket' && o.socket === socket)) return;
    change.structure.push({ op: 'socket', socket, fds: this.devices.receiverFds(socket), owner: port.index, as });
  }

  private attachSenders(senders: readonly number[], change: Transition): void {
    for (const sender of senders) {
      const fds = this.devices.senderFds(sender);
      change.structure.push({ op: 'sender', sender, fds, udpPort: this.devices.senderPort(sender) });
    }
  }

  /** A port that is not wanted any more. */
  end(port: Port, inherited: ReadonlySet<OpenTap>, change: Transition): void {
    if (isHostOfBridge(port)) this.entries.endHost(port, change);
    else this.entries.forgetPort(port, change);
    this.leaveBridge(port);
    this.model.ports.delete(port.name);
    change.structure.push({ op: 'port-del', port: port.index });
    change.flushes.push({ owner: port.index });
    if (port.kind === 'vxlan') {
      this.entries.end(port, change);
      const sockets = socketsOf(port);
      this.letGo(this.devices.release({ sockets, senders: allSenders(port.underlay.pools) }), sockets, change);
    } else if (!inherited.has(port.tap)) {
      change.afterwards.push(() => remove(port.tap));
    }
    this.memberships.end(port, change);
    this.settings.end(port);
    change.afterwards.push(() => {
      if (this.model.portAt[port.index] === port) this.model.portAt[port.index] = undefined;
      this.model.lost.delete(port.index);
      this.numbers.give(port.index);
    });
  }

  private letGo(released: Released, sockets: readonly number[], change: Transition): void {
    for (const socket of sockets) if (!released.sockets.includes(socket)) this.kept.add(socket);
    for (const socket of released.sockets) change.structure.push({ op: 'socket-del', socket });
    for (const sender of released.senders) change.structure.push({ op: 'sender-del', sender });
    change.afterwards.push(() => {
      released.close();
      this.kept.clear();
    });
  }

  private leaveBridge(port: Port): void {
    const { bridge } = port;
    if (bridge !== null) bridge.ports = bridge.ports.filter((other) => other !== port);
    port.bridge = null;
  }

  private bridgeOf({ bridge }: WantedPort): BridgeModel | null {
    return bridge === null ? null : (this.model.bridges.get(bridge.name) ?? null);
  }

  // ---- Ports that stay ----

  /** A port that is there and stays. */
  update(port: Port, wanted: WantedPort, opened: Opened, change: Transition): void {
    const before = port.config;
    const bridge = this.bridgeOf(wanted);
    port.config = wanted.config;
    if (bridge !== port.bridge) this.move(port, bridge, change);
    this.settings.setStorm(port, before, change);
    if (port.kind === 'tap') this.followMac(port, change);
    this.memberships.setVlans(port, change);
    if (port.kind === 'vxlan') this.updateVxlan(port, before as VxlanConfig, opened, change);
  }

  /** A host port has the MAC of its NIC, whoever has changed that: where another one was known it is no more. */
  followMac(port: TapPort, change: Transition): void {
    if (port.role === 'guest' || port.ownMac === port.tap.mac) return;
    for (const fid of port.ownSegments) change.structure.push({ op: 'fdb-del', ...macOf(port.ownMac), fid });
    port.ownSegments = [];
    port.ownMac = port.tap.mac;
    // Nobody is to be told the old one; the host's own frames tell the new one.
    change.structure.push({ op: 'neigh-flush', port: port.index, learnedOnly: true });
    for (const other of this.model.ports.values()) {
      if (other.kind !== 'vxlan' || other.host !== port) continue;
      change.structure.push({ op: 'tunnel-mac', port: other.index, mac: macOf(port.ownMac) });
    }
  }

  private move(port: Port, bridge: BridgeModel | null, change: Transition): void {
    this.entries.forgetPort(port, change);
    this.leaveBridge(port);
    port.bridge = bridge;
    bridge?.ports.push(port);
    // Told with the flags, but nothing may be learned in the old bridge any more once its entries are flushed.
    change.structure.push(portOperation(port));
    change.flushes.push({ owner: port.index });
    if (port.kind === 'tap') port.ownSegments = [];
  }

  private updateVxlan(port: VxlanPort, before: VxlanConfig, opened: Opened, change: Transition): void {
    const { config } = port;
    const pools = opened.pools.get(port.name);
    if (pools !== undefined) this.attachSenders(allSenders(pools), change);
    if (pools !== undefined || !sameTunnel(before, config)) {
      change.structure.push({
        op: 'tunnel',
        port: port.index,
        ...(pools ?? port.underlay.pools),
        ...tunnelOptions(config),
      });
    }
    if (pools !== undefined) {
      this.letGo(this.devices.release({ sockets: [], senders: allSenders(port.underlay.pools) }), [], change);
      port.underlay.pools = pools;
    }
    if (before.accept_vteps === 'any' && config.accept_vteps !== 'any') change.retiring.push(port.index);
    this.memberships.setVnis(port, change);
    this.entries.setPeers(port, before.peers, config.peers);
  }
}

/** The outer source address as words; null: the route's. */
function localOf({ local }: VxlanConfig): number[] | null {
  return local === undefined ? null : (parseAddress(local)?.words ?? null);
}

/** Its entries are those of the bridge itself, and stay with that. */
function isHostOfBridge(port: Port): boolean {
  return port.kind === 'tap' && port.role === 'bridge';
}

function allSenders({ senders, dfSenders }: SenderPools): number[] {
  return [...senders, ...dfSenders];
}

function socketsOf({ underlay: { socket, group } }: VxlanPort): number[] {
  return group === null ? [socket] : [socket, group];
}

/** A port that is taken away takes its NIC along: `persist` is for the end of the switch. */
function remove(tap: OpenTap): void {
  try {
    tap.setPersist(false);
  } catch {
    // Its device has gone already.
  }
  tap.close();
}
