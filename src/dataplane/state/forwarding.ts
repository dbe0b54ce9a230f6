/**
 * The forwarding state: ports, bridges, VLAN memberships, tunnels. Plain integer tables; `operations/` changes them between
 * batches, the stages only read them.
 */
import { Tunnel, VIDS } from '../../encap/tunnel.js';
import { VniTable } from '../../encap/vni-table.js';
import { MAX_PORTS, MAX_VNIS, RETIRED } from './counters.js';
import { Groups } from './groups.js';
import { UdpEndpoints } from './udp-endpoints.js';

/** Index 0 is "no bridge": a port without a bridge is not UP. */
export const MAX_BRIDGES = 1024;
export const NO_BRIDGE = 0;
export const MAX_SOCKETS = 128;

// 0: no port.
export const PORT_LOCAL = 1;
export const PORT_TUNNEL = 2;

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
/** The port has pinned multicast MACs. */
export const HAS_PINS = 1 << 11;
/** Requests for a known MAC are answered here, and not sent out of the port. */
export const NEIGH_SUPPRESS = 1 << 12;
// Flags of vxlan ports only.
/** No ARP or ND request enters the tunnel. */
export const PROXY = 1 << 13;
/** Packets to a router are sent directly to their destination host. */
export const RSC = 1 << 14;
/** Misses are reported to the control thread. */
export const L2MISS = 1 << 15;
export const L3MISS = 1 << 16;
// Aggregated over the ports of a bridge by this table: set if any port needs it.
export const SNOOPS_NEIGHBOURS = 1 << 17;
export const SHORT_CIRCUITS = 1 << 18;
const OF_BRIDGE = SNOOPS_NEIGHBOURS | SHORT_CIRCUITS;
/** Suppression is set by VLAN: the SUPPRESSES flag of the membership applies instead of NEIGH_SUPPRESS. */
export const NEIGH_VLAN_SUPPRESS = 1 << 19;
/** The bridge is a cross-connect of two ports. */
export const XCONNECT = 1 << 20;
/** A layer-3 port: its device has IP packets, and the engine is the Ethernet half of its host (`layer3/`). */
export const LAYER3 = 1 << 21;

// VLAN membership of a (port, VID).
const MEMBER = 1;
const UNTAGGED = 2;
/** As NEIGH_SUPPRESS, in this VLAN of a port with NEIGH_VLAN_SUPPRESS. */
const SUPPRESSES = 4;
/** Above these flags is the index of the membership's counters; 0: none. */
const COUNTER_SHIFT = 3;

const NONE = new Int32Array(0);
/** Placeholder for a port without a tunnel. Never changed. */
const NO_TUNNEL = new Tunnel(0, [0], 0, 0);

export class Forwarding {
  readonly portKind = new Uint8Array(MAX_PORTS);
  readonly portBridge = new Int32Array(MAX_PORTS);
  /** UP only if control requests it, the device exists and the port is in a bridge. */
  readonly portFlags = new Int32Array(MAX_PORTS);
  /** 1: the TAP's device is gone. */
  readonly portGone = new Uint8Array(MAX_PORTS);
  /** 0: none. */
  readonly portPvid = new Int32Array(MAX_PORTS);
  /** Largest payload of an Ethernet frame that goes out of a local port, or comes out of a tunnel (0: not known), in bytes. */
  readonly portMtu = new Int32Array(MAX_PORTS);
  /** The port's own MAC, zero if it has none (`source_is_own`). */
  readonly portMacHigh = new Int32Array(MAX_PORTS);
  readonly portMacLow = new Int32Array(MAX_PORTS);
  /** `counter << 3 | SUPPRESSES | UNTAGGED | MEMBER` by `port << 12 | vid`; only written pages take memory. */
  private readonly vlans = new Int32Array(MAX_PORTS * VIDS);
  readonly tunnels: Tunnel[] = new Array<Tunnel>(MAX_PORTS).fill(NO_TUNNEL);
  /** Ports with a tunnel. Changed by `setTunnel` and `clearPort` only. */
  tunnelPorts = NONE;
  readonly endpoints = new UdpEndpoints();

  /** 1: `vlan_filtering`. */
  readonly bridgeFiltering = new Uint8Array(MAX_BRIDGES);
  /** Bit n: frames to 01:80:c2:00:00:0n are forwarded. */
  readonly bridgeGroupFwdMask = new Int32Array(MAX_BRIDGES);
  /** 1: groups restrict where multicast goes. */
  readonly bridgeSnooping = new Uint8Array(MAX_BRIDGES);
  /** Unused at NO_BRIDGE. */
  readonly bridgePorts: Int32Array[] = new Array<Int32Array>(MAX_BRIDGES).fill(NONE);
  readonly groups = new Groups();

  /** The port that counts datagrams of a socket that belong to no port; RETIRED: none. */
  readonly socketOwner = new Int32Array(MAX_SOCKETS).fill(RETIRED);
  /** The socket whose VNIs apply to a socket's datagrams: itself, or that of the port's own address. */
  readonly socketOf = Int32Array.from({ length: MAX_SOCKETS }, (_, socket) => socket);
  readonly vnis = new VniTable();
  /** Number of mappings that use a VNI counter. */
  readonly vniUsers = new Int32Array(MAX_VNIS);
  /** Remotes of a pinned multicast MAC, by the index in the destination of its FDB row. */
  readonly pinned: Int32Array[] = [];

  /**
   * Control path.
   * @param kind the kind that the port must have; 0: any
   * @throws RangeError when it is not there, or of another kind
   */
  needPort(port: number, kind = 0): void {
    const found = this.portKind[port];
    if (found === 0) throw new RangeError(`no port has number ${port}: it is to be made before it is changed`);
    if (kind !== 0 && found !== kind) throw new RangeError(`port ${port} is of another kind`);
  }

  /** Moves a present port into a bridge. Control path. */
  moveToBridge(port: number, bridge: number): void {
    const from = this.portBridge[port];
    this.bridgePorts[from] = this.bridgePorts[from].filter((other) => other !== port);
    this.portBridge[port] = bridge;
    if (bridge !== NO_BRIDGE) this.bridgePorts[bridge] = Int32Array.from([...this.bridgePorts[bridge], port]);
    this.flagBridge(from);
    this.flagBridge(bridge);
  }

  /** Sets a port's flags as control requests, as far as its state permits. Control path. */
  setFlags(port: number, wanted: number): void {
    const dead = this.portGone[port] !== 0 || this.portBridge[port] === NO_BRIDGE;
    this.portFlags[port] = dead ? wanted & ~UP : wanted;
    this.flagBridge(this.portBridge[port]);
  }

  /** Updates the aggregated flags of all ports of a bridge. */
  private flagBridge(bridge: number): void {
    const { portFlags } = this;
    const ports = this.bridgePorts[bridge];
    const all = ports.reduce((flags, port) => flags | portFlags[port], 0);
    const asks = NEIGH_SUPPRESS | NEIGH_VLAN_SUPPRESS | PROXY | L3MISS | LAYER3;
    const snoops = (all & asks) !== 0 ? SNOOPS_NEIGHBOURS : 0;
    const flags = snoops | ((all & RSC) !== 0 ? SHORT_CIRCUITS : 0);
    for (const port of ports) portFlags[port] = (portFlags[port] & ~OF_BRIDGE) | flags;
  }

  /** Sets a port's tunnel. Control path. */
  setTunnel(port: number, tunnel: Tunnel): void {
    this.tunnels[port] = tunnel;
    this.tunnelPorts = Int32Array.from(new Set([...this.tunnelPorts, port]));
    this.endpoints.destinations[tunnel.udpPort] = 1;
  }

  isMember(port: number, vid: number): boolean {
    return (this.vlans[(port << 12) | vid] & MEMBER) !== 0;
  }

  isUntagged(port: number, vid: number): boolean {
    return (this.vlans[(port << 12) | vid] & UNTAGGED) !== 0;
  }

  /** Number of a membership's counters; 0: none. */
  vlanCounter(port: number, vid: number): number {
    return this.vlans[(port << 12) | vid] >>> COUNTER_SHIFT;
  }

  /**
   * Whether a tunnel port neither sends nor accepts tagged inner frames (RFC 7348 section 6.1): one that maps VLANs to VNIs, unless
   * `inner_vlan` keeps tags. The rule is about 802.1Q tags, priority tags among them; 802.1ad is payload.
   */
  refusesInnerTag(port: number): boolean {
    return (this.portFlags[port] & (VLAN_TUNNEL | KEEP_INNER_VLAN)) === VLAN_TUNNEL;
  }

  /**
   * The port's flags, with NEIGH_SUPPRESS as it is in a VLAN (Linux `br_is_neigh_suppress_enabled`).
   * @param vid 0 in a bridge without VLAN filtering, where the port's own flag holds
   */
  flagsIn(port: number, vid: number): number {
    const flags = this.portFlags[port];
    if ((flags & NEIGH_VLAN_SUPPRESS) === 0 || vid === 0) return flags;
    const suppresses = (this.vlans[(port << 12) | vid] & SUPPRESSES) !== 0;
    return suppresses ? flags | NEIGH_SUPPRESS : flags & ~NEIGH_SUPPRESS;
  }

  clearVlan(port: number, vid: number): void {
    this.vlans[(port << 12) | vid] = 0;
  }

  clearVlans(port: number): void {
    this.vlans.fill(0, port << 12, (port + 1) << 12);
  }

  setVlan(port: number, vid: number, untagged: boolean, suppresses: boolean, counter: number): void {
    const flags = MEMBER | (untagged ? UNTAGGED : 0) | (suppresses ? SUPPRESSES : 0);
    this.vlans[(port << 12) | vid] = (counter << COUNTER_SHIFT) | flags;
  }

  /** Clears all state of a port except its counters. */
  clearPort(port: number): void {
    this.moveToBridge(port, NO_BRIDGE);
    this.portKind[port] = 0;
    this.portFlags[port] = 0;
    this.portGone[port] = 0;
    this.portPvid[port] = 0;
    this.portMtu[port] = 0;
    this.portMacHigh[port] = 0;
    this.portMacLow[port] = 0;
    this.clearVlans(port);
    this.tunnels[port] = NO_TUNNEL;
    this.tunnelPorts = this.tunnelPorts.filter((other) => other !== port);
  }
}
