/**
 * From a configuration to a running switch's model, and to the operations that make the engine forward by it.
 * Numbers are handed out here: ports, remotes, VNI headers and counters.
 */
import type { BridgeConfig, SwitchConfig, TapConfig, VxlanConfig } from '../config/types.js';
import { MAX_PORTS } from '../dataplane/counters.js';
import { TICK_MS } from '../dataplane/engine.js';
import type { Operation } from '../dataplane/operations.js';
import { TOS_INHERIT } from '../encap/tunnel.js';
import { AGEING_NEVER, FLAG_PERMANENT } from '../fdb/table.js';
import { entries, floodLists, macOf, RemoteNumbers, setEntry, vidsOf } from './compile-fdb.js';
import { automaticMtu, DeviceError, type Devices, vxlanMtu } from './devices.js';
import { type BridgeModel, hostPortName, type Port, type SwitchModel, type TapPort, type VxlanPort } from './model.js';
import { portFlags, vxlanFlags } from './port-flags.js';

const TICKS_PER_SECOND = 1000 / TICK_MS;

export interface Compiled {
  model: SwitchModel;
  operations: Operation[];
}

/** Opens the devices of a configuration and says what the engine has to know. @throws DeviceError */
export function compile(config: SwitchConfig, devices: Devices): Compiled {
  const compiler = new Compiler(config, devices);
  for (const bridge of config.bridges) compiler.addBridge(bridge);
  return { model: compiler.model, operations: [...compiler.socketOperations(), ...compiler.operations] };
}

class Compiler {
  readonly model: SwitchModel;
  readonly operations: Operation[] = [];
  private readonly remotes = new RemoteNumbers(this.operations);
  private nextHeader = 0;
  private readonly counters = new Map<number, number>();

  constructor(
    config: SwitchConfig,
    private readonly devices: Devices,
  ) {
    this.model = { config, bridges: [], ports: [], lost: new Set() };
  }

  /** Sockets come first: ports refer to them. */
  socketOperations(): Operation[] {
    const owners = this.devices.receivers.map((_, socket) =>
      this.model.ports.find((port) => port.kind === 'vxlan' && port.underlay.socket === socket),
    );
    return [
      ...this.devices.receivers.map(
        ({ fds }, socket): Operation => ({ op: 'socket', socket, fds, owner: owners[socket]?.index ?? 0 }),
      ),
      ...this.devices.senders.map(({ fd }, sender): Operation => ({ op: 'sender', sender, fd })),
    ];
  }

  addBridge(config: BridgeConfig): void {
    const bridge: BridgeModel = { index: this.model.bridges.length, name: config.name, config, ports: [], mtu: 0 };
    this.model.bridges.push(bridge);
    this.operations.push({
      op: 'bridge',
      bridge: bridge.index,
      filtering: config.vlanFiltering,
      // With ageing time 0 nothing is learned (portFlags); what is configured stays.
      ageingTicks: config.ageingTime === 0 ? AGEING_NEVER : config.ageingTime * TICKS_PER_SECOND,
      maxLearned: config.fdbMaxLearned,
    });
    const vxlans = config.ports.filter((port) => port.type === 'vxlan');
    const mtus = new Map(vxlans.map((port) => [port.name, vxlanMtu(port, remotesOf(port))]));
    bridge.mtu = automaticMtu([...mtus.values()]);
    if (config.hostPort) this.addHostPort(bridge, config, 'bridge', bridge.name);
    for (const port of config.ports) {
      if (port.type === 'tap') this.addTap(bridge, port);
      else this.addVxlan(bridge, port, mtus.get(port.name) ?? bridge.mtu);
    }
    for (const port of bridge.ports) this.operations.push(...entries(port, this.remotes));
  }

  private addTap(
    bridge: BridgeModel,
    config: TapConfig,
    role: TapPort['role'] = 'guest',
    tap?: TapPort['tap'],
  ): TapPort {
    const mtu = config.mtu === 'auto' ? bridge.mtu : config.mtu;
    const port: TapPort = {
      kind: 'tap',
      index: this.model.ports.length,
      name: config.name,
      bridge,
      config,
      role,
      tap: tap ?? this.devices.guestTap(config, mtu),
    };
    this.register(port);
    const flags = portFlags(bridge.config, config);
    this.operations.push({
      op: 'tap',
      port: port.index,
      bridge: bridge.index,
      fds: port.tap.fds,
      vnetHeaderSize: port.tap.vnetHeaderSize,
      flags,
      mtu: port.tap.mtu,
    });
    this.addVlans(port);
    return port;
  }

  /** The host's own port: a TAP that is like a guest's but lies in the switch's namespace and is known from the start. */
  private addHostPort(
    bridge: BridgeModel,
    link: BridgeConfig | VxlanConfig,
    role: 'bridge' | 'vxlan',
    name: string,
  ): TapPort {
    const tap = this.devices.hostTap(link, link.mtu === 'auto' ? bridge.mtu : link.mtu);
    const port = this.addTap(bridge, hostPortConfig(bridge.config, link, name), role, tap);
    const mac = macOf(tap.mac);
    for (const vid of vidsOf(port)) this.operations.push(...setEntry(port, mac, vid, 0, FLAG_PERMANENT));
    return port;
  }

  private addVxlan(bridge: BridgeModel, config: VxlanConfig, mtu: number): void {
    const underlay = this.devices.underlay(config);
    const host = config.hostPort ? this.addHostPort(bridge, config, 'vxlan', hostPortName(config.name)) : null;
    const port: VxlanPort = {
      kind: 'vxlan',
      index: this.model.ports.length,
      name: config.name,
      bridge,
      config,
      underlay,
      mtu,
      host,
      vnis: [],
      remotes: new Map(),
      destinations: [],
    };
    this.register(port);
    this.operations.push({
      op: 'vxlan',
      port: port.index,
      bridge: bridge.index,
      flags: portFlags(bridge.config, config) | vxlanFlags(config),
      socket: underlay.socket,
      senders: underlay.senders,
      udpPort: config.dstport,
      tos: config.tos === 'inherit' ? TOS_INHERIT : config.tos,
      ageingTicks:
        config.ageing === undefined ? 0 : config.ageing === 0 ? AGEING_NEVER : config.ageing * TICKS_PER_SECOND,
      maxLearned: config.maxaddress,
      mac: host === null ? null : macOf(host.tap.mac),
    });
    this.addVlans(port);
    this.addVnis(port);
    for (const address of [...remotesOf(config), ...config.peers]) this.remotes.of(port, address);
    this.operations.push(...floodLists(port, this.remotes));
  }

  private register(port: Port): void {
    if (port.index >= MAX_PORTS)
      throw new DeviceError(`${port.name}: a switch has at most ${MAX_PORTS} ports, host ports among them`);
    this.model.ports.push(port);
    port.bridge.ports.push(port);
  }

  private addVlans(port: Port): void {
    for (const { vid, untagged, pvid } of port.config.vlans) {
      this.operations.push({ op: 'vlan', port: port.index, vid, untagged });
      if (pvid) this.operations.push({ op: 'pvid', port: port.index, vid });
    }
  }

  private addVnis(port: VxlanPort): void {
    const { config } = port;
    const mapped: { vni: number; vid: number | null }[] = config.vlanTunnel
      ? config.vlans.flatMap(({ vid, vni }) => (vni === undefined ? [] : [{ vni, vid }]))
      : [{ vni: config.id as number, vid: null }];
    for (const { vni, vid } of mapped) {
      const counter = this.counterOf(vni);
      port.vnis.push({ vni, vid, counter });
      this.operations.push({ op: 'vni', port: port.index, vid, vni, header: this.nextHeader++, counter });
    }
  }

  /** Counters are by VNI, whichever port it is on. */
  private counterOf(vni: number): number {
    const known = this.counters.get(vni);
    if (known !== undefined) return known;
    this.counters.set(vni, this.counters.size);
    return this.counters.size - 1;
  }
}

/** Every address that frames may be sent to. */
function remotesOf(port: VxlanConfig): Set<string> {
  const own = port.vlans.flatMap((vlan) => vlan.remotes);
  const entries = port.fdb.flatMap((entry) => (entry.dst === undefined ? [] : [entry.dst]));
  return new Set([...port.remotes, ...own, ...entries]);
}

/** A host port's place in the bridge: the VLANs of its vxlan port where that has a single VNI, else the default PVID. */
function hostPortConfig(bridge: BridgeConfig, link: BridgeConfig | VxlanConfig, name: string): TapConfig {
  const pvid = bridge.vlanDefaultPvid;
  const ownVlans = 'type' in link && !link.vlanTunnel ? link.vlans : [];
  const byDefault = bridge.vlanFiltering && pvid !== 0 ? [{ vid: pvid, pvid: true, untagged: true, remotes: [] }] : [];
  return {
    type: 'tap',
    name,
    ifname: link.name,
    addresses: link.addresses,
    mtu: link.mtu,
    persist: link.persist,
    vlans: ownVlans.length > 0 ? ownVlans : byDefault,
    learning: true,
    flood: true,
    mcastFlood: true,
    bcastFlood: true,
    isolated: false,
    locked: false,
    neighSuppress: false,
    fdb: [],
    options: {},
  };
}
