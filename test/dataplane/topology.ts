/**
 * From a compact description of a switch to the operations that the control thread would send for it.
 *
 * Owns the handing out of numbers in tests: ports, sockets, senders, remotes, headers. It never touches a switch.
 */
import * as flag from '../../src/dataplane/forwarding.js';
import type { Operation } from '../../src/dataplane/operations.js';
import { FLAG_PINNED, FLAG_STATIC } from '../../src/fdb/table.js';
import { parseMac } from '../../src/wire/ethernet.js';
import { parseAddress } from '../../src/wire/ip-address.js';

export interface EntrySpec {
  mac: string;
  /** 0 in a bridge without VLAN filtering. */
  vlan?: number;
  /** FLAG_* of the FDB. Default FLAG_STATIC, with a `dst` FLAG_PINNED too. */
  flags?: number;
  /** Address of the VTEP behind a vxlan port, and its UDP port where that is not the port's. */
  dst?: string;
  dstPort?: number;
}

interface PortSpec {
  /** `10 pvid untagged`, `20`. */
  vlans?: readonly string[];
  /** Flags of the port that are off, of those that are on by default. */
  off?: ('up' | 'learning' | 'flood' | 'mcast_flood' | 'bcast_flood')[];
  isolated?: boolean;
  locked?: boolean;
  fdb?: readonly EntrySpec[];
}

export interface TapSpec extends PortSpec {
  type: 'tap';
  mtu?: number;
}

export interface VxlanSpec extends PortSpec {
  type: 'vxlan';
  /** VID -> VNI: a `vlan_tunnel` port. */
  tunnel?: Record<number, number>;
  /** The one VNI of all that the port carries. */
  vni?: number;
  /** Flood list of every VNI, and by VID one of a VNI's own beside it. */
  remotes?: string[];
  own?: Record<number, string[]>;
  /** Known VTEPs that are on no list. */
  peers?: string[];
  /** Multicast MACs with remotes of their own. */
  pins?: { mac: string; vlan?: number; dst: string[] }[];
  acceptAny?: boolean;
  dropReserved?: boolean;
  keepInnerVlan?: boolean;
  /** The MAC of the port's own TAP. */
  mac?: string;
  tos?: number;
  dstport?: number;
  maxLearned?: number;
  ageingSeconds?: number;
  /** Name of an earlier vxlan port whose socket this one shares. */
  shares?: string;
}

export interface BridgeSpec {
  filtering?: boolean;
  ageingSeconds?: number;
  maxLearned?: number;
  ports: Record<string, TapSpec | VxlanSpec>;
}

/** The numbers that names stand for. */
export interface Numbers {
  ports: Map<string, number>;
  /** Receiving socket of a vxlan port. */
  sockets: Map<string, number>;
  /** Vxlan port of a sending socket. */
  senders: Map<number, string>;
}

export function describeSwitch(
  bridges: Record<string, BridgeSpec>,
  senders: number,
): { operations: Operation[]; numbers: Numbers } {
  const builder = new Builder(senders);
  for (const [index, bridge] of Object.values(bridges).entries()) builder.addBridge(index, bridge);
  return { operations: builder.operations, numbers: builder.numbers };
}

class Builder {
  readonly operations: Operation[] = [];
  readonly numbers: Numbers = { ports: new Map(), sockets: new Map(), senders: new Map() };
  private nextRemote = 1;
  private nextHeader = 0;
  private readonly remotes = new Map<string, number>();

  constructor(private readonly sendersOfPort: number) {}

  addBridge(bridge: number, spec: BridgeSpec): void {
    this.operations.push({
      op: 'bridge',
      bridge,
      filtering: spec.filtering ?? false,
      ageingTicks: (spec.ageingSeconds ?? 300) * 10,
      maxLearned: spec.maxLearned ?? 0,
    });
    for (const [name, port] of Object.entries(spec.ports)) this.addPort(bridge, name, port);
    for (const [name, port] of Object.entries(spec.ports)) this.addEntries(bridge, name, port);
  }

  private addPort(bridge: number, name: string, spec: TapSpec | VxlanSpec): void {
    const port = this.numbers.ports.size;
    this.numbers.ports.set(name, port);
    const flags = flagsOf(spec);
    if (spec.type === 'tap')
      this.operations.push({ op: 'tap', port, bridge, fds: [-1], vnetHeaderSize: 10, flags, mtu: spec.mtu ?? 1450 });
    else this.addVxlan(bridge, port, name, spec, flags);
    for (const text of spec.vlans ?? []) {
      const [vid, ...words] = text.split(' ');
      this.operations.push({ op: 'vlan', port, vid: Number(vid), untagged: words.includes('untagged') });
      if (words.includes('pvid')) this.operations.push({ op: 'pvid', port, vid: Number(vid) });
    }
    if (spec.type === 'vxlan') this.addTunnels(port, spec);
  }

  private addVxlan(bridge: number, port: number, name: string, spec: VxlanSpec, flags: number): void {
    const shared = spec.shares === undefined ? undefined : this.numbers.sockets.get(spec.shares);
    const socket = shared ?? new Set(this.numbers.sockets.values()).size;
    this.numbers.sockets.set(name, socket);
    if (shared === undefined) this.operations.push({ op: 'socket', socket, fds: [-1], owner: port });
    const senders = Array.from({ length: this.sendersOfPort }, (_, i) => this.numbers.senders.size + i);
    for (const sender of senders) {
      this.numbers.senders.set(sender, name);
      this.operations.push({ op: 'sender', sender, fd: -1 });
    }
    this.operations.push({
      op: 'vxlan',
      port,
      bridge,
      flags,
      socket,
      senders,
      udpPort: spec.dstport ?? 4789,
      tos: spec.tos ?? 0,
      ageingTicks: (spec.ageingSeconds ?? 0) * 10,
      maxLearned: spec.maxLearned ?? 0,
      mac: spec.mac === undefined ? null : mac(spec.mac),
    });
  }

  private addTunnels(port: number, spec: VxlanSpec): void {
    const mapped = Object.entries(spec.tunnel ?? {}).map(([vid, vni]) => ({ vid: Number(vid) as number | null, vni }));
    if (spec.vni !== undefined) mapped.push({ vid: null, vni: spec.vni });
    const everywhere = (spec.remotes ?? []).map((address) => this.remote(port, spec, address));
    for (const address of spec.peers ?? []) this.remote(port, spec, address);
    for (const { vid, vni } of mapped) {
      const header = this.nextHeader++;
      this.operations.push({ op: 'vni', port, vid, vni, header, counter: header });
      const own = (vid === null ? [] : (spec.own?.[vid] ?? [])).map((address) => this.remote(port, spec, address));
      this.operations.push({ op: 'flood', port, vid, remotes: [...everywhere, ...own] });
    }
  }

  private addEntries(bridge: number, name: string, spec: TapSpec | VxlanSpec): void {
    const port = this.numbers.ports.get(name) as number;
    for (const entry of spec.fdb ?? []) {
      const remote =
        spec.type === 'vxlan' && entry.dst !== undefined ? this.remote(port, spec, entry.dst, entry.dstPort) : 0;
      this.operations.push({
        op: 'fdb',
        ...mac(entry.mac),
        segment: flag.segmentOf(bridge, entry.vlan ?? 0),
        destination: flag.destinationOf(port, remote),
        owner: port,
        flags: entry.flags ?? FLAG_STATIC | (remote === 0 ? 0 : FLAG_PINNED),
      });
    }
    if (spec.type !== 'vxlan') return;
    for (const pin of spec.pins ?? []) {
      const remotes = pin.dst.map((address) => this.remote(port, spec, address));
      const flags = FLAG_STATIC | FLAG_PINNED;
      this.operations.push({ op: 'pin', port, vid: pin.vlan ?? 0, ...mac(pin.mac), remotes, flags });
    }
  }

  /** As in the control thread: a row for each address, and for one at another UDP port a further row that is not known. */
  private remote(port: number, spec: VxlanSpec, address: string, udpPort = spec.dstport ?? 4789): number {
    const own = udpPort === (spec.dstport ?? 4789);
    const key = `${port} ${address} ${udpPort}`;
    const existing = this.remotes.get(key);
    if (existing !== undefined) return existing;
    if (!own) this.remote(port, spec, address);
    const parsed = parseAddress(address);
    if (parsed === null) throw new Error(`not an address: ${address}`);
    const remote = this.nextRemote++;
    this.remotes.set(key, remote);
    this.operations.push({ op: 'remote', remote, port, address: parsed.words, udpPort, known: own });
    return remote;
  }
}

function flagsOf(spec: TapSpec | VxlanSpec): number {
  const off = spec.off ?? [];
  let flags = 0;
  if (!off.includes('up')) flags |= flag.UP;
  if (!off.includes('learning')) flags |= flag.LEARNING;
  if (!off.includes('flood')) flags |= flag.FLOOD;
  if (!off.includes('mcast_flood')) flags |= flag.MCAST_FLOOD;
  if (!off.includes('bcast_flood')) flags |= flag.BCAST_FLOOD;
  if (spec.isolated) flags |= flag.ISOLATED;
  if (spec.locked) flags |= flag.LOCKED;
  if (spec.type === 'tap') return flags;
  if (spec.tunnel !== undefined) flags |= flag.VLAN_TUNNEL;
  if (spec.acceptAny) flags |= flag.ANY_VTEP;
  if (spec.dropReserved) flags |= flag.DROP_RESERVED_BITS;
  if (spec.keepInnerVlan) flags |= flag.KEEP_INNER_VLAN;
  if ((spec.pins ?? []).length > 0) flags |= flag.HAS_PINS;
  return flags;
}

function mac(text: string): { high: number; low: number } {
  const parsed = parseMac(text);
  if (parsed === null) throw new Error(`not a MAC: ${text}`);
  return parsed;
}
