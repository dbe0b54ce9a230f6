/**
 * The resolved configuration of a switch: what the rest of the program works from.
 *
 * Keys of the file keep their names and have the types of their rows (`options/`). Every default is filled in, every range
 * is expanded and every address is in canonical text, so that texts can be compared. Nothing here reads, checks or
 * decides.
 */

import type { NicAddress } from '../values/address.js';
import type { bridgeOptions } from './options/bridge.js';
import type { fdbOptions } from './options/entries.js';
import type { nicOptions } from './options/nic.js';
import type { Settings } from './options/option.js';
import type { deviceOptions, portOptions, stormLimitOptions } from './options/port.js';
import type { offloadOptions, switchOptions } from './options/switch.js';
import type { tapOptions } from './options/tap.js';
import type { vxlanOptions } from './options/vxlan.js';

export type { NicAddress } from '../values/address.js';

/** Configured options as the file gives them, without defaults; for listings only. */
export type RawOptions = Record<string, unknown>;

export interface SwitchConfig extends Settings<typeof switchOptions> {
  name: string;
  bridges: BridgeConfig[];
  /** Bindings and multicast groups; absent: none. */
  tables?: TableConfig;
  /** Ports that belong to no bridge: their devices are there, and their frames are dropped as `port_down`. */
  ports: PortConfig[];
}

export interface TableConfig {
  neigh: NeighConfig[];
  mdb: GroupConfig[];
}

/** A binding of an address to a MAC behind a vxlan port. */
export interface NeighConfig {
  /** The port. */
  dev: string;
  /** 0: the bridge does not look at VLANs. */
  vid: number;
  dst: string;
  lladdr: string;
  router: boolean;
}

/** A permanent member of a multicast group. */
export interface GroupConfig {
  /** The bridge. */
  dev: string;
  port: string;
  grp: string;
  /** Absent: the bridge does not look at VLANs. */
  vid?: number;
  /** The remote, on a vxlan port; absent: all of them. */
  dst?: string;
}

/** What the switch may use where the kernel has it. */
export type OffloadConfig = Settings<typeof offloadOptions>;

export interface NicSettings extends Settings<typeof nicOptions> {
  addresses: NicAddress[];
}

/** The NicSettings of a bridge are those of its host port; they are at their defaults when `host_port` is false. */
export interface BridgeConfig extends Settings<typeof bridgeOptions>, NicSettings {
  name: string;
  /** Memberships of the host port, with `host_port`; as CommonPortConfig.vlans. */
  vlans: VlanMembership[];
  /** MACs that are the host's own in this bridge: frames to them go to the host port, and are dropped without one. */
  fdb: FdbEntryConfig[];
  ports: PortConfig[];
  options: RawOptions;
}

export type PortConfig = TapConfig | VxlanConfig;

export interface CommonPortConfig extends Settings<typeof deviceOptions>, Settings<typeof portOptions> {
  name: string;
  /**
   * One membership for each VID, ascending. On a bridge without `vlan_filtering` these are the ones that the file gives
   * (none when it gives none); they have no effect until filtering is switched on.
   */
  vlans: VlanMembership[];
  fdb: FdbEntryConfig[];
  options: RawOptions;
}

/** Frames a second that may be flooded from a port, by kind; 0: no limit. */
export type StormLimit = Settings<typeof stormLimitOptions>;

export interface VlanMembership {
  vid: number;
  pvid: boolean;
  untagged: boolean;
  /** True: ARP and ND are suppressed, on a port with `neigh_vlan_suppress`; absent: they are not. */
  neigh_suppress?: true;
  /** The VNI that the VLAN is mapped to, on a port with `vlan_tunnel`. */
  vni?: number;
  /** This VNI's own flood list, beside the port's. A remote in both still gets one copy. */
  remotes: string[];
}

export interface TapConfig extends CommonPortConfig, NicSettings, Settings<typeof tapOptions> {
  type: 'tap';
  ifname: string;
}

/** The NicSettings of a vxlan port are those of its host port; they are at their defaults when `host_port` is false. */
export interface VxlanConfig extends CommonPortConfig, NicSettings, Settings<typeof vxlanOptions> {
  type: 'vxlan';
  /** The outer address family: that of `local` and of every remote. */
  family: 4 | 6;
  /** Without duplicates, and without this host's own addresses. */
  remotes: string[];
  /** Likewise. */
  peers: string[];
  /** This host's own addresses, which were left out of the lists; absent: none. */
  ownRemotes?: string[];
}

/**
 * A configured FDB entry. On a vxlan port it has a `dst`, or else its frames are sent to the flood list. The all-zeros MAC
 * adds `dst` to the flood list of `vni`, or of every VNI of the port when `vni` is absent.
 *
 * `vlan` is present only on filtering bridges, where its absence means every VLAN of the port; on a `vlan_tunnel` port it
 * goes with `vni`. `vni` is present only on vxlan ports.
 */
export interface FdbEntryConfig extends Omit<Settings<typeof fdbOptions>, 'src_vni'> {
  /** The VNI that frames to `dst` are sent with, where it is not `vni`. */
  sentVni?: number;
}
