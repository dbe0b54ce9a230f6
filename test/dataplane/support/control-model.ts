/**
 * From a compact description of a switch to the operations of the control thread, at start and for each change.
 *
 * Assigns indexes in tests (`numbers.ts`): bridges, ports, sockets, senders, remotes, headers, counters, lists. Released
 * indexes are reused, the lowest first. It never touches a switch.
 */

import type { Operation } from '../../../src/dataplane/operations/operations.js';
import { destinationOf } from '../../../src/dataplane/state/destination.js';
import { LAYER3, MSS_AUTO, UP } from '../../../src/dataplane/state/forwarding.js';
import { NO_POLICE } from '../../../src/dataplane/state/policers.js';
import { fidOf } from '../../../src/dataplane/state/fid.js';
import { FLAG_PERMANENT, FLAG_PINNED, FLAG_STATIC } from '../../../src/fdb/table.js';
import { parseAddress } from '../../../src/wire/ip-address.js';
import { connectedRoutes, wordsOf } from '../../../src/control/model/routes.js';
import { Pool } from './numbers.js';
import { rangeOf } from '../../../src/control/ports/port-guards.js';
import {
  type BridgeSpec,
  type EntrySpec,
  flagsOf,
  type GatewaySpec,
  type HostSpec,
  mac,
  remoteKey,
  type TapSpec,
  type VxlanSpec,
} from './specs.js';

/** The memory PacketIo asks for no descriptors. */
const FD = -1;
const ALL_ROWS = 0x7fffffff;
/** Outer source port of the sending socket with number 0; the others have those behind it. */
export const SOURCE_PORT = 50_000;

export type { BridgeSpec, EntrySpec, TapSpec, VxlanSpec } from './specs.js';

/** In place of a bridge's name: the ports that belong to none. */
export const NO_BRIDGE = '-';

interface PortState {
  name: string;
  number: number;
  bridge: string;
  spec: TapSpec | VxlanSpec;
  socket: number;
  senders: number[];
  dfSenders: number[];
  /** Accounts of its memberships, by VID. */
  counters: Map<number, number>;
  /** What its VLANs are mapped to; VID 0 stands for all of them. */
  vnis: Map<number, { vni: number; header: number }>;
  /** By `address udpPort`. */
  remotes: Map<string, number>;
  /** Numbers of the lists of pinned MACs, by `mac vlan`. */
  pins: Map<string, number>;
}

export class Topology {
  readonly ports = new Map<string, PortState>();
  /** Vxlan port of a sending socket. */
  readonly senders = new Map<number, string>();
  readonly bridges = new Map<string, number>([[NO_BRIDGE, 0]]);
  private readonly pools = {
    bridge: new Pool(1),
    port: new Pool(0),
    socket: new Pool(0),
    sender: new Pool(0),
    remote: new Pool(1),
    header: new Pool(0),
    vlan: new Pool(1),
    list: new Pool(0),
  };

  /** @param sendersOfPort sending sockets of each vxlan port */
  constructor(private readonly sendersOfPort: number) {}

  // ---- Bridges ----

  /** A bridge and its ports; under NO_BRIDGE ports alone. */
  addBridge(name: string, spec: BridgeSpec): Operation[] {
    const operations: Operation[] = [];
    if (name !== NO_BRIDGE) {
      this.bridges.set(name, this.pools.bridge.take());
      operations.push(this.bridge(name, spec));
    }
    for (const [port, portSpec] of Object.entries(spec.ports)) operations.push(...this.makePort(name, port, portSpec));
    for (const port of Object.keys(spec.ports)) operations.push(...this.entries(this.port(port)));
    for (const port of Object.keys(spec.ports)) operations.push(...this.mirror(port));
    return operations;
  }

  /** What the bridge is told with; its ports are left as they are. */
  bridge(name: string, spec: Omit<BridgeSpec, 'ports'>): Operation {
    return {
      op: 'bridge',
      bridge: this.bridgeNumber(name),
      filtering: spec.filtering ?? false,
      serviceTags: spec.serviceTags ?? false,
      ageingTicks: (spec.ageingSeconds ?? 300) * 10,
      maxLearned: spec.maxLearned ?? 0,
      groupFwdMask: spec.groupFwdMask ?? 0,
      ...(spec.localVlan0 === undefined ? {} : { localVlan0: spec.localVlan0 }),
      snooping: spec.snooping ?? false,
      ...(spec.guard === undefined ? {} : { guard: spec.guard }),
      ...(spec.stp === undefined ? {} : { stp: spec.stp }),
    };
  }

  removeBridge(name: string): Operation[] {
    const bridge = this.bridgeNumber(name);
    this.bridges.delete(name);
    this.pools.bridge.give(bridge);
    return [{ op: 'bridge-del', bridge }];
  }

  bridgeNumber(name: string): number {
    const bridge = this.bridges.get(name);
    if (bridge === undefined) throw new Error(`no bridge ${name} in this switch`);
    return bridge;
  }

  // ---- Ports ----

  port(name: string): PortState {
    const port = this.ports.get(name);
    if (port === undefined) throw new Error(`no port ${name} in this switch`);
    return port;
  }

  addPort(bridge: string, name: string, spec: TapSpec | VxlanSpec): Operation[] {
    const operations = this.makePort(bridge, name, spec);
    return [...operations, ...this.entries(this.port(name))];
  }

  private makePort(bridge: string, name: string, spec: TapSpec | VxlanSpec): Operation[] {
    const port: PortState = {
      name,
      number: this.pools.port.take(),
      bridge,
      spec: { ...spec, vlans: [] },
      socket: -1,
      senders: [],
      dfSenders: [],
      counters: new Map(),
      vnis: new Map(),
      remotes: new Map(),
      pins: new Map(),
    };
    this.ports.set(name, port);
    const operations = this.device(port, spec);
    if (spec.type === 'tap' && spec.host !== undefined) operations.push(this.host(name, spec.host));
    operations.push(...this.vlans(name, spec.vlans ?? []));
    if (spec.type === 'vxlan') operations.push(...this.tunnels(port, spec));
    if (spec.type === 'tap' && spec.gateway !== undefined) operations.push(...this.gateway(port, spec, spec.gateway));
    if (spec.storm !== undefined) operations.push(this.storm(port));
    if (spec.mss !== undefined) operations.push(this.mss(port));
    if (spec.guard !== undefined) operations.push(this.guard(port));
    if (spec.police !== undefined) operations.push(this.police(port));
    if (spec.groupFwdMask !== undefined) operations.push(this.groupFwd(port));
    return operations;
  }

  /** What engines are told of the host of a layer-3 port. */
  host(port: string, { mac: text, addresses, gateways = [] }: HostSpec): Operation {
    const wordsOf = (address: string): number[] => [...(parseAddress(address)?.words ?? [])];
    const own = addresses.map((one) => {
      const [address = '', prefix] = one.split('/');
      return { words: wordsOf(address), prefix: Number(prefix) + (address.includes(':') ? 0 : 96) };
    });
    const { number } = this.port(port);
    return { op: 'layer3', port: number, mac: mac(text), addresses: own, gateways: gateways.map(wordsOf) };
  }

  private tap(port: PortState, spec: TapSpec): Operation {
    return {
      op: 'local-port',
      port: port.number,
      bridge: this.bridgeNumber(port.bridge),
      fds: [FD],
      vnetHeaderSize: 10,
      flags: flagsOf(spec),
      mtu: spec.mtu ?? 1450,
      ...(spec.host === undefined ? {} : { layer3: true }),
    };
  }

  private device(port: PortState, spec: TapSpec | VxlanSpec): Operation[] {
    if (spec.type === 'vxlan') return this.vxlan(port, spec);
    if (spec.gateway === undefined) return [this.tap(port, spec)];
    const bridge = this.bridgeNumber(port.bridge);
    const operations: Operation[] = [
      { op: 'gateway-port', port: port.number, bridge, flags: UP | LAYER3, mtu: spec.mtu ?? 1450 },
    ];
    const { addresses, mac: text } = spec.gateway;
    return addresses.length === 0 ? operations : [...operations, { op: 'bridge-mac', bridge, mac: mac(text) }];
  }

  /** MAC and addresses of a gateway, its entries, and the routes that it makes. */
  private gateway(port: PortState, { vlans }: TapSpec, spec: GatewaySpec): Operation[] {
    const { number } = port;
    const bridge = this.bridgeNumber(port.bridge);
    const vrf = spec.vrf ?? 0;
    const addresses = spec.addresses.map((text) => {
      const [address = '', length = ''] = text.split('/');
      return { address, prefix: Number(length), family: address.includes(':') ? (6 as const) : (4 as const) };
    });
    const own = addresses.map(({ address, prefix }) => ({
      words: wordsOf(address),
      prefix: prefix + (address.includes(':') ? 0 : 96),
    }));
    const vids = vlans === undefined ? [0] : vlans.map((vlan) => Number(vlan.split(' ')[0]));
    return [
      { op: 'gateway', port: number, vrf, mac: mac(spec.mac), addresses: own },
      ...connectedRoutes({ port: number, vrf, addresses }).map((route) => ({ op: 'route' as const, ...route })),
      ...vids.map((vid) => ({
        op: 'fdb' as const,
        ...mac(spec.mac),
        fid: fidOf(bridge, vid),
        destination: number,
        owner: number,
        flags: FLAG_PERMANENT,
      })),
    ];
  }

  private vxlan(port: PortState, spec: VxlanSpec): Operation[] {
    const operations: Operation[] = [];
    port.socket = spec.shares === undefined ? this.pools.socket.take() : this.port(spec.shares).socket;
    if (spec.shares === undefined) {
      operations.push({ op: 'socket', socket: port.socket, fds: [FD], owner: port.number });
    }
    operations.push(...this.takeSenders(port, this.sendersOfPort, spec.dfInherit === true));
    const { socket, senders, dfSenders, number, name } = port;
    return [
      ...operations,
      {
        ...this.sending(name, spec),
        op: 'tunnel-port',
        bridge: this.bridgeNumber(port.bridge),
        port: number,
        flags: flagsOf(spec),
        socket,
        senders,
        dfSenders,
        udpPort: spec.dstport ?? 4789,
        ...(spec.geneve === true ? { geneve: true } : {}),
        local: spec.local === undefined ? null : (parseAddress(spec.local)?.words ?? null),
        mac: spec.mac === undefined ? null : mac(spec.mac),
        mtu: spec.mtu ?? 0,
      },
    ];
  }

  private takeSenders(port: PortState, count: number, twoPools: boolean): Operation[] {
    port.senders = Array.from({ length: count }, () => this.pools.sender.take());
    port.dfSenders = Array.from({ length: twoPools ? count : 0 }, () => this.pools.sender.take());
    const all = [...port.senders, ...port.dfSenders];
    for (const sender of all) this.senders.set(sender, port.name);
    return all.map((sender): Operation => ({ op: 'sender', sender, fds: [FD], udpPort: SOURCE_PORT + sender }));
  }

  private sending(name: string, spec: VxlanSpec): Operation & { op: 'tunnel' } {
    const { number, senders, dfSenders } = this.port(name);
    const reserved = spec.reserved === undefined ? {} : { reserved: spec.reserved };
    const learning = { ageingTicks: (spec.ageingSeconds ?? 0) * 10, maxLearned: spec.maxLearned ?? 0 };
    return { op: 'tunnel', port: number, senders, dfSenders, tos: spec.tos ?? 0, ...reserved, ...learning };
  }

  /** Ends a port, and what refers to it. Its number is free again. */
  removePort(name: string): Operation[] {
    const port = this.port(name);
    this.ports.delete(name);
    this.pools.port.give(port.number);
    const operations: Operation[] = [{ op: 'port-del', port: port.number }];
    const remotes = [...port.remotes.values()];
    for (const remote of remotes) operations.push({ op: 'remote-del', remote });
    for (const remote of remotes) this.pools.remote.give(remote);
    operations.push(...this.dropSenders([...port.senders, ...port.dfSenders]));
    if (port.socket >= 0) operations.push(this.leaveSocket(port.socket));
    for (const counter of port.counters.values()) this.pools.vlan.give(counter);
    for (const { header } of port.vnis.values()) this.pools.header.give(header);
    for (const list of port.pins.values()) this.pools.list.give(list);
    operations.push({ op: 'flush', match: { owner: port.number }, fromRow: 0, rowCount: ALL_ROWS });
    for (const remote of remotes) operations.push({ op: 'remote-free', remote });
    return operations;
  }

  private dropSenders(senders: readonly number[]): Operation[] {
    return senders.map((sender) => {
      this.senders.delete(sender);
      this.pools.sender.give(sender);
      return { op: 'sender-del', sender };
    });
  }

  /** The socket ends with its last port. */
  private leaveSocket(socket: number): Operation {
    const other = [...this.ports.values()].find((port) => port.socket === socket);
    if (other !== undefined) return { op: 'socket-owner', socket, owner: other.number };
    this.pools.socket.give(socket);
    return { op: 'socket-del', socket };
  }

  /** Gives a port other options, VLANs aside, and puts it into a bridge. */
  setPort(name: string, bridge: string, spec: TapSpec | VxlanSpec): Operation[] {
    const port = this.port(name);
    const moved = port.bridge !== bridge;
    port.bridge = bridge;
    port.spec = { ...spec, vlans: port.spec.vlans ?? [] };
    const mtu = spec.mtu ?? (spec.type === 'tap' ? 1450 : 0);
    const operations: Operation[] = [
      { op: 'port', port: port.number, bridge: this.bridgeNumber(bridge), flags: flagsOf(spec), mtu },
      this.storm(port),
      this.mss(port),
      this.guard(port),
      this.police(port),
      this.groupFwd(port),
    ];
    if (spec.type === 'vxlan') operations.push(this.sending(name, spec), ...this.tunnels(port, spec));
    return moved ? [...operations, ...this.entries(port)] : operations;
  }

  /** Other sending sockets for a vxlan port. */
  setSenders(name: string, count: number): Operation[] {
    const port = this.port(name);
    const before = [...port.senders, ...port.dfSenders];
    const operations = this.takeSenders(port, count, (port.spec as VxlanSpec).dfInherit === true);
    operations.push(this.sending(name, port.spec as VxlanSpec));
    return [...operations, ...this.dropSenders(before)];
  }

  private storm({ number, spec }: PortState): Operation {
    const { broadcast = 0, unknownUnicast = 0, multicast = 0 } = spec.storm ?? {};
    return { op: 'storm', port: number, broadcast, unknownUnicast, multicast };
  }

  /** What engines are told of a mirror. */
  mirror(name: string): Operation[] {
    const { number, spec } = this.port(name);
    if (spec.mirror === undefined) return [];
    const { directions, ports, vlans } = spec.mirror;
    const numbers = ports?.map((port) => this.port(port).number) ?? null;
    return [{ op: 'mirror', port: number, directions, ports: numbers, vlans: vlans ?? null }];
  }

  private mss({ number, spec }: PortState): Operation {
    return { op: 'mss', port: number, mss: spec.mss === 'auto' ? MSS_AUTO : (spec.mss ?? 0) };
  }

  private guard({ number, spec }: PortState): Operation {
    const { addresses = [], macs = [], dhcp = false, ra = false } = spec.guard ?? {};
    return { op: 'guard', port: number, addresses: addresses.map(rangeOf), macs: macs.map(mac), dhcp, ra };
  }

  private police({ number, spec }: PortState): Operation {
    const { input = {}, output = {} } = spec.police ?? {};
    return { op: 'police', port: number, input: { ...NO_POLICE, ...input }, output: { ...NO_POLICE, ...output } };
  }

  private groupFwd({ number, spec }: PortState): Operation {
    return { op: 'group-fwd', port: number, mask: spec.groupFwdMask ?? 0 };
  }

  // ---- VLANs ----

  /** Adds memberships, or replaces those of the same VID. */
  vlans(name: string, texts: readonly string[]): Operation[] {
    const port = this.port(name);
    const operations: Operation[] = [];
    for (const text of texts) {
      const [first, ...words] = text.split(' ');
      const vid = Number(first);
      const counter = port.counters.get(vid) ?? this.pools.vlan.take();
      port.counters.set(vid, counter);
      const suppresses = words.includes('suppress');
      const untagged = words.includes('untagged');
      const isolated = words.includes('isolated');
      operations.push({ op: 'vlan', port: port.number, vid, untagged, suppresses, isolated, counter });
      const hadPvid = port.spec.vlans?.some((vlan) => vlan.startsWith(`${vid} `) && vlan.split(' ').includes('pvid'));
      const pvid = words.includes('pvid');
      if (pvid) port.spec.vlans = (port.spec.vlans ?? []).map((vlan) => vlan.replace(' pvid', ''));
      if (pvid || hadPvid === true) operations.push({ op: 'pvid', port: port.number, vid: pvid ? vid : 0 });
      port.spec.vlans = [...(port.spec.vlans ?? []).filter((vlan) => vlan.split(' ')[0] !== first), text];
    }
    return operations;
  }

  removeVlan(name: string, vid: number): Operation[] {
    const port = this.port(name);
    const counter = port.counters.get(vid);
    if (counter !== undefined) this.pools.vlan.give(counter);
    port.counters.delete(vid);
    port.spec.vlans = (port.spec.vlans ?? []).filter((vlan) => vlan.split(' ')[0] !== String(vid));
    return [
      { op: 'vlan-del', port: port.number, vid },
      {
        op: 'flush',
        match: { owner: port.number, fid: fidOf(this.bridgeNumber(port.bridge), vid) },
        fromRow: 0,
        rowCount: ALL_ROWS,
      },
    ];
  }

  // ---- VNIs, flood lists, remotes ----

  /** Brings mappings, flood lists, pins and remotes to what the spec says. */
  private tunnels(port: PortState, spec: VxlanSpec): Operation[] {
    const wanted = new Map(Object.entries(spec.tunnel ?? {}).map(([vid, vni]) => [Number(vid), vni]));
    if (spec.vni !== undefined) wanted.set(0, spec.vni);
    const operations: Operation[] = [];
    const remotes = this.remoteOperations(port, spec, operations);
    for (const [place, { vni, header }] of port.vnis) {
      if (wanted.get(place) === vni) continue;
      operations.push({ op: 'vni-del', port: port.number, vid: place === 0 ? null : place, vni });
      this.pools.header.give(header);
      port.vnis.delete(place);
    }
    for (const [place, vni] of wanted) operations.push(...this.mapping(port, spec, place, vni, remotes));
    operations.push(...this.pinOperations(port, spec, remotes));
    return [...operations, ...this.dropRemotes(port, new Set(remotes.values()))];
  }

  private mapping(
    port: PortState,
    spec: VxlanSpec,
    place: number,
    vni: number,
    remotes: ReadonlyMap<string, number>,
  ): Operation[] {
    const vid = place === 0 ? null : place;
    const operations: Operation[] = [];
    if (!port.vnis.has(place)) {
      const header = this.pools.header.take();
      port.vnis.set(place, { vni, header });
      operations.push({ op: 'vni', port: port.number, vid, vni, header, counter: header });
    }
    const addresses = [...(spec.remotes ?? []), ...(vid === null ? [] : (spec.own?.[vid] ?? []))];
    const list = addresses.map((address) => remotes.get(remoteKey(spec, address)) as number);
    return [...operations, { op: 'flood', port: port.number, vid, remotes: list }];
  }

  /** Pushes the operations for new remotes. @returns all that the port needs, by key */
  private remoteOperations(port: PortState, spec: VxlanSpec, operations: Operation[]): Map<string, number> {
    const needed = new Map<string, number>();
    const need = (address: string, udpPort = spec.dstport ?? 4789): void => {
      const own = udpPort === (spec.dstport ?? 4789);
      // As in the control thread: a row for each address, and for one at another UDP port a further row that is not known.
      if (!own) need(address);
      const key = remoteKey(spec, address, udpPort);
      const known = port.remotes.get(key);
      const remote = known ?? this.pools.remote.take();
      needed.set(key, remote);
      if (known !== undefined) return;
      port.remotes.set(key, remote);
      const parsed = parseAddress(address);
      if (parsed === null) throw new Error(`not an address: ${address}`);
      operations.push({ op: 'remote', remote, port: port.number, address: parsed.words, udpPort, known: own });
    };
    for (const address of [...(spec.remotes ?? []), ...(spec.peers ?? []), ...Object.values(spec.own ?? {}).flat()]) {
      need(address);
    }
    for (const { dst, dstPort } of spec.fdb ?? []) if (dst !== undefined) need(dst, dstPort);
    for (const { dst } of spec.pins ?? []) for (const address of dst) need(address);
    return needed;
  }

  private dropRemotes(port: PortState, needed: ReadonlySet<number>): Operation[] {
    const operations: Operation[] = [];
    for (const [key, remote] of port.remotes) {
      if (needed.has(remote)) continue;
      port.remotes.delete(key);
      this.pools.remote.give(remote);
      const destination = destinationOf(port.number, remote);
      operations.push(
        { op: 'remote-del', remote },
        { op: 'flush', match: { destination }, fromRow: 0, rowCount: ALL_ROWS },
        { op: 'remote-free', remote },
      );
    }
    return operations;
  }

  private pinOperations(port: PortState, spec: VxlanSpec, remotes: ReadonlyMap<string, number>): Operation[] {
    const operations: Operation[] = [];
    const wanted = new Map((spec.pins ?? []).map((pin) => [`${pin.mac} ${pin.vlan ?? 0}`, pin]));
    for (const [key, list] of port.pins) {
      if (wanted.has(key)) continue;
      const [address, vid] = key.split(' ');
      operations.push({ op: 'pin-del', port: port.number, vid: Number(vid), ...mac(address) });
      port.pins.delete(key);
      this.pools.list.give(list);
    }
    for (const [key, pin] of wanted) {
      const list = port.pins.get(key) ?? this.pools.list.take();
      port.pins.set(key, list);
      const destinations = pin.dst.map((address) => remotes.get(remoteKey(spec, address)) as number);
      const place = { port: port.number, vid: pin.vlan ?? 0, ...mac(pin.mac) };
      operations.push({ op: 'pin', ...place, list, remotes: destinations, flags: FLAG_STATIC | FLAG_PINNED });
    }
    return operations;
  }

  // ---- FDB ----

  /** The configured entries of a port. */
  private entries(port: PortState): Operation[] {
    if (port.bridge === NO_BRIDGE) return [];
    return (port.spec.fdb ?? []).map((entry) => this.entry(port.name, entry));
  }

  /** An entry; its `dst` must be among the port's remotes. */
  entry(name: string, entry: EntrySpec): Operation {
    const { bridge, number, remotes, spec } = this.port(name);
    const key = entry.dst === undefined ? '' : remoteKey(spec as VxlanSpec, entry.dst, entry.dstPort);
    const remote = remotes.get(key) ?? 0;
    return {
      op: 'fdb',
      ...mac(entry.mac),
      fid: fidOf(this.bridgeNumber(bridge), entry.vlan ?? 0),
      destination: destinationOf(number, remote),
      owner: number,
      flags: entry.flags ?? FLAG_STATIC | (remote === 0 ? 0 : FLAG_PINNED),
    };
  }

  removeEntry(name: string, entry: EntrySpec): Operation {
    const fid = fidOf(this.bridgeNumber(this.port(name).bridge), entry.vlan ?? 0);
    return { op: 'fdb-del', ...mac(entry.mac), fid };
  }
}
