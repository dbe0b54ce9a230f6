/**
 * Description of a switch in tests: bridges, ports and their options, without indexes. Also the values independent of indexes:
 * port flags, and MACs.
 */
import * as flag from '../../../src/dataplane/state/forwarding.js';
import type { PoliceLimits } from '../../../src/dataplane/state/policers.js';
import { parseMac } from '../../../src/wire/ethernet.js';

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
  /** `10 pvid untagged`, `20`; `suppress` and `isolated` are those of the VLAN. */
  vlans?: readonly string[];
  /** Flags of the port that are off, of those that are on by default. */
  off?: ('up' | 'learning' | 'flood' | 'mcast_flood' | 'bcast_flood')[];
  isolated?: boolean;
  /** The bridge of the port is a cross-connect. */
  xconnect?: boolean;
  locked?: boolean;
  mab?: boolean;
  hairpin?: boolean;
  groupFwdMask?: number;
  /** Announcements do not leave by the port where it suppresses. */
  holdsGratuitous?: boolean;
  neighSuppress?: boolean;
  /** NEIGH_SUPPRESS is as the `vlans` say: `10 suppress`. */
  neighVlanSuppress?: boolean;
  /** Frames a second. */
  /** Largest MSS of SYN segments; 0: any. */
  mss?: number | 'auto';
  /** The port is the output of a mirror: MIRROR_* bits, names of ports, VLANs. */
  mirror?: { directions: number; ports?: string[]; vlans?: number[] };
  storm?: { broadcast?: number; unknownUnicast?: number; multicast?: number };
  fdb?: readonly EntrySpec[];
  /** Bits and packets a second, and those of a burst. */
  police?: { input?: Partial<PoliceLimits>; output?: Partial<PoliceLimits> };
  /** What frames from the port may claim: addresses or prefixes, MACs; and whether messages of servers and routers are refused. */
  guard?: { addresses?: readonly string[]; macs?: readonly string[]; dhcp?: boolean; ra?: boolean };
}

/** The host of a layer-3 port. */
export interface HostSpec {
  mac: string;
  /** ADDRESS/PREFIX. */
  addresses: readonly string[];
  gateways?: readonly string[];
}

/** What makes a port a gateway. */
export interface GatewaySpec {
  mac: string;
  /** ADDRESS/PREFIX. */
  addresses: readonly string[];
  vrf?: number;
}

export interface TapSpec extends PortSpec {
  type: 'tap';
  mtu?: number;
  /** A TUN: a layer-3 port. */
  host?: HostSpec;
  /** No TAP, but a gateway; its VLAN is its PVID. */
  gateway?: GatewaySpec;
}

export interface VxlanSpec extends PortSpec {
  type: 'vxlan';
  /** VID -> VNI: a `vlan_tunnel` port. */
  tunnel?: Record<number, number>;
  /** The one VNI of all that the port carries. */
  vni?: number;
  /** The inner packet that its tunnels carry; default: not known. */
  mtu?: number;
  /** Flood list of every VNI, and by VID one of a VNI's own beside it. */
  remotes?: string[];
  own?: Record<number, string[]>;
  /** Known VTEPs that are on no list. */
  peers?: string[];
  /** Multicast MACs with remotes of their own. */
  pins?: { mac: string; vlan?: number; dst: string[] }[];
  acceptAny?: boolean;
  dropReserved?: boolean;
  /** In place of all: the bits in both words of the header. */
  reserved?: { high: number; low: number };
  keepInnerVlan?: boolean;
  fragment?: boolean;
  proxy?: boolean;
  rsc?: boolean;
  l2miss?: boolean;
  l3miss?: boolean;
  /** The MAC of the port's own TAP. */
  mac?: string;
  tos?: number;
  /** A pool of senders of their own for packets that must not be fragmented. */
  dfInherit?: boolean;
  dstport?: number;
  /** The outer source address. Default: the route's. */
  local?: string;
  maxLearned?: number;
  ageingSeconds?: number;
  /** Geneve in place of VXLAN. */
  geneve?: boolean;
  /** Name of an earlier vxlan port whose socket this one shares. */
  shares?: string;
}

export interface BridgeSpec {
  filtering?: boolean;
  /** `vlan_protocol 802.1ad`. */
  serviceTags?: boolean;
  ageingSeconds?: number;
  maxLearned?: number;
  groupFwdMask?: number;
  localVlan0?: boolean;
  snooping?: boolean;
  /** Number of the bridge in its loop probes. Default: no loop guard. */
  guard?: readonly [number, number];
  stp?: boolean;
  ports: Record<string, TapSpec | VxlanSpec>;
}

/** What a remote is told apart by on its port. */
export function remoteKey(spec: VxlanSpec, address: string, udpPort = spec.dstport ?? 4789): string {
  return `${address} ${udpPort}`;
}

export function flagsOf(spec: TapSpec | VxlanSpec): number {
  const off = spec.off ?? [];
  let flags = 0;
  if (!off.includes('up')) flags |= spec.mirror === undefined ? flag.UP : flag.MIRROR;
  if (!off.includes('learning')) flags |= flag.LEARNING;
  if (!off.includes('flood')) flags |= flag.FLOOD;
  if (!off.includes('mcast_flood')) flags |= flag.MCAST_FLOOD;
  if (!off.includes('bcast_flood')) flags |= flag.BCAST_FLOOD;
  if (spec.isolated) flags |= flag.ISOLATED;
  else if (spec.vlans?.some((vlan) => vlan.includes('isolated'))) flags |= flag.ISOLATED | flag.VLAN_ISOLATED;
  if (spec.mab) flags |= flag.MAB;
  if (spec.hairpin) flags |= flag.HAIRPIN;
  if (spec.holdsGratuitous) flags |= flag.HOLDS_GRATUITOUS;
  if (spec.xconnect) flags |= flag.XCONNECT;
  if (spec.locked) flags |= flag.LOCKED;
  if (spec.neighSuppress) flags |= flag.NEIGH_SUPPRESS;
  if (spec.neighVlanSuppress) flags |= flag.NEIGH_VLAN_SUPPRESS;
  if (spec.type === 'tap') return spec.host === undefined ? flags : (flags | flag.LAYER3) & ~flag.FLOOD;
  if (spec.tunnel !== undefined) flags |= flag.VLAN_TUNNEL;
  if (spec.acceptAny) flags |= flag.ANY_VTEP;
  if (spec.dropReserved) flags |= flag.DROP_RESERVED_BITS;
  if (spec.keepInnerVlan) flags |= flag.KEEP_INNER_VLAN;
  if (spec.fragment) flags |= flag.FRAGMENTS;
  if (spec.proxy) flags |= flag.PROXY;
  if (spec.rsc) flags |= flag.RSC;
  if (spec.l2miss) flags |= flag.L2MISS;
  if (spec.l3miss) flags |= flag.L3MISS;
  return flags;
}

export function mac(text: string): { high: number; low: number } {
  const parsed = parseMac(text);
  if (parsed === null) throw new Error(`not a MAC: ${text}`);
  return parsed;
}
