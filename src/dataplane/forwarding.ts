/**
 * What the engine forwards by: ports, bridges, VLAN membership, tunnels. Plain tables of integers; `operations.ts`
 * changes them between batches, the stages only read them.
 */
import { Tunnel, VIDS } from '../encap/tunnel.js';
import { VniTable } from '../encap/vni-table.js';
import { MAX_PORTS } from './counters.js';

export const MAX_BRIDGES = 1024;
export const MAX_SOCKETS = 128;

// 0: no port.
export const PORT_TAP = 1;
export const PORT_VXLAN = 2;

// Port flags.
export const UP = 1 << 0;
export const LEARNING = 1 << 1;
export const FLOOD = 1 << 2;
export const MCAST_FLOOD = 1 << 3;
export const BCAST_FLOOD = 1 << 4;
export const ISOLATED = 1 << 5;
export const LOCKED = 1 << 6;
export const VLAN_TUNNEL = 1 << 7;
export const KEEP_INNER_VLAN = 1 << 8;
export const DROP_RESERVED_BITS = 1 << 9;
export const ANY_VTEP = 1 << 10;
/** Some multicast MAC has remotes of its own on this port. */
export const HAS_PINS = 1 << 11;

// VLAN membership of a (port, VID).
export const MEMBER = 1;
export const UNTAGGED = 2;

const NO_PORTS = new Int32Array(0);
const NO_TUNNEL = new Tunnel(0, [0], 0, 0);

export class Forwarding {
  readonly portKind = new Uint8Array(MAX_PORTS);
  readonly portBridge = new Int32Array(MAX_PORTS);
  readonly portFlags = new Int32Array(MAX_PORTS);
  /** 0: none. */
  readonly portPvid = new Int32Array(MAX_PORTS);
  /** Largest payload of an Ethernet frame that goes out of the port, in bytes. */
  readonly portMtu = new Int32Array(MAX_PORTS);
  /** The port's own MAC, zero if it has none (`source_is_own`). */
  readonly portMacHigh = new Int32Array(MAX_PORTS);
  readonly portMacLow = new Int32Array(MAX_PORTS);
  /** MEMBER and UNTAGGED by `port << 12 | vid`. */
  readonly vlans = new Uint8Array(MAX_PORTS * VIDS);
  readonly tunnels: Tunnel[] = new Array<Tunnel>(MAX_PORTS).fill(NO_TUNNEL);

  /** 1: `vlan_filtering`. */
  readonly bridgeFiltering = new Uint8Array(MAX_BRIDGES);
  readonly bridgePorts: Int32Array[] = new Array<Int32Array>(MAX_BRIDGES).fill(NO_PORTS);

  /** The port that answers for datagrams of a socket that belong to no port. */
  readonly socketOwner = new Int32Array(MAX_SOCKETS);
  readonly vnis = new VniTable();
  /** Remotes of a pinned multicast MAC, by the number that its FDB row has as destination. */
  readonly pinned: Int32Array[] = [];

  addToBridge(port: number, bridge: number): void {
    this.portBridge[port] = bridge;
    this.bridgePorts[bridge] = Int32Array.from([...this.bridgePorts[bridge], port]);
  }
}

/** The FDB segment of a VLAN of a bridge; `vid` is 0 in a bridge without VLAN filtering. */
export function segmentOf(bridge: number, vid: number): number {
  return ((bridge << 12) | vid) + 1;
}

const PINS = 1 << 28;

/** The FDB segment that holds the pinned multicast MACs of a vxlan port's VLAN. */
export function pinSegmentOf(port: number, vid: number): number {
  return PINS | (port << 12) | vid;
}

/** Bridge and VID of a segment, or null for a segment of pins. Control path. */
export function segmentParts(segment: number): { bridge: number; vid: number } | null {
  if (segment >= PINS) return null;
  return { bridge: (segment - 1) >> 12, vid: (segment - 1) & 0xfff };
}

/** An FDB destination: the port, and behind a vxlan port the remote (0: none). */
export function destinationOf(port: number, remote: number): number {
  return (remote << 10) | port;
}

export function destinationPort(destination: number): number {
  return destination & 0x3ff;
}

export function destinationRemote(destination: number): number {
  return destination >>> 10;
}
