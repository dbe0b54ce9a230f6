/**
 * Resolves decoded values to the configuration. Constant defaults come from the option rows; this file computes those that
 * depend on other options, the link or the host.
 *
 * Runs only on a valid file, so it refuses nothing.
 */

import { canonicalIp } from '../values/address.js';
import { vnisOfEntry } from './entries/rules.js';
import { bridgeOptions } from './options/bridge.js';
import { cniOptions, dockerOptions } from './options/containers.js';
import { fdbOptions } from './options/entries.js';
import { hasOwnNic, isTunnelPort, PORT_KINDS } from './options/kinds.js';
import { bridgeVlanOptions } from './options/mcast.js';
import { evpnDuplicateOptions, evpnNeighborOptions, evpnOptions, evpnVniOptions } from './options/evpn.js';
import { nexthopMemberOptions, nexthopOptions } from './options/nexthop.js';
import { nicOptions } from './options/nic.js';
import { type Rows, settingsOf } from './options/option.js';
import { deviceOptions, policeOptions, portOptions, stormLimitOptions } from './options/port.js';
import { etcdOptions, offloadOptions, switchOptions } from './options/switch.js';
import { KEYS_WITHOUT_WORDS } from './options/table.js';
import { vxlanOptions } from './options/vxlan.js';
import type {
  DecodedBridge,
  DecodedEntry,
  DecodedLocal,
  DecodedPort,
  DecodedSwitch,
  DecodedVxlan,
  Item,
} from './read/decoded.js';
import { FaultList, NOWHERE } from './read/faults.js';
import type { HostFacts } from './read/host-facts.js';
import { membershipsOf, suppressesByVlan } from './read/memberships.js';
import { inInstances, instanceStates } from './read/instances.js';
import { isOwnRemote } from './rules/host.js';
import { readTables } from './rules/tables.js';
import { routerIdOf } from './rules/evpn.js';
import { familyOfPort, groupsOf, remoteLists } from './rules/vxlan.js';
import type {
  BridgeConfig,
  CommonPortConfig,
  FdbEntryConfig,
  LocalConfig,
  NexthopConfig,
  NicSettings,
  OffloadConfig,
  PortConfig,
  RawOptions,
  SwitchConfig,
  VlanGlobalConfig,
  VlanMembership,
  VxlanConfig,
} from './types.js';

/** What resolving needs from the host. */
export interface ResolveFacts extends HostFacts {
  /** Default name of the switch. */
  hostname(): string;
}

/** Fills in every default. */
export function resolveSwitch(config: DecodedSwitch, facts: ResolveFacts): SwitchConfig {
  const addresses = facts.addresses();
  const host: HostFacts = { hasDevice: (name) => facts.hasDevice(name), addresses: () => addresses };
  const { evpn: _, ...own } = settingsOf(switchOptions, config.given);
  return {
    ...own,
    name: config.given.name ?? facts.hostname(),
    offloads: resolveOffloads(config),
    etcd: settingsOf(etcdOptions, config.etcd),
    ...driversOf(config),
    ...evpnOf(config),
    ...tablesOf(config),
    ...nexthopsOf(config),
    bridges: config.bridgeList.map((bridge) => resolveBridge(bridge, host)),
    ports: config.portList.map((port) => resolvePort(port, undefined, host)),
  };
}

function nexthopsOf({ nexthopList }: DecodedSwitch): Pick<SwitchConfig, 'nexthops'> {
  return nexthopList.length === 0 ? {} : { nexthops: nexthopList.map(({ value }) => resolveNexthop(value)) };
}

function resolveNexthop(given: DecodedSwitch['nexthopList'][number]['value']): NexthopConfig {
  const { group, ...own } = settingsOf(nexthopOptions, given);
  return {
    ...own,
    ...optional(
      'group',
      group?.map((member) => settingsOf(nexthopMemberOptions, member)),
    ),
  };
}

function tablesOf(config: DecodedSwitch): Pick<SwitchConfig, 'tables'> {
  const tables = readTables(config, new FaultList(NOWHERE));
  return tables.neigh.length + tables.mdb.length === 0 ? {} : { tables };
}

function driversOf({ docker, cni }: DecodedSwitch): Pick<SwitchConfig, 'docker' | 'cni'> {
  return {
    ...(docker?.bridge === undefined
      ? {}
      : { docker: settingsOf(dockerOptions, { ...docker, bridge: docker.bridge }) }),
    ...(cni?.bridge === undefined ? {} : { cni: settingsOf(cniOptions, { ...cni, bridge: cni.bridge }) }),
  };
}

function evpnOf(config: DecodedSwitch): Pick<SwitchConfig, 'evpn'> {
  const { evpn } = config;
  const router_id = evpn && routerIdOf(config);
  if (evpn === undefined || evpn.given.asn === undefined || router_id === undefined) return {};
  const { asn } = evpn.given;
  return {
    evpn: {
      ...settingsOf(evpnOptions, { ...evpn.given, asn }),
      router_id,
      duplicates: settingsOf(evpnDuplicateOptions, evpn.duplicates),
      neighbors: evpn.neighborList.map(({ value }) => ({
        ...settingsOf(evpnNeighborOptions, value),
        asn: value.asn ?? asn,
      })),
      vnis: evpn.vniList.map(({ value }) => settingsOf(evpnVniOptions, value)),
    },
  };
}

function resolveOffloads(config: DecodedSwitch): OffloadConfig {
  const given = settingsOf(offloadOptions, config.offloads);
  const { udp_segment, tunnel_gso, vnet_header } = given;
  // Without the virtio-net header a guest cannot mark partial checksums and GSO frames.
  const tso = vnet_header && given.tso;
  // `auto` also needs udp_segment: both put 64 KB UDP bursts on the wire.
  return { ...given, tso, tunnel_gso: tunnel_gso === 'auto' ? tso && udp_segment && 'auto' : tunnel_gso };
}

function resolveBridge(bridge: DecodedBridge, host: HostFacts): BridgeConfig {
  return {
    ...settingsOf(bridgeOptions, bridge.given),
    ...nicSettings(bridge),
    name: bridge.name,
    vlans: bridge.given.host_port === true ? membershipsOf(bridge, bridge) : [],
    fdb: bridge.entryList.map((entry) => resolveEntry(entry, bridge, [])),
    ports: bridge.portList.map((port) => resolvePort(port, bridge, host)),
    vlan_global: vlanGlobals(bridge),
    options: optionsOf(bridge),
  };
}

function vlanGlobals(bridge: DecodedBridge): VlanGlobalConfig[] {
  const all = bridge.globalList.flatMap(({ value: { vid, ...given } }) => {
    const settings = settingsOf(bridgeVlanOptions, given);
    return Array.from({ length: vid.last - vid.first + 1 }, (_, at) => ({ vid: vid.first + at, ...settings }));
  });
  return all.sort((one, other) => one.vid - other.vid);
}

/** `bridge` is undefined for a port without one. */
function resolvePort(port: DecodedPort, bridge: DecodedBridge | undefined, host: HostFacts): PortConfig {
  return isTunnelPort(port) ? resolveVxlan(port, bridge, host) : resolveLocal(port, bridge);
}

function resolveLocal(port: DecodedLocal, bridge: DecodedBridge | undefined): LocalConfig {
  const own = settingsOf<Rows>(PORT_KINDS[port.type].options, port.given);
  const nic = hasOwnNic(port) ? { ifname: port.given.ifname ?? port.name, ...nicSettings(port) } : {};
  if ('addresses' in own) own.addresses = port.addressList.map(({ value }) => value);
  return { type: port.type, ...commonOf(port, bridge), ...own, ...nic } as LocalConfig;
}

function resolveVxlan(port: DecodedVxlan, bridge: DecodedBridge | undefined, host: HostFacts): VxlanConfig {
  const { group, accept_vteps } = port.given;
  const own = new Set(distinct(remoteLists(port)).filter((address) => isOwnRemote(port, address, host)));
  const others = (list: readonly string[]): string[] => list.filter((address) => !own.has(address));
  const { vlans, ...common } = commonOf(port, bridge);
  return {
    type: port.type,
    ...common,
    ...settingsOf({ ...vxlanOptions, ...PORT_KINDS[port.type].options }, port.given),
    ...nicSettings(port),
    vlans: vlans.map((vlan) => ({ ...vlan, remotes: others(vlan.remotes) })),
    family: familyOfPort(port),
    ...optional('group', group === undefined ? undefined : canonicalIp(group)?.text),
    learning: port.given.learning ?? port.given.evpn !== true,
    remotes: others(distinct(port.remoteList)),
    ...optional('names', port.nameList.length === 0 ? undefined : distinct(port.nameList)),
    peers: others(distinct(port.peerList)),
    peers_etcd: distinct(port.endpointList),
    ...optional('ownRemotes', own.size === 0 ? undefined : [...own]),
    accept_vteps: accept_vteps ?? (groupsOf(port).length === 0 ? 'known' : 'any'),
  };
}

function commonOf(port: DecodedPort, bridge: DecodedBridge | undefined): CommonPortConfig {
  const { given } = port;
  const byVlan = suppressesByVlan(port);
  // Where neigh_suppress is set for some VLANs, the others use the port's value, unless the port sets neigh_vlan_suppress.
  const otherwise = byVlan && given.neigh_vlan_suppress === undefined && given.neigh_suppress === true;
  const vlans = inInstances(membershipsOf(port, bridge, otherwise), port, bridge);
  return {
    ...settingsOf(deviceOptions, given),
    ...settingsOf(portOptions, given),
    name: port.name,
    vlans,
    neigh_vlan_suppress: byVlan,
    storm_limit: settingsOf(stormLimitOptions, port.stormLimits),
    police_in: settingsOf(policeOptions, port.policed.police_in),
    police_out: settingsOf(policeOptions, port.policed.police_out),
    arp_guard: distinct(port.claimList),
    allowed_macs: distinct(port.macList),
    mst: instanceStates(port),
    fdb: port.entryList.map((entry) => resolveEntry(entry, port, vlans)),
    options: optionsOf(port),
  };
}

/** On a vlan_tunnel port VLAN and VNI imply each other; a single-VNI port has only one VNI. */
function resolveEntry(entry: DecodedEntry, port: DecodedPort | DecodedBridge, vlans: VlanMembership[]): FdbEntryConfig {
  const { given, mac } = entry;
  let { vlan } = given;
  const isBridge = 'portList' in port;
  let { vni, sentVni } = vnisOfEntry(given, !isBridge && isTunnelPort(port) ? port.given.id : null);
  if (!isBridge && isTunnelPort(port)) {
    const wanted = { vlan, vni };
    const member = vlans.find((m) => m.vni !== undefined && (m.vid === wanted.vlan || m.vni === wanted.vni));
    vlan ??= member?.vid;
    vni ??= member?.vni ?? port.given.id;
  }
  const { src_vni: _, ...own } = settingsOf(fdbOptions, given);
  return {
    ...own,
    mac,
    ...optional('vlan', vlan),
    ...optional('vni', vni),
    ...optional('sentVni', sentVni),
    state: given.state ?? (isBridge ? 'permanent' : 'static'),
  };
}

function nicSettings(link: Extract<DecodedBridge | DecodedPort, { given: { mtu?: unknown } }>): NicSettings {
  return { ...settingsOf(nicOptions, link.given), addresses: link.addressList.map((item) => item.value) };
}

/** Omits ports, memberships and entries, which have listings of their own. */
function optionsOf(link: DecodedBridge | DecodedPort): RawOptions {
  return Object.fromEntries(Object.entries(link.raw).filter(([key]) => !KEYS_WITHOUT_WORDS.includes(key)));
}

function distinct(items: readonly Item<string>[]): string[] {
  return [...new Set(items.map((item) => item.value))];
}

/** A property, omitted when it has no value. */
function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}
