/**
 * From a configuration to a running switch's model, and to the operations that make the engine forward by it.
 * Numbers are handed out here: ports, remotes, VNI headers and counters.
 */
import type {
  BridgeConfig,
  FdbEntryConfig,
  PortConfig,
  SwitchConfig,
  TapConfig,
  VxlanConfig,
} from '../config/types.js';
import { TICK_MS } from '../dataplane/engine.js';
import * as flag from '../dataplane/forwarding.js';
import type { Operation } from '../dataplane/operations.js';
import { STATIC_REMOTES } from '../encap/remotes.js';
import { TOS_INHERIT } from '../encap/tunnel.js';
import { AGEING_NEVER, FLAG_ADDED, FLAG_PERMANENT, FLAG_PINNED, FLAG_STATIC, FLAG_STICKY } from '../fdb/table.js';
import { isMulticastHigh, isZeroMac, parseMac } from '../wire/ethernet.js';
import { parseAddress } from '../wire/ip-address.js';
import { automaticMtu, type Devices, vxlanMtu } from './devices.js';
import { type BridgeModel, hostPortName, type Port, type SwitchModel, type TapPort, type VxlanPort } from './model.js';

const TICKS_PER_SECOND = 1000 / TICK_MS;
const ZERO_MAC = '00:00:00:00:00:00';

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
  private nextRemote = 1; // 0 means none
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
        ({ fd }, socket): Operation => ({ op: 'socket', socket, fd, owner: owners[socket]?.index ?? 0 }),
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
    for (const port of bridge.ports) this.addEntries(port);
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
      fd: port.tap.fd,
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
    const mac = mustParseMac(tap.mac);
    for (const vid of vidsOf(port)) this.setEntry(port, mac, vid, 0, FLAG_PERMANENT);
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
      mac: host === null ? null : mustParseMac(host.tap.mac),
    });
    this.addVlans(port);
    this.addVnis(port);
    for (const address of [...remotesOf(config), ...config.peers]) this.remoteOf(port, address);
    this.addFloodLists(port);
  }

  private register(port: Port): void {
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

  /** The number of a remote of the port; a `udpPort` other than the port's own makes it one of its own. */
  private remoteOf(port: VxlanPort, address: string, udpPort = port.config.dstport): number {
    const own = udpPort === port.config.dstport;
    const key = own ? address : `${address} ${udpPort}`;
    const existing = port.remotes.get(key);
    if (existing !== undefined) return existing;
    if (!own) this.remoteOf(port, address); // what comes from that address is known under the port's own dstport
    const parsed = parseAddress(address);
    if (parsed === null) throw new TypeError(`not an address: ${address}`);
    if (this.nextRemote >= STATIC_REMOTES) throw new RangeError(`more than ${STATIC_REMOTES - 1} remotes`);
    const remote = this.nextRemote++;
    port.remotes.set(key, remote);
    this.operations.push({ op: 'remote', remote, port: port.index, address: parsed.words, udpPort, known: own });
    return remote;
  }

  /** The flood list of each VNI: the port's remotes, the VNI's own, and those of all-zeros FDB entries; each once. */
  private addFloodLists(port: VxlanPort): void {
    const { config } = port;
    const zeros = config.fdb.filter((entry) => entry.mac === ZERO_MAC && entry.dst !== undefined);
    for (const dst of config.remotes) port.destinations.push({ mac: ZERO_MAC, dst, state: 'permanent' });
    for (const { vni, vid } of port.vnis) {
      const own = config.vlans.find((vlan) => vlan.vid === vid)?.remotes ?? [];
      for (const dst of own)
        if (!config.remotes.includes(dst)) port.destinations.push({ mac: ZERO_MAC, vni, dst, state: 'permanent' });
      const remotes = [...config.remotes, ...own].map((dst) => this.remoteOf(port, dst));
      for (const entry of zeros) {
        if (entry.vni === undefined || entry.vni === vni)
          remotes.push(this.remoteOf(port, entry.dst as string, entry.port));
      }
      this.operations.push({ op: 'flood', port: port.index, vid, remotes: [...new Set(remotes)] });
    }
    for (const entry of zeros) port.destinations.push(destinationRow(entry));
  }

  /** Configured FDB entries, once every port of the bridge has its number. */
  private addEntries(port: Port): void {
    const pins = new Map<string, FdbEntryConfig[]>();
    for (const entry of port.config.fdb) {
      if (entry.mac === ZERO_MAC) continue;
      const mac = mustParseMac(entry.mac);
      if (port.kind === 'vxlan' && entry.dst !== undefined && isMulticastHigh(mac.high)) {
        const key = `${entry.mac} ${entry.vni ?? ''}`;
        pins.set(key, [...(pins.get(key) ?? []), entry]);
        continue;
      }
      const remote = port.kind === 'vxlan' && entry.dst !== undefined ? this.remoteOf(port, entry.dst, entry.port) : 0;
      for (const vid of entryVids(port, entry)) this.setEntry(port, mac, vid, remote, entryFlags(entry, remote));
    }
    if (port.kind === 'vxlan') for (const entries of pins.values()) this.pin(port, entries);
  }

  /** A multicast MAC with remotes of its own. */
  private pin(port: VxlanPort, entries: FdbEntryConfig[]): void {
    const [first] = entries;
    const remotes = entries.map((entry) => this.remoteOf(port, entry.dst as string, entry.port));
    for (const vid of entryVids(port, first)) {
      this.operations.push({
        op: 'pin',
        port: port.index,
        vid,
        ...mustParseMac(first.mac),
        remotes: [...new Set(remotes)],
        flags: FLAG_STATIC | FLAG_PINNED,
      });
    }
    port.destinations.push(...entries.map(destinationRow));
  }

  private setEntry(port: Port, mac: { high: number; low: number }, vid: number, remote: number, flags: number): void {
    if (isZeroMac(mac.high, mac.low)) return;
    this.operations.push({
      op: 'fdb',
      high: mac.high,
      low: mac.low,
      segment: flag.segmentOf(port.bridge.index, vid),
      destination: flag.destinationOf(port.index, remote),
      owner: port.index,
      flags,
    });
  }
}

/** Every address that frames may be sent to. */
function remotesOf(port: VxlanConfig): Set<string> {
  const own = port.vlans.flatMap((vlan) => vlan.remotes);
  const entries = port.fdb.flatMap((entry) => (entry.dst === undefined ? [] : [entry.dst]));
  return new Set([...port.remotes, ...own, ...entries]);
}

/** The VLANs that an entry is for; [0] in a bridge without VLAN filtering. */
function entryVids(port: Port, entry: FdbEntryConfig): number[] {
  if (!port.bridge.config.vlanFiltering) return [0];
  if (entry.vlan !== undefined) return [entry.vlan];
  if (port.kind === 'vxlan' && entry.vni !== undefined) {
    const vids = port.vnis.flatMap(({ vni, vid }) => (vni === entry.vni && vid !== null ? [vid] : []));
    if (vids.length > 0) return vids;
  }
  return vidsOf(port);
}

/** The VLANs of a port; [0] in a bridge without VLAN filtering. */
function vidsOf(port: Port): number[] {
  return port.bridge.config.vlanFiltering ? port.config.vlans.map(({ vid }) => vid) : [0];
}

function entryFlags(entry: FdbEntryConfig, remote: number): number {
  const sticky = entry.sticky ? FLAG_STICKY : 0;
  const pinned = remote === 0 ? 0 : FLAG_PINNED;
  if (entry.state === 'dynamic') return FLAG_ADDED | sticky;
  return (entry.state === 'permanent' ? FLAG_PERMANENT : FLAG_STATIC) | pinned | sticky;
}

function portFlags(bridge: BridgeConfig, port: PortConfig): number {
  // Ageing time 0 switches learning off, as in Linux br_fdb_update.
  const learning = port.learning && bridge.ageingTime > 0;
  return (
    flag.UP |
    (learning ? flag.LEARNING : 0) |
    (port.flood ? flag.FLOOD : 0) |
    (port.mcastFlood ? flag.MCAST_FLOOD : 0) |
    (port.bcastFlood ? flag.BCAST_FLOOD : 0) |
    (port.isolated ? flag.ISOLATED : 0) |
    (port.locked ? flag.LOCKED : 0)
  );
}

function vxlanFlags(port: VxlanConfig): number {
  const pins = port.fdb.some((entry) => entry.dst !== undefined && isMulticastHigh(mustParseMac(entry.mac).high));
  return (
    (port.vlanTunnel ? flag.VLAN_TUNNEL : 0) |
    (port.innerVlan === 'keep' ? flag.KEEP_INNER_VLAN : 0) |
    (port.reservedBits === 'drop' ? flag.DROP_RESERVED_BITS : 0) |
    (port.acceptVteps === 'any' ? flag.ANY_VTEP : 0) |
    (pins ? flag.HAS_PINS : 0)
  );
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

function destinationRow(entry: FdbEntryConfig): VxlanPort['destinations'][number] {
  return {
    mac: entry.mac,
    dst: entry.dst as string,
    state: entry.state === 'permanent' ? 'permanent' : 'static',
    ...(entry.vni === undefined ? {} : { vni: entry.vni }),
    ...(entry.port === undefined ? {} : { port: entry.port }),
  };
}

function mustParseMac(text: string): { high: number; low: number } {
  const mac = parseMac(text);
  if (mac === null) throw new TypeError(`not a MAC: ${text}`);
  return mac;
}
