/**
 * The control thread's model of the switch: names, options and engine indexes. Plain data; `reconcile/` changes it with the
 * configuration, `views/` displays it. Opens no device.
 */
import type {
  BridgeConfig,
  LocalConfigOf,
  NicAddress,
  NicConfig,
  PortConfig,
  SwitchConfig,
  VxlanConfig,
} from '../../config/types.js';
import { ABSENT_HOST_PORT } from '../../dataplane/state/destination.js';
import type { VlanState } from '../../dataplane/state/forwarding.js';
import type { Bequest } from './bequest.js';
import type { EntryTable } from './entries.js';
import type { PeerFloodRow } from './peer-rows.js';
import type { Transition } from './transition.js';

/** An open TAP of a port; it is followed wherever its NIC goes. */
export interface OpenTap {
  /** One queue for each engine. */
  fds: number[];
  /** Size of its virtio-net header in bytes; 0: none. */
  vnetHeaderSize: number;
  /** Settings at opening. */
  ifname: string;
  /** State at the last check. */
  mac: string;
  mtu: number;
  /** The NIC's present state; null: the device is gone. */
  state(): NicState | null;
  /** Whether the NIC has this name in this namespace (absent: the switch's own). */
  isAt(ifname: string, netns: string | undefined): boolean;
  /** It has several queues, and the kernel chooses among them: a flow may change its engine at its first answer. */
  readonly isUnsteered?: boolean;
  /** Whether the NIC was moved to another namespace. */
  readonly hasMoved: boolean;
  /** Sets the NIC's MTU in bytes. @throws when the device is gone, as the next three */
  setMtu(mtu: number): void;
  setMac(mac: string): void;
  addAddresses(addresses: readonly NicAddress[]): void;
  removeAddresses(addresses: readonly NicAddress[]): void;
  /** No effect on a TAP that existed before and was not created by overtap: it persists. */
  setPersist(persist: boolean): void;
  /** For the next process; see port/tap.ts. */
  bequeath(): Bequest;
  close(): void;
  /** Closes it, and restores the state before opening. */
  discard(): void;
}

/** State of a NIC as reported by the kernel. */
export interface NicState {
  ifname: string;
  /** Inode number of its namespace. */
  netns: number;
  up: boolean;
  mtu: number;
  mac: string;
}

/** The open sockets of a vxlan port. */
export interface OpenUnderlay {
  /** Index of the receiving socket; shared by ports with the same local address and dstport. */
  socket: number;
  /** Indexes of the sockets that receive the multicast groups of the port and of its VNIs, by address. */
  groups: ReadonlyMap<string, number>;
  pools: SenderPools;
  /** The VRF that the receiving socket is bound to; absent: none. */
  vrf?: string;
}

/** Indexes of the sending sockets of a vxlan port. */
export interface SenderPools {
  senders: number[];
  /** With `df: inherit`, the sockets for frames that must not be fragmented; else empty. */
  dfSenders: number[];
}

export interface PortBase {
  /** Engine index. */
  index: number;
  name: string;
  /** Null: no bridge. */
  bridge: BridgeModel | null;
  /** Memberships in force by VID; `counter` is the index of the counters, 0: none. */
  vlans: Map<
    number,
    {
      untagged: boolean;
      suppresses: boolean;
      isolated: boolean;
      state: VlanState | undefined;
      counter: number;
    }
  >;
  pvid: number;
  /** Why it carries no frames, as far as devices and routes are concerned; null: no fault. */
  fault: string | null;
}

/** A port of the data path. Kind-specific state is defined by its kind (`ports/`). */
export interface LocalPort extends PortBase {
  kind: LocalConfig['type'];
  config: LocalConfig;
}

type LocalConfig = Exclude<PortConfig, VxlanConfig>;

/** A port with entries of its NIC's MAC, which lead to it and follow the MAC. */
export interface OwnMacPort extends LocalPort {
  /** FIDs whose FDB entries hold the MAC. */
  ownFids: number[];
  /** The MAC of these entries; empty: there is none. */
  ownMac: string;
  /** The MAC that the NIC has now. */
  nicMac(): string;
}

/** A port with a NIC of its own: a TAP or a TUN. */
export interface TapPort extends OwnMacPort {
  kind: NicConfig['type'];
  config: NicConfig;
  tap: OpenTap;
  /** 'bridge' and 'tunnel': the host port of a bridge or of a vxlan port. */
  role: PortRole;
}

/** A gateway: no device, and a MAC of its own. */
export interface GatewayPort extends OwnMacPort {
  kind: 'gateway';
  config: LocalConfigOf<'gateway'>;
  mtu: number;
}

export function isGateway(port: Holder | undefined): port is GatewayPort {
  return port?.kind === 'gateway';
}

export type PortRole = 'guest' | 'bridge' | 'tunnel';

export interface VxlanPort extends PortBase {
  kind: 'vxlan';
  config: VxlanConfig;
  underlay: OpenUnderlay;
  mtu: number;
  /** The port's own TAP, with `host_port`. */
  host: TapPort | null;
  vnis: VniModel[];
  /** By address: VTEPs named by peers, flood lists, entries and configured groups. */
  vteps: Map<string, Vtep>;
  /** By remote: the VNI of frames to it, where an entry gives one of its own. */
  sentVnis: Map<number, SentVni>;
  /** By ID: nexthop groups named by entries of the port, or as its backup. */
  nexthops: Map<number, NexthopUse>;
  /** Indexes of the remote lists of pinned multicast MACs, by `mac vlan`. */
  pins: Map<string, number>;
  /** Addresses of VTEPs that liveness has found dead: what is for them goes elsewhere. Absent: none. */
  dead?: ReadonlySet<string>;
}

export type Port = LocalPort | VxlanPort;

/** A port with VTEPs and VNIs. */
export function isTunnel(port: Holder | undefined): port is VxlanPort {
  return port?.kind === 'vxlan';
}

/** The host port of a bridge or of a vxlan port. */
export function isHostPort(port: Holder | undefined): port is TapPort {
  return port !== undefined && 'role' in port && port.role !== 'guest';
}

/**
 * A port whose MAC is known without being learned: a host port, a TUN or a gateway, whose MAC is the switch's, or an attached interface that is the
 * host's too.
 */
export function hasOwnMac(port: Holder | undefined): port is OwnMacPort {
  return (
    port?.kind === 'tun' ||
    isGateway(port) ||
    isHostPort(port) ||
    (port?.kind === 'netdev' && 'ownMac' in port && port.ownMac !== '')
  );
}

/** The host port of a bridge: its entries belong to the bridge and remain with it. */
export function isHostOfBridge(port: Port): boolean {
  return isHostPort(port) && port.role === 'bridge';
}

/** A bridge without a host port: its own MACs lead to no port. */
export interface BridgeSelf {
  kind: 'bridge';
  /** ABSENT_HOST_PORT: an index unknown to the engines. */
  index: number;
  name: string;
  bridge: BridgeModel;
  vlans: ReadonlyMap<number, unknown>;
}

/** Owner of an FDB entry. A host port has the entries of its bridge. */
export type Holder = Port | BridgeSelf;

/** A VTEP of a vxlan port, and the indexes of its remotes. */
export interface Vtep {
  address: string;
  /** The remote used for received datagrams and for learned entries. */
  home: number;
  /** UDP port of `home`; 0: not sent to the engines yet. */
  udpPort: number;
  /** The remotes of entries with another UDP port or a VNI of their own, by these values. */
  others: Map<string, OtherRemote>;
  /** What entries demand of the VTEP, and the number of flood-list rows and other entries for each. */
  said: Map<string, { udpPort: number; vni: number | undefined; flood: number; others: number }>;
  /** Number of peers, flood-list rows, entries and groups that use it. */
  users: number;
}

/** A nexthop group on a port. */
export interface NexthopUse {
  nhid: number;
  /** Engine index. */
  index: number;
  /** Number of entries and backups that name it. */
  users: number;
  members: { id: number; weight: number; address: string }[];
}

export interface OtherRemote {
  remote: number;
  udpPort: number;
  /** The VNI of frames to it, whatever VNI they belong to. */
  sent?: SentVni;
}

/** Numbers as in `VniModel`. */
export interface SentVni {
  vni: number;
  header: number;
  counter: number;
}

/** A VNI of a vxlan port; `vid` is null where it carries all VLANs of the port. */
export interface VniModel {
  vni: number;
  vid: number | null;
  /** Index of its VXLAN header in the engines' arenas. */
  header: number;
  /** Index of its counters. */
  counter: number;
}

export interface BridgeModel {
  /** Counts from 1: 0 is "no bridge". */
  index: number;
  name: string;
  config: BridgeConfig;
  /** Includes host ports. */
  ports: Port[];
  mtu: number;
  /** Random number of the bridge in its loop probes, two words, not both 0. */
  probeId: readonly [number, number];
  /** Seconds, in place of a longer `ageing_time`: the topology of a spanning tree of STP has changed (802.1D-2004 17.11). */
  fastAgeing?: number;
}

export interface SwitchModel {
  config: SwitchConfig;
  /** By name, in order of creation. */
  bridges: Map<string, BridgeModel>;
  /** By link name, host ports under their shown names; in order of creation. */
  ports: Map<string, Port>;
  /** By engine index. */
  portAt: (Port | undefined)[];
  bridgeAt: (BridgeModel | undefined)[];
  /** FDB entries that were configured or added by command, including flood lists. */
  entries: EntryTable;
  /** Indexes of ports whose device is missing; `fault` gives the reason. */
  lost: Set<number>;
  /** Rows of sources of peers; absent: there are no sources. */
  peers?: PeerRows;
}

/** What sources of peers have put into the tables, as the rest of the control thread sees it. */
export interface PeerRows {
  /** MACs of sources, also those that wait for their port. */
  readonly macs: number;
  /** Rows of a port's flood lists that are in force. @param vid of this VLAN only */
  floodsOf(port: VxlanPort, vid?: number): Iterable<PeerFloodRow>;
  /** The source of the row of a MAC. */
  sourceOf(bridge: string, vid: number, mac: string): string | undefined;
  /** A configured entry has left this place: what a source says holds again. */
  freed(bridge: string, vid: number, mac: string): void;
  /** Before remotes are settled: references of what has changed. */
  settle(change: Transition): void;
  /** After remotes were settled. @param moved addresses that lead to other remotes now */
  tell(moved: ReadonlyMap<VxlanPort, ReadonlySet<string>>, change: Transition): void;
}

/** The owner of the entries under a link name. */
export function holderOf({ ports, bridges }: Pick<SwitchModel, 'ports' | 'bridges'>, name: string): Holder | undefined {
  const port = ports.get(name);
  if (port !== undefined) return port;
  const bridge = bridges.get(name);
  return bridge && { kind: 'bridge', index: ABSENT_HOST_PORT, name, bridge, vlans: new Map() };
}

/** Link name of the host port of a vxlan port. */
export function hostPortName(vxlan: string): string {
  return `${vxlan}@host`;
}
