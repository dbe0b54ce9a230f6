/**
 * The switch as the control thread knows it: names, options, and the numbers that the engine knows them by.
 * Plain data; `compile.ts` makes it from a configuration, `views.ts` shows it. It touches no device.
 */
import type { BridgeConfig, SwitchConfig, TapConfig, VxlanConfig } from '../config/types.js';

/** A TAP of a port, as opened. */
export interface OpenTap {
  /** Its queues: one for each engine. */
  fds: number[];
  /** Bytes of its virtio-net header; 0: none. */
  vnetHeaderSize: number;
  ifname: string;
  mac: string;
  mtu: number;
  close(): void;
}

/** Sockets of a vxlan port, as opened. */
export interface OpenUnderlay {
  /** Number of the receiving socket; ports of one local address and dstport share it. */
  socket: number;
  /** Numbers of the sending sockets. */
  senders: number[];
}

interface PortBase {
  index: number;
  name: string;
  bridge: BridgeModel;
}

export interface TapPort extends PortBase {
  kind: 'tap';
  config: TapConfig;
  tap: OpenTap;
  /** 'bridge' and 'vxlan': the host's own port of a bridge or of a vxlan port. */
  role: 'guest' | 'bridge' | 'vxlan';
}

export interface VxlanPort extends PortBase {
  kind: 'vxlan';
  config: VxlanConfig;
  underlay: OpenUnderlay;
  mtu: number;
  /** The port's own TAP, with `host_port`. */
  host: TapPort | null;
  vnis: VniModel[];
  /** Remotes by address. */
  remotes: Map<string, number>;
  /** Rows of the flood lists, and of multicast MACs that have remotes of their own, as configured. */
  destinations: DestinationRow[];
}

export type Port = TapPort | VxlanPort;

/** A VNI of a vxlan port; `vid` is null where it stands for all that the port carries. */
export interface VniModel {
  vni: number;
  vid: number | null;
  /** Number of its counters. */
  counter: number;
}

/** One remote of a flood list or of a pinned multicast MAC. */
export interface DestinationRow {
  mac: string;
  /** Absent: every VNI of the port. */
  vni?: number;
  dst: string;
  port?: number;
  state: 'static' | 'permanent';
}

export interface BridgeModel {
  index: number;
  name: string;
  config: BridgeConfig;
  ports: Port[];
  mtu: number;
}

export interface SwitchModel {
  config: SwitchConfig;
  bridges: BridgeModel[];
  /** By index; the engine's port numbers. */
  ports: Port[];
  /** Ports that the engine has lost: their device has gone. */
  lost: Set<number>;
}

/** Link name of a vxlan port's own TAP. */
export function hostPortName(vxlan: string): string {
  return `${vxlan}@host`;
}
