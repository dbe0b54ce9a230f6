/**
 * The resolved configuration of a switch: what the rest of the program works from.
 *
 * Owns the shapes only. Every default is filled in, every range is expanded and every address is in canonical text, so
 * that texts can be compared. Nothing here reads, checks or decides.
 */
import type { NicAddress } from '../values/address.js';

export type { NicAddress } from '../values/address.js';

/** Configured options under iproute2's names, as the file gives them (defaults left out); for listings only. */
export type RawOptions = Record<string, unknown>;

export interface SwitchConfig {
  name: string;
  /** Path of the control socket. */
  control: string;
  /** Engine threads. */
  workers: number;
  /** Microseconds that an engine goes on looking for frames before it sleeps; 0: none. */
  busy_poll: number;
  offloads: OffloadConfig;
  /** Most FDB entries of the switch, learned and configured ones together. */
  fdb_size: number;
  bridges: BridgeConfig[];
  /** What is put into the tables beside the FDB; absent: nothing. */
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

/** What the switch may use where the kernel has it; false switches one off. */
export interface OffloadConfig {
  /** Guests hand over TCP (and UDP) unsegmented. */
  tso: boolean;
  /** Trains of datagrams leave in one call (UDP_SEGMENT). */
  udp_segment: boolean;
  /**
   * TCP leaves unsegmented where the NIC segments frames in UDP tunnels. It passes firewall and IPsec of the host by: 'auto', not
   * while there are such as look at what the host sends, nor without `tso` and `udp_segment`; true, all the same.
   */
  tunnel_gso: boolean | 'auto';
  /** Trains of datagrams arrive in one piece (UDP_GRO). */
  udp_gro: boolean;
  /** TAPs have a virtio-net header; without one there are no offloads to guests at all. */
  vnet_header: boolean;
}

/** What is put on a NIC that the switch makes. */
export interface NicSettings {
  /** Lower case; absent: one that is the same at each start (`stable-mac.ts`). */
  mac?: string;
  addresses: NicAddress[];
  /** Bytes; 'auto': the largest that the underlay carries unfragmented. */
  mtu: number | 'auto';
  /** True: the NIC outlives a clean shutdown. */
  persist: boolean;
}

/** The NicSettings of a bridge are those of its host port; they stand at their defaults when `host_port` is false. */
export interface BridgeConfig extends NicSettings {
  name: string;
  /** False: none of its ports forwards. */
  up: boolean;
  vlan_filtering: boolean;
  /** 0: none. */
  vlan_default_pvid: number;
  /** Seconds; 0: nothing is learned. */
  ageing_time: number;
  /** 0: no limit beyond the table's size. */
  fdb_max_learned: number;
  /** Bit n set: frames to 01:80:c2:00:00:0n are forwarded like others; bits 0-2 are never set. */
  group_fwd_mask: number;
  /** IGMP and MLD snooping. */
  mcast_snooping: boolean;
  /** Moves of one MAC within a second above which an event tells of it once; 0: never. */
  mac_move_limit: number;
  host_port: boolean;
  /** Memberships of the host port, with `host_port`; as CommonPortConfig.vlans. */
  vlans: VlanMembership[];
  /** MACs that are the host's own in this bridge: their frames go to the host port, and without one to nobody. */
  fdb: FdbEntryConfig[];
  ports: PortConfig[];
  options: RawOptions;
}

export type PortConfig = TapConfig | VxlanConfig;

export interface CommonPortConfig {
  name: string;
  /**
   * One membership for each VID, ascending. On a bridge without `vlan_filtering` it is what the file gives (empty when it
   * gives nothing) and has no effect until filtering is switched on.
   */
  vlans: VlanMembership[];
  learning: boolean;
  flood: boolean;
  mcast_flood: boolean;
  bcast_flood: boolean;
  isolated: boolean;
  locked: boolean;
  neigh_suppress: boolean;
  /** The memberships say which VLANs suppress, whatever `neigh_suppress` says. */
  neigh_vlan_suppress: boolean;
  /** False: the port is shut; its frames are dropped as `port_down`. */
  up: boolean;
  storm_limit: StormLimit;
  /** Multicast router port: 0 never, 1 found out by queries, 2 always; as in the kernel. */
  mcast_router: 0 | 1 | 2;
  /** A group is left with the leave message, without waiting for another member. */
  mcast_fast_leave: boolean;
  fdb: FdbEntryConfig[];
  options: RawOptions;
}

/** Frames a second that may be flooded from a port, by kind; 0: no limit. */
export interface StormLimit {
  broadcast: number;
  unknown_unicast: number;
  multicast: number;
}

export interface VlanMembership {
  vid: number;
  pvid: boolean;
  untagged: boolean;
  /** True: suppresses, on a port with `neigh_vlan_suppress`; absent: it does not. */
  neigh_suppress?: true;
  /** The VNI that the VLAN is mapped to, on a port with `vlan_tunnel`. */
  vni?: number;
  /** This VNI's own flood list, beside the port's. A remote may stand in both; it still gets one copy. */
  remotes: string[];
}

export interface TapConfig extends CommonPortConfig, NicSettings {
  type: 'tap';
  /** Name (as of `ip netns`) or path; absent: the switch's own. */
  netns?: string;
  /** The NIC's name there. */
  ifname: string;
}

/** The NicSettings of a vxlan port are those of its host port; they stand at their defaults when `host_port` is false. */
export interface VxlanConfig extends CommonPortConfig, NicSettings {
  type: 'vxlan';
  /** The outer address family: that of `local` and of every remote. */
  family: 4 | 6;
  /** The outer source address; absent: the route's. */
  local?: string;
  dev?: string;
  /** Multicast group of the underlay, on `dev`: where BUM frames go beside the remotes. */
  group?: string;
  dstport: number;
  /** True: VLANs are mapped to VNIs by `vlans`; then `id` is absent. */
  vlan_tunnel: boolean;
  /** The one VNI for all that the port carries; present exactly when `vlan_tunnel` is false. */
  id?: number;
  /** Flood list of every VNI of the port, without doubles. */
  remotes: string[];
  /** Further VTEPs that are accepted but not flooded to. */
  peers: string[];
  /** What the lists hold of this host's own addresses, and was left out of them; absent: nothing. */
  ownRemotes?: string[];
  /** Lowest and highest outer source port. */
  srcport: [number, number];
  /** 1-255; absent: the route's. */
  ttl?: number;
  tos: number | 'inherit';
  df: 'unset' | 'set' | 'inherit';
  udpcsum: boolean;
  /** Seconds, 0: never; absent: the bridge's `ageing_time`. */
  ageing?: number;
  /** 0: no limit. */
  maxaddress: number;
  /** ARP and ND requests into the tunnel are answered from the bindings, or go nowhere. */
  proxy: boolean;
  /** Frames to a router's MAC go straight to the host that they are for, where its MAC is known. */
  rsc: boolean;
  /** Events for MACs and addresses whose place is not known. */
  l2miss: boolean;
  l3miss: boolean;
  host_port: boolean;
  accept_vteps: 'known' | 'any';
  reserved_bits: 'ignore' | 'drop';
  inner_vlan: 'drop' | 'keep';
}

/**
 * A configured FDB entry. On a vxlan port it has a `dst`, or else it is sent to the flood list. The all-zeros MAC adds `dst` to the flood list of `vni`, or of
 * every VNI of the port when `vni` is absent.
 */
export interface FdbEntryConfig {
  /** Lower case. */
  mac: string;
  /** Present only on filtering bridges; there absent means every VLAN of the port. On a `vlan_tunnel` port it goes with `vni`. */
  vlan?: number;
  /** Present only on vxlan ports; absent: every VNI of the port. */
  vni?: number;
  /** The VNI that frames to `dst` are sent with, where it is not `vni`. */
  sentVni?: number;
  dst?: string;
  /** UDP port of `dst`; absent: the port's `dstport`. */
  port?: number;
  state: 'static' | 'permanent' | 'dynamic';
  sticky: boolean;
  /** Put in by a control program: never ages, may roam. */
  extern_learn: boolean;
}
