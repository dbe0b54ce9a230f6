/**
 * Decoded values to the resolved configuration: defaults, ranges, canonical text.
 *
 * Runs only on a file without faults, so it decides nothing and refuses nothing.
 */

import { canonicalIp } from '../values/address.js';
import { vnisOfEntry } from './entries/rules.js';
import type {
  DecodedBridge,
  DecodedEntry,
  DecodedPort,
  DecodedSwitch,
  DecodedTap,
  DecodedVxlan,
  Item,
} from './read/decoded.js';
import { FaultList, NOWHERE } from './read/faults.js';
import type { HostFacts } from './read/host-facts.js';
import { DEFAULT_PVID, membershipsOf, suppressesByVlan } from './read/memberships.js';
import { DEFAULT_FDB_SIZE } from './rules/fdb.js';
import { isOwnRemote } from './rules/host.js';
import { readTables } from './rules/tables.js';
import { DEFAULT_DSTPORT, DEFAULT_SRCPORT, familyOfPort, remoteLists } from './rules/vxlan.js';
import type {
  BridgeConfig,
  CommonPortConfig,
  FdbEntryConfig,
  NicSettings,
  OffloadConfig,
  PortConfig,
  RawOptions,
  SwitchConfig,
  TapConfig,
  VlanMembership,
  VxlanConfig,
} from './types.js';

export const DEFAULT_CONTROL = '/run/overtap/overtap.sock';

/** What resolving asks of the machine. */
export interface ResolveFacts extends HostFacts {
  /** Names a switch that has no name. */
  hostname(): string;
}

/** Fills in every default. */
export function resolveSwitch(config: DecodedSwitch, facts: ResolveFacts): SwitchConfig {
  const addresses = facts.addresses();
  const host: HostFacts = { hasDevice: (name) => facts.hasDevice(name), addresses: () => addresses };
  return {
    name: config.given.name ?? facts.hostname(),
    control: config.given.control ?? DEFAULT_CONTROL,
    workers: config.given.workers ?? 1,
    busy_poll: config.given.busy_poll ?? 50,
    offloads: resolveOffloads(config),
    fdb_size: config.given.fdb_size ?? DEFAULT_FDB_SIZE,
    ...tablesOf(config),
    bridges: config.bridgeList.map((bridge) => resolveBridge(bridge, host)),
    ports: config.portList.map((port) => resolvePort(port, undefined, host)),
  };
}

function tablesOf(config: DecodedSwitch): Pick<SwitchConfig, 'tables'> {
  const tables = readTables(config, new FaultList(NOWHERE));
  return tables.neigh.length + tables.mdb.length === 0 ? {} : { tables };
}

function resolveOffloads({ offloads }: DecodedSwitch): OffloadConfig {
  const vnet_header = offloads.vnet_header ?? true;
  // Without the header a guest has no means to say what it left undone.
  const tso = vnet_header && (offloads.tso ?? true);
  const tunnel_gso = offloads.tunnel_gso ?? 'auto';
  const udp_segment = offloads.udp_segment ?? true;
  return {
    tso,
    udp_segment,
    // Who wants no trains on the wire gets none of these, which look alike, unless told to.
    tunnel_gso: tunnel_gso === 'auto' ? tso && udp_segment && 'auto' : tunnel_gso,
    udp_gro: offloads.udp_gro ?? true,
    vnet_header,
  };
}

function resolveBridge(bridge: DecodedBridge, host: HostFacts): BridgeConfig {
  const { given } = bridge;
  return {
    name: bridge.name,
    up: given.up ?? true,
    vlan_filtering: given.vlan_filtering ?? false,
    vlan_default_pvid: given.vlan_default_pvid ?? DEFAULT_PVID,
    ageing_time: given.ageing_time ?? 300,
    fdb_max_learned: given.fdb_max_learned ?? 0,
    group_fwd_mask: given.group_fwd_mask ?? 0,
    mcast_snooping: given.mcast_snooping ?? true,
    mac_move_limit: given.mac_move_limit ?? 10,
    host_port: given.host_port ?? false,
    vlans: given.host_port === true ? membershipsOf(bridge, bridge) : [],
    fdb: bridge.entryList.map((entry) => resolveEntry(entry, bridge, [])),
    ...nicSettings(bridge),
    ports: bridge.portList.map((port) => resolvePort(port, bridge, host)),
    options: optionsOf(bridge),
  };
}

/** `bridge` is undefined for a port that belongs to none. */
function resolvePort(port: DecodedPort, bridge: DecodedBridge | undefined, host: HostFacts): PortConfig {
  return port.type === 'tap' ? resolveTap(port, bridge) : resolveVxlan(port, bridge, host);
}

function resolveTap(port: DecodedTap, bridge: DecodedBridge | undefined): TapConfig {
  return {
    type: 'tap',
    ...commonOf(port, bridge),
    ...optional('netns', port.given.netns),
    ifname: port.given.ifname ?? port.name,
    ...nicSettings(port),
  };
}

function resolveVxlan(port: DecodedVxlan, bridge: DecodedBridge | undefined, host: HostFacts): VxlanConfig {
  const { given } = port;
  const own = new Set(distinct(remoteLists(port)).filter((address) => isOwnRemote(port, address, host)));
  const others = (list: readonly string[]): string[] => list.filter((address) => !own.has(address));
  const { vlans, ...common } = commonOf(port, bridge);
  return {
    type: 'vxlan',
    ...common,
    vlans: vlans.map((vlan) => ({ ...vlan, remotes: others(vlan.remotes) })),
    family: familyOfPort(port),
    ...optional('local', given.local),
    ...optional('dev', given.dev),
    ...optional('group', given.group === undefined ? undefined : canonicalIp(given.group)?.text),
    dstport: given.dstport ?? DEFAULT_DSTPORT,
    vlan_tunnel: given.vlan_tunnel ?? false,
    ...optional('id', given.id),
    remotes: others(distinct(port.remoteList)),
    peers: others(distinct(port.peerList)),
    ...optional('ownRemotes', own.size === 0 ? undefined : [...own]),
    srcport: given.srcport ?? [...DEFAULT_SRCPORT],
    // As in the kernel, 0 stands for the route's.
    ...optional('ttl', given.ttl === 0 ? undefined : given.ttl),
    tos: given.tos ?? 0,
    df: given.df ?? 'unset',
    udpcsum: given.udpcsum ?? true,
    ...optional('ageing', given.ageing),
    maxaddress: given.maxaddress ?? 0,
    proxy: given.proxy ?? false,
    rsc: given.rsc ?? false,
    l2miss: given.l2miss ?? false,
    l3miss: given.l3miss ?? false,
    host_port: given.host_port ?? false,
    accept_vteps: given.accept_vteps ?? (given.group === undefined ? 'known' : 'any'),
    reserved_bits: given.reserved_bits ?? 'ignore',
    inner_vlan: given.inner_vlan ?? 'drop',
    ...nicSettings(port),
  };
}

function commonOf(port: DecodedPort, bridge: DecodedBridge | undefined): CommonPortConfig {
  const { given } = port;
  const byVlan = suppressesByVlan(port);
  // Where only some VLANs say so, the others are as the port is. Where the port leaves it to them, it does not count.
  const otherwise = byVlan && given.neigh_vlan_suppress === undefined && given.neigh_suppress === true;
  const vlans = membershipsOf(port, bridge, otherwise);
  return {
    name: port.name,
    vlans,
    learning: given.learning ?? true,
    flood: given.flood ?? true,
    mcast_flood: given.mcast_flood ?? true,
    bcast_flood: given.bcast_flood ?? true,
    isolated: given.isolated ?? false,
    locked: given.locked ?? false,
    neigh_suppress: given.neigh_suppress ?? false,
    neigh_vlan_suppress: byVlan,
    up: given.up ?? true,
    storm_limit: {
      broadcast: port.stormLimits.broadcast ?? 0,
      unknown_unicast: port.stormLimits.unknown_unicast ?? 0,
      multicast: port.stormLimits.multicast ?? 0,
    },
    mcast_router: given.mcast_router ?? 1,
    mcast_fast_leave: given.mcast_fast_leave ?? false,
    fdb: port.entryList.map((entry) => resolveEntry(entry, port, vlans)),
    options: optionsOf(port),
  };
}

/** On a vlan_tunnel port VLAN and VNI name each other; a single-VNI port has but one. */
function resolveEntry(entry: DecodedEntry, port: DecodedPort | DecodedBridge, vlans: VlanMembership[]): FdbEntryConfig {
  const { given, mac } = entry;
  let { vlan } = given;
  const isBridge = 'portList' in port;
  let { vni, sentVni } = vnisOfEntry(given, !isBridge && port.type === 'vxlan' ? port.given.id : null);
  if (!isBridge && port.type === 'vxlan') {
    const wanted = { vlan, vni };
    const member = vlans.find((m) => m.vni !== undefined && (m.vid === wanted.vlan || m.vni === wanted.vni));
    vlan ??= member?.vid;
    vni ??= member?.vni ?? port.given.id;
  }
  return {
    mac,
    ...optional('vlan', vlan),
    ...optional('vni', vni),
    ...optional('sentVni', sentVni),
    ...optional('dst', given.dst),
    ...optional('port', given.port),
    state: given.state ?? (isBridge ? 'permanent' : 'static'),
    sticky: given.sticky ?? false,
    extern_learn: given.extern_learn ?? false,
  };
}

function nicSettings(link: DecodedBridge | DecodedPort): NicSettings {
  return {
    ...optional('mac', link.given.mac),
    addresses: link.addressList.map((item) => item.value),
    mtu: link.given.mtu ?? 'auto',
    persist: link.given.persist ?? false,
  };
}

/** Ports, memberships and entries have listings of their own. */
function optionsOf(link: DecodedBridge | DecodedPort): RawOptions {
  const listedApart = ['type', 'ports', 'vlans', 'fdb', 'neigh', 'mdb'];
  return Object.fromEntries(Object.entries(link.raw).filter(([key]) => !listedApart.includes(key)));
}

function distinct(items: readonly Item<string>[]): string[] {
  return [...new Set(items.map((item) => item.value))];
}

/** A property that is left out when it has no value. */
function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}
