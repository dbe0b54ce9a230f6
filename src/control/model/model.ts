/**
 * The switch as the control thread knows it: names, options, and the numbers that the engines know them by.
 * Plain data; `reconcile.ts` changes it with the configuration, `views.ts` shows it. It touches no device.
 */
import type { BridgeConfig, NicAddress, PortConfig, SwitchConfig, TapConfig, VxlanConfig } from '../../config/types.js';
import { ABSENT_HOST_PORT } from '../../dataplane/state/destination.js';
import type { EntryTable } from './entries.js';

/** A TAP of a port, as opened; it is followed wherever its NIC goes. */
export interface OpenTap {
  /** Its queues: one for each engine. */
  fds: number[];
  /** Bytes of its virtio-net header; 0: none. */
  vnetHeaderSize: number;
  /** As it was opened. */
  ifname: string;
  /** As it was seen last. */
  mac: string;
  mtu: number;
  /** The NIC as it is now; null: its device has gone. */
  state(): NicState | null;
  /** Whether the NIC has this name now, in this namespace (absent: the switch's own). */
  isAt(ifname: string, netns: string | undefined): boolean;
  /** Whether the NIC was moved to another namespace. */
  readonly hasMoved: boolean;
  /** Sets the NIC's MTU, in bytes. @throws when the device has gone, as the next three */
  setMtu(mtu: number): void;
  setMac(mac: string): void;
  addAddresses(addresses: readonly NicAddress[]): void;
  removeAddresses(addresses: readonly NicAddress[]): void;
  /** Without effect on a TAP that was there before and that overtap has not made: it stays. */
  setPersist(persist: boolean): void;
  close(): void;
  /** Closes it, and leaves things as they were before it was opened. */
  discard(): void;
}

/** A NIC as the kernel shows it. */
export interface NicState {
  ifname: string;
  /** Number of the namespace that it is in. */
  netns: number;
  up: boolean;
  mtu: number;
  mac: string;
}

/** Sockets of a vxlan port, as opened. */
export interface OpenUnderlay {
  /** Number of the receiving socket; ports of one local address and dstport share it. */
  socket: number;
  /** Number of the socket that takes in the port's multicast group; null: it has none. */
  group: number | null;
  pools: SenderPools;
}

/** Numbers of the sending sockets of a vxlan port. */
export interface SenderPools {
  senders: number[];
  /** With `df: inherit`, those of frames that must not be fragmented; else none. */
  dfSenders: number[];
}

export interface PortBase {
  /** The engines' number of it. */
  index: number;
  name: string;
  /** Null: it belongs to none. */
  bridge: BridgeModel | null;
  /** Its memberships in force, by VID; `counter` numbers the accounts, 0: none are kept. */
  vlans: Map<number, { untagged: boolean; suppresses: boolean; counter: number }>;
  pvid: number;
  /** Why it carries nothing, as far as its devices and routes are concerned; null: nothing keeps it from it. */
  fault: string | null;
}

/** A port that frames go to and come from. What is behind it is for its kind to know (`ports/`). */
export interface LocalPort extends PortBase {
  kind: LocalConfig['type'];
  config: LocalConfig;
}

type LocalConfig = Exclude<PortConfig, VxlanConfig>;

export interface TapPort extends LocalPort {
  kind: 'tap';
  config: TapConfig;
  tap: OpenTap;
  /** 'bridge' and 'vxlan': the host's own port of a bridge or of a vxlan port. */
  role: PortRole;
  /** FDB segments that hold the host port's own MAC. */
  ownSegments: number[];
  /** The MAC that is in them. */
  ownMac: string;
}

export type PortRole = 'guest' | 'bridge' | 'vxlan';

export interface VxlanPort extends PortBase {
  kind: 'vxlan';
  config: VxlanConfig;
  underlay: OpenUnderlay;
  mtu: number;
  /** The port's own TAP, with `host_port`. */
  host: TapPort | null;
  vnis: VniModel[];
  /** By address: those that peers, flood lists, entries and groups by hand name. */
  vteps: Map<string, Vtep>;
  /** By remote: the VNI that frames to it are sent with, where an entry says one of its own. */
  sentVnis: Map<number, SentVni>;
  /** Numbers of the lists of multicast MACs with remotes of their own, by `mac vlan`. */
  pins: Map<string, number>;
}

export type Port = LocalPort | VxlanPort;

/** A port with VTEPs and VNIs. */
export function isTunnel(port: Holder | undefined): port is VxlanPort {
  return port?.kind === 'vxlan';
}

/** The host's own port of a bridge or of a vxlan port. */
export function isHostPort(port: Holder | undefined): port is TapPort {
  return port !== undefined && 'role' in port && port.role !== 'guest';
}

/** The host port of a bridge: its entries are those of the bridge itself, and stay with that. */
export function isHostOfBridge(port: Port): boolean {
  return isHostPort(port) && port.role === 'bridge';
}

/** A bridge itself that has no host port: what is the host's own there leads to nobody. */
export interface BridgeSelf {
  kind: 'bridge';
  /** ABSENT_HOST_PORT: the engines know no such port. */
  index: number;
  name: string;
  bridge: BridgeModel;
  vlans: ReadonlyMap<number, unknown>;
}

/** What an FDB entry may be put on. A host port has the entries of its bridge. */
export type Holder = Port | BridgeSelf;

/** A VTEP of a vxlan port, and the numbers of its remotes. */
export interface Vtep {
  address: string;
  /** The remote that what comes from there is from, and that what was learned goes to. */
  home: number;
  /** Where frames to `home` go; 0: the engines do not know it yet. */
  udpPort: number;
  /** The remotes of entries with another UDP port or a VNI of their own, by what they say. */
  others: Map<string, OtherRemote>;
  /** What entries say of it, and how many rows of flood lists and other entries do. */
  said: Map<string, { udpPort: number; vni: number | undefined; flood: number; others: number }>;
  /** How many peers, rows of flood lists, entries and groups need it. */
  users: number;
}

export interface OtherRemote {
  remote: number;
  udpPort: number;
  /** The VNI that frames to it are sent with, whatever VNI they are of. */
  sent?: SentVni;
}

/** Numbers as in `VniModel`. */
export interface SentVni {
  vni: number;
  header: number;
  counter: number;
}

/** A VNI of a vxlan port; `vid` is null where it stands for all that the port carries. */
export interface VniModel {
  vni: number;
  vid: number | null;
  /** Number of its VXLAN header in the engines' arenas. */
  header: number;
  /** Number of its counters. */
  counter: number;
}

export interface BridgeModel {
  /** From 1 on: 0 is "no bridge". */
  index: number;
  name: string;
  config: BridgeConfig;
  /** Host ports among them. */
  ports: Port[];
  mtu: number;
}

export interface SwitchModel {
  config: SwitchConfig;
  /** By name, in the order of their making. */
  bridges: Map<string, BridgeModel>;
  /** By link name, host ports under their shown names; in the order of their making. */
  ports: Map<string, Port>;
  /** By the engines' number. */
  portAt: (Port | undefined)[];
  bridgeAt: (BridgeModel | undefined)[];
  /** FDB entries that were configured or put in by hand, flood lists among them. */
  entries: EntryTable;
  /** Numbers of ports without their device: it has gone, or is not there yet. `fault` says why, and they wait for it. */
  lost: Set<number>;
}

/** What the entries under a link's name are on. */
export function holderOf({ ports, bridges }: Pick<SwitchModel, 'ports' | 'bridges'>, name: string): Holder | undefined {
  const port = ports.get(name);
  if (port !== undefined) return port;
  const bridge = bridges.get(name);
  return bridge && { kind: 'bridge', index: ABSENT_HOST_PORT, name, bridge, vlans: new Map() };
}

/** Link name of a vxlan port's own TAP. */
export function hostPortName(vxlan: string): string {
  return `${vxlan}@host`;
}
