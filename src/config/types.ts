/**
 * The resolved configuration of a switch, used by all other rooms.
 *
 * Keys of the file keep their names and have the types of their rows (`options/`). All defaults are filled in, ranges are
 * expanded and addresses are in canonical text, so they can be compared as strings. Types only.
 */

import type { NicAddress } from '../values/address.js';
import type { PortStateName } from '../values/port-state.js';
import type { bridgeOptions } from './options/bridge.js';
import type { fdbOptions } from './options/entries.js';
import type { evpnNeighborOptions, evpnOptions, evpnVniOptions } from './options/evpn.js';
import type { KindOf, NicType, PortType, TunnelType } from './options/kinds.js';
import type { bridgeVlanOptions } from './options/mcast.js';
import type { nexthopMemberOptions, nexthopOptions } from './options/nexthop.js';
import type { nicOptions } from './options/nic.js';
import type { Settings } from './options/option.js';
import type { deviceOptions, portOptions, stormLimitOptions } from './options/port.js';
import type { etcdOptions, offloadOptions, switchOptions } from './options/switch.js';
import type { vxlanOptions } from './options/vxlan.js';

export type { NicAddress } from '../values/address.js';

/** Configured options as the file gives them, without defaults; for listings only. */
export type RawOptions = Record<string, unknown>;

export interface SwitchConfig extends Omit<Settings<typeof switchOptions>, 'evpn'> {
  name: string;
  bridges: BridgeConfig[];
  /** VTEPs and groups of them, in the order of the file; ids are unique. Absent: none. */
  nexthops?: NexthopConfig[];
  /** Absent: no speaker. */
  evpn?: EvpnConfig;
  /** Bindings and multicast groups; absent: none. */
  tables?: TableConfig;
  /** Ports without a bridge: their devices are open, and their frames are dropped as `port_down`. */
  ports: PortConfig[];
}

export interface EvpnConfig extends Omit<Settings<typeof evpnOptions>, 'neighbors' | 'vnis' | 'router_id'> {
  router_id: string;
  neighbors: EvpnNeighborConfig[];
  vnis: Settings<typeof evpnVniOptions>[];
}

export interface EvpnNeighborConfig extends Settings<typeof evpnNeighborOptions> {
  asn: number;
}

/** A VTEP (`via`), or a group of such nexthops (`group`). */
export interface NexthopConfig extends Omit<Settings<typeof nexthopOptions>, 'group'> {
  group?: Settings<typeof nexthopMemberOptions>[];
}

export interface TableConfig {
  neigh: NeighConfig[];
  mdb: GroupConfig[];
}

/** A binding of an address to a MAC behind a vxlan port. */
export interface NeighConfig {
  /** Name of the vxlan port. */
  dev: string;
  /** 0: bridge without VLAN filtering. */
  vid: number;
  dst: string;
  lladdr: string;
  router: boolean;
}

/** A permanent member of a multicast group, or a remote of an entry of a tunnel. */
export interface GroupConfig {
  /** Name of the bridge, or of the vxlan port, which is `port` too. */
  dev: string;
  port: string;
  grp: string;
  /** Absent: bridge without VLAN filtering. */
  vid?: number;
  /** The remote, on a vxlan port; absent: all remotes. */
  dst?: string;
  /** Of a pair of source and group. */
  src?: string;
  /** Absent: all sources. */
  filter_mode?: 'include' | 'exclude';
  source_list?: string[];
  /** Absent: static. */
  proto?: string;
  /** In entries of a tunnel, as the rest; absent: that of the port. */
  dst_port?: number;
  /** That frames are sent with; absent: that of the entry. */
  vni?: number;
  /** That the entry is of; absent: the one of the port. */
  src_vni?: number;
  via?: string;
}

/** Kernel features that the switch may use where available. */
export type OffloadConfig = Settings<typeof offloadOptions>;

/** How the switch speaks to etcd. */
export type EtcdConfig = Settings<typeof etcdOptions>;

export interface NicSettings extends Settings<typeof nicOptions> {
  addresses: NicAddress[];
}

/** The NicSettings of a bridge are those of its host port; they are at their defaults when `host_port` is false. */
export interface BridgeConfig extends Settings<typeof bridgeOptions>, NicSettings {
  name: string;
  /** Memberships of the host port, with `host_port`; as CommonPortConfig.vlans. */
  vlans: VlanMembership[];
  /** MACs of the host itself in this bridge: frames to them go to the host port, and are dropped without one. */
  fdb: FdbEntryConfig[];
  ports: PortConfig[];
  /** Options of VLANs, ascending and unique; for `mcast_vlan_snooping` and `mst_enabled`. Others have the defaults. */
  vlan_global: VlanGlobalConfig[];
  options: RawOptions;
}

/** How one VLAN of a bridge snoops, and the instance of the spanning tree that it belongs to. */
export interface VlanGlobalConfig extends Settings<typeof bridgeVlanOptions> {
  vid: number;
}

export type PortConfig = LocalConfig | VxlanConfig;

export interface CommonPortConfig
  extends Settings<typeof deviceOptions>,
    Omit<Settings<typeof portOptions>, 'arp_guard' | 'allowed_macs'> {
  name: string;
  /**
   * One membership for each VID, ascending. Without `vlan_filtering` these are the memberships of the file, possibly none; they
   * take effect when filtering is switched on.
   */
  vlans: VlanMembership[];
  fdb: FdbEntryConfig[];
  /** States in instances from 1 on, ascending and unique, without `disabled`, which all others have. */
  mst: InstanceState[];
  /** Addresses and prefixes, canonical, without duplicates; empty: any. */
  arp_guard: string[];
  /** Likewise. */
  allowed_macs: string[];
  options: RawOptions;
}

/** Limits of flooded frames per second and port, by kind of traffic; 0: no limit. */
export type StormLimit = Settings<typeof stormLimitOptions>;

export interface InstanceState {
  msti: number;
  state: Exclude<PortStateName, 'disabled'>;
}

export interface VlanMembership {
  vid: number;
  pvid: boolean;
  untagged: boolean;
  /** True: ARP and ND are suppressed, on a port with `neigh_vlan_suppress`; absent: not suppressed. */
  neigh_suppress?: true;
  /** True: isolated in this VLAN, whatever the port is. */
  isolated?: true;
  /** The instance of the spanning tree that says the state; 0: it is that of the port. Absent: a bridge without `mst_enabled`. */
  msti?: number;
  /** The state of the VLAN at the port; absent: forwarding, or with `msti` 0 that of the port. */
  state?: Exclude<PortStateName, 'forwarding'>;
  /** With `mcast_vlan_snooping`; absent: 1. */
  mcast_router?: 0 | 1 | 2;
  /** Likewise; absent: no limit. */
  mcast_max_groups?: number;
  /** The VNI that the VLAN is mapped to, on a port with `vlan_tunnel`. */
  vni?: number;
  /** The multicast group of this VNI, in place of that of the port. */
  group?: string;
  /** The flood list of this VNI, in addition to the port's. A remote in both gets one copy. */
  remotes: string[];
}

/** The configuration of a local port of one kind; with a NIC, `ifname` is always set. */
export type LocalConfigOf<T extends LocalType> = CommonPortConfig & { type: T } & OwnSettings<
    Settings<KindOf<T>['options']>
  > &
  (T extends NicType ? NicSettings & { ifname: string } : unknown);

/** Addresses are decoded one by one. */
type OwnSettings<S> = S extends { addresses: unknown } ? Omit<S, 'addresses'> & { addresses: NicAddress[] } : S;

export type LocalType = Exclude<PortType, TunnelType>;

export type LocalConfig = { [T in LocalType]: LocalConfigOf<T> }[LocalType];

export type TapConfig = LocalConfigOf<'tap'>;
export type TunConfig = LocalConfigOf<'tun'>;

/** A port with a NIC of its own. */
export type NicConfig = { [T in NicType]: LocalConfigOf<T> }[NicType];

/**
 * A tunnel port; a kind without some option of a vxlan port has its default. The NicSettings of a vxlan port are those of its host port; they are
 * at their defaults when `host_port` is false.
 */
export interface VxlanConfig extends CommonPortConfig, NicSettings, Settings<typeof vxlanOptions> {
  type: TunnelType;
  /** The outer address family: that of `local` and of every remote. */
  family: 4 | 6;
  /** Without duplicates, and without this host's own addresses. */
  remotes: string[];
  /** The DNS names among the remotes of the file, without duplicates; absent: none. */
  names?: string[];
  /** As `remotes`. */
  peers: string[];
  /** URLs, without duplicates. */
  peers_etcd: string[];
  /** Addresses of this host that were left out of the lists; absent: none. */
  ownRemotes?: string[];
}

/**
 * A configured FDB entry. On a vxlan port frames go to `dst`, or without it to the flood list. The all-zeros MAC adds `dst` to
 * the flood list of `vni`, or of every VNI of the port when `vni` is absent.
 *
 * `vlan` is present only on filtering bridges, where its absence means every VLAN of the port; on a `vlan_tunnel` port it
 * goes with `vni`. `vni` is present only on vxlan ports.
 */
export interface FdbEntryConfig extends Omit<Settings<typeof fdbOptions>, 'src_vni'> {
  /** The VNI of frames sent to `dst`, if it differs from `vni`. */
  sentVni?: number;
}
