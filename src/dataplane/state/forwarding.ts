/**
 * The forwarding state: ports, bridges, VLAN memberships, tunnels. Plain integer tables; `operations/` changes them between
 * batches, the stages only read them.
 */
import { Tunnel, VIDS } from '../../encap/tunnel.js';
import { VniTable } from '../../encap/vni-table.js';
import { VNI_FLAG_BYTE } from '../../wire/vxlan.js';
import { MAX_PORTS, MAX_VNIS, RETIRED } from './counters.js';
import { REASON } from './drop-reasons.js';
import { Groups } from './groups.js';
import { type GuardSettings, PortGuard } from './port-guard.js';
import { LOOP_BLOCKED, OPEN, type PortStates, STP_DISCARDING, STP_LEARNING } from './port-states.js';
import { UdpEndpoints } from './udp-endpoints.js';

/** Index 0 is "no bridge": a port without a bridge is not UP. */
export const MAX_BRIDGES = 1024;
export const NO_BRIDGE = 0;
export const MAX_SOCKETS = 128;

// 0: no port.
export const PORT_LOCAL = 1;
export const PORT_TUNNEL = 2;
/** No device: what is sent to it is routed (`routing/`). */
export const PORT_GATEWAY = 3;

// Port flags.
export const UP = 1 << 0;
export const LEARNING = 1 << 1;
export const FLOOD = 1 << 2;
export const MCAST_FLOOD = 1 << 3;
export const BCAST_FLOOD = 1 << 4;
/** The port is isolated: in all VLANs, or with VLAN_ISOLATED in those that say so. */
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
/** Frames from the port pass its guard (`guard/`). Set with it, not by control. */
export const GUARDED = 1 << 22;
/** What the port receives, and what it sends, is limited (`policers.ts`). Set with the limits, not by control. */
export const POLICED_IN = 1 << 23;
export const POLICED_OUT = 1 << 24;
/** Frames may leave by the port that they came in by. */
export const HAIRPIN = 1 << 25;
/** On a locked port: MACs without an entry get one with FLAG_LOCKED (MAC authentication bypass). */
export const MAB = 1 << 26;
/** ISOLATED is set by VLAN: that of the membership applies. */
export const VLAN_ISOLATED = 1 << 27;
/** The bridge has instances of the spanning tree: a state closes the memberships that follow the port, and not the port. */
export const BY_INSTANCE = 1 << 31;
/** No announcement of a neighbour leaves by the port. Only with NEIGH_SUPPRESS, or in the VLANs that have it. */
export const HOLDS_GRATUITOUS = 1 << 30;

/** `socketFlag` of Geneve, which no datagram has. */
export const NO_FLAG = 0;
/** The port is the output of a mirror, and up; it is not UP, so it takes no part in forwarding. */
export const MIRROR = 1 << 29;
/** IPv4 packets without DF that are too long for the tunnel are sent as fragments. */
export const FRAGMENTS = 1 << 28;

/** `portMss`: from the path MTU of the remote, or from the MTU of the port. */
export const MSS_AUTO = -1;

// VLAN membership of a (port, VID).
const MEMBER = 1;
const UNTAGGED = 2;
/** As NEIGH_SUPPRESS, in this VLAN of a port with NEIGH_VLAN_SUPPRESS. */
const SUPPRESSES = 4;
/** As ISOLATED, in this VLAN of a port with VLAN_ISOLATED. */
const ISOLATES = 8;
/** The state of the VLAN at the port lets no frame pass: its membership has CLOSED in place of MEMBER, so a frame costs nothing more. */
const CLOSED = 16;
/** With CLOSED: sources are learned. */
const LEARNS = 32;
/** MEMBER, CLOSED and LEARNS are those of the state of the port. */
const FOLLOWS_PORT = 64;
/** Above these flags is the index of the membership's counters; 0: none. */
const COUNTER_SHIFT = 7;

const NONE = new Int32Array(0);
const NO_VIDS = new Int16Array(0);
/** Placeholder for a port without a tunnel. Never changed. */
const NO_TUNNEL = new Tunnel(0, [0], 0, 0);

/** `closed`: no frame passes; `learning`: nor there, but sources are learned; `port`: as that of the port, with BY_INSTANCE. */
export type VlanState = 'closed' | 'learning' | 'port';

/** What a port is in a VLAN. */
export interface Membership {
  untagged: boolean;
  /** NEIGH_SUPPRESS for this VLAN, on a port with NEIGH_VLAN_SUPPRESS. */
  suppresses?: boolean;
  /** ISOLATED for this VLAN, on a port with VLAN_ISOLATED. */
  isolated?: boolean;
  /** The state of the VLAN at the port. Absent: frames pass. */
  state?: VlanState;
  /** Index of its counters (`counters.ts`); 0: none. */
  counter: number;
}

export class Forwarding {
  readonly portKind = new Uint8Array(MAX_PORTS);
  readonly portBridge = new Int32Array(MAX_PORTS);
  /** UP only if control requests it, the device exists, the port is in a bridge, and no loop closes it. */
  readonly portFlags = new Int32Array(MAX_PORTS);
  /** 1: the TAP's device is gone. */
  readonly portGone = new Uint8Array(MAX_PORTS);
  /** The flags as control requests them. */
  private readonly wantedFlags = new Int32Array(MAX_PORTS);
  /** As last taken over from the shared states (`port-states.ts`). */
  readonly portState = new Uint8Array(MAX_PORTS);
  private seenStates = 0;
  /** 0: none. */
  readonly portPvid = new Int32Array(MAX_PORTS);
  /** Largest payload of an Ethernet frame that goes out of a local port, or comes out of a tunnel (0: not known), in bytes. */
  readonly portMtu = new Int32Array(MAX_PORTS);
  /** Largest MSS of TCP SYN segments that pass the port, MSS_AUTO, or 0: any (`egress/mss.ts`). Changed by `setMss` only. */
  readonly portMss = new Int32Array(MAX_PORTS);
  /** 1: a port of the bridge has a `portMss`. */
  readonly clampsBridge = new Uint8Array(MAX_BRIDGES);
  /** Whether any bridge does. */
  clamps = false;
  /** The port's own MAC, of a local port that of the gateways of its bridge; zero if it has none (`source_is_own`). */
  readonly portMacHigh = new Int32Array(MAX_PORTS);
  readonly portMacLow = new Int32Array(MAX_PORTS);
  /** One more than the port that gets a port's unicast frames while that is down; 0: none. */
  readonly portBackup = new Int32Array(MAX_PORTS);
  /** The remote of these frames: a nexthop group; 0: none. */
  readonly portBackupRemote = new Int32Array(MAX_PORTS);
  /** Service VLANs by customer VLAN, 0: the PVID; of a port without `cvlan_map` empty. Changed by `setServiceVids` only. */
  readonly serviceVids: Int16Array[] = new Array<Int16Array>(MAX_PORTS).fill(NO_VIDS);
  /** `counter << COUNTER_SHIFT | flags` by `port << 12 | vid`; only written pages take memory. */
  private readonly vlans = new Int32Array(MAX_PORTS * VIDS);
  readonly tunnels: Tunnel[] = new Array<Tunnel>(MAX_PORTS).fill(NO_TUNNEL);
  /** Ports with a tunnel. Changed by `setTunnel` and `clearPort` only. */
  tunnelPorts = NONE;
  /** What frames from a port may claim; undefined: anything. Changed by `setGuard` only. */
  readonly guards: (PortGuard | undefined)[] = new Array<PortGuard | undefined>(MAX_PORTS).fill(undefined);
  readonly endpoints = new UdpEndpoints();

  /** The EtherType of the tags that say a frame's VLAN: ETHERTYPE_VLAN or ETHERTYPE_QINQ; 0: no `vlan_filtering`. */
  readonly bridgeTpid = new Uint16Array(MAX_BRIDGES);
  /** Bit n: frames to 01:80:c2:00:00:0n are forwarded. */
  readonly bridgeGroupFwdMask = new Int32Array(MAX_BRIDGES);
  /** As that of its bridge, for frames that come in by the port. */
  readonly portGroupFwdMask = new Int32Array(MAX_PORTS);
  /** 1: MACs of the host are in no VLAN (VID 0), for all of them (Linux BROPT_FDB_LOCAL_VLAN_0). */
  readonly bridgeLocalVlan0 = new Uint8Array(MAX_BRIDGES);
  /** Random number of the bridge in its loop probes; both 0: no loop guard. */
  readonly bridgeGuard0 = new Int32Array(MAX_BRIDGES);
  readonly bridgeGuard1 = new Int32Array(MAX_BRIDGES);
  /** The MAC of the gateways of the bridge: no guest sends from it. Zeros: there are none. Changed by `setBridgeMac` only. */
  private readonly bridgeMacHigh = new Int32Array(MAX_BRIDGES);
  private readonly bridgeMacLow = new Int32Array(MAX_BRIDGES);
  /** 1: BPDUs are for the bridge itself. */
  readonly bridgeStp = new Uint8Array(MAX_BRIDGES);
  /** 1: groups restrict where multicast goes. */
  readonly bridgeSnooping = new Uint8Array(MAX_BRIDGES);
  /** Unused at NO_BRIDGE. */
  readonly bridgePorts: Int32Array[] = new Array<Int32Array>(MAX_BRIDGES).fill(NONE);
  readonly groups = new Groups();
  /** By port, where the frames of a VNI to a group of IP go behind a tunnel (`setTunnelGroup`); undefined: the flood lists decide. */
  readonly tunnelGroups: (Groups | undefined)[] = new Array<Groups | undefined>(MAX_PORTS).fill(undefined);

  /** The port that counts datagrams of a socket that belong to no port; RETIRED: none. */
  readonly socketOwner = new Int32Array(MAX_SOCKETS).fill(RETIRED);
  /** The socket whose VNIs apply to a socket's datagrams: itself, or that of the port's own address. */
  readonly socketOf = Int32Array.from({ length: MAX_SOCKETS }, (_, socket) => socket);
  /** By socket, the bit that a VXLAN datagram has in its first byte; NO_FLAG for Geneve. One check serves both. */
  readonly socketFlag = new Uint8Array(MAX_SOCKETS).fill(VNI_FLAG_BYTE);
  /** By socket: the management VNI, whose datagrams are for the liveness thread, or -1; and the path of its sessions. */
  readonly managementVni = new Int32Array(MAX_SOCKETS).fill(-1);
  readonly managementPath = new Int32Array(MAX_SOCKETS);
  readonly vnis = new VniTable();
  /** Number of mappings that use a VNI counter. */
  readonly vniUsers = new Int32Array(MAX_VNIS);
  /** Remotes of a pinned multicast MAC, by the index in the destination of its FDB row. */
  readonly pinned: Int32Array[] = [];
  /** The remote of each bucket of a nexthop group, by the index of the group; empty: it leads nowhere. */
  readonly nexthops: Int32Array[] = [];

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
    const isDead = this.portGone[port] !== 0 || this.portBridge[port] === NO_BRIDGE;
    this.wantedFlags[port] = wanted;
    const without = isDead ? UP | MIRROR : this.isClosed(port) ? UP : 0;
    this.portFlags[port] = wanted & ~without;
    this.flagBridge(this.portBridge[port]);
  }

  /** Whether the port carries no frames for a reason other than loops. */
  private isDown(port: number): boolean {
    return (this.wantedFlags[port] & UP) === 0 || this.portGone[port] !== 0 || this.portBridge[port] === NO_BRIDGE;
  }

  /** Takes over what loop guard and the spanning tree have changed. Between receive and the first frame of a turn. */
  adoptStates(states: PortStates): void {
    const { version } = states;
    if (version === this.seenStates) return;
    this.seenStates = version;
    for (let port = 0; port < MAX_PORTS; port++) {
      const state = states.of(port);
      if (state === this.portState[port]) continue;
      this.portState[port] = state;
      if (this.portKind[port] === 0) continue;
      if (!this.isClosed(port) && !this.isDown(port)) this.portFlags[port] |= UP;
      else this.portFlags[port] &= ~UP;
      if ((this.wantedFlags[port] & BY_INSTANCE) !== 0) this.followPort(port);
    }
  }

  /** Whether the state of a port closes it as a whole. */
  private isClosed(port: number): boolean {
    const state = this.portState[port];
    return state === LOOP_BLOCKED || (state !== OPEN && (this.wantedFlags[port] & BY_INSTANCE) === 0);
  }

  /** The memberships that have the state of the port get it. */
  private followPort(port: number): void {
    const { vlans } = this;
    const passes = this.passesAt(port);
    for (let at = port << 12; at < (port + 1) << 12; at++)
      if ((vlans[at] & FOLLOWS_PORT) !== 0) vlans[at] = (vlans[at] & ~(MEMBER | CLOSED | LEARNS)) | passes;
  }

  /** What a membership with FOLLOWS_PORT lets pass. A port that loop guard blocks is closed as a whole. */
  private passesAt(port: number): number {
    const state = this.portState[port];
    if (state === STP_LEARNING) return CLOSED | LEARNS;
    return state === STP_DISCARDING ? CLOSED : MEMBER;
  }

  /** The drop reason of frames from and to a port that is not UP. */
  whyClosed(port: number): number {
    if (this.portState[port] === OPEN || this.isDown(port)) return REASON.port_down;
    return this.portState[port] === LOOP_BLOCKED ? REASON.loop_blocked : REASON.stp_blocked;
  }

  /** Updates the aggregated flags of all ports of a bridge. */
  private flagBridge(bridge: number): void {
    const { portFlags } = this;
    const ports = this.bridgePorts[bridge];
    const all = ports.reduce((flags, port) => flags | portFlags[port], 0);
    const asks = NEIGH_SUPPRESS | NEIGH_VLAN_SUPPRESS | PROXY | L3MISS | LAYER3;
    const snoops = (all & asks) !== 0 ? SNOOPS_NEIGHBOURS : 0;
    const flags = snoops | ((all & RSC) !== 0 ? SHORT_CIRCUITS : 0);
    for (const port of ports) {
      portFlags[port] = (portFlags[port] & ~OF_BRIDGE) | flags;
      if (this.portKind[port] !== PORT_LOCAL) continue;
      this.portMacHigh[port] = this.bridgeMacHigh[bridge];
      this.portMacLow[port] = this.bridgeMacLow[bridge];
    }
    this.clampsBridge[bridge] = bridge !== NO_BRIDGE && ports.some((port) => this.portMss[port] !== 0) ? 1 : 0;
    this.clamps = this.clampsBridge.includes(1);
  }

  /** Sets the largest MSS of a port. Control path. */
  setMss(port: number, mss: number): void {
    this.portMss[port] = mss;
    this.flagBridge(this.portBridge[port]);
  }

  /** Sets where frames for a port go while that is down. Control path. */
  setBackup(port: number, backup: number | null, remote: number): void {
    this.needPort(port);
    this.portBackup[port] = backup === null ? 0 : backup + 1;
    this.portBackupRemote[port] = remote;
  }

  /** Sets the MAC that no guest of a bridge may send from. Control path. */
  setBridgeMac(bridge: number, high: number, low: number): void {
    this.bridgeMacHigh[bridge] = high;
    this.bridgeMacLow[bridge] = low;
    this.flagBridge(bridge);
  }

  /** Sets a port's tunnel. Control path. */
  setTunnel(port: number, tunnel: Tunnel): void {
    this.tunnels[port] = tunnel;
    this.tunnelPorts = Int32Array.from(new Set([...this.tunnelPorts, port]));
    this.endpoints.destinations[tunnel.udpPort] = 1;
  }

  /** Sets what frames from a port may claim. Control path. */
  setGuard(port: number, settings: GuardSettings): void {
    const guard = new PortGuard(settings);
    const guards = guard.inspects || guard.hasMacs;
    this.guards[port] = guards ? guard : undefined;
    this.portFlags[port] = guards ? this.portFlags[port] | GUARDED : this.portFlags[port] & ~GUARDED;
  }

  isMember(port: number, vid: number): boolean {
    return (this.vlans[(port << 12) | vid] & MEMBER) !== 0;
  }

  /** Why a port carries no frame of a VLAN that it is no member of, by `isMember`: a drop reason. */
  whyNoMember(port: number, vid: number): number {
    return (this.vlans[(port << 12) | vid] & CLOSED) === 0 ? REASON.vlan_not_allowed : REASON.stp_blocked;
  }

  /** Whether a port learns from frames of a VLAN that do not pass. */
  learnsInClosed(port: number, vid: number): boolean {
    return (this.vlans[(port << 12) | vid] & LEARNS) !== 0;
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
    return suppresses ? flags | NEIGH_SUPPRESS : flags & ~(NEIGH_SUPPRESS | HOLDS_GRATUITOUS);
  }

  /** Whether a port with the flag ISOLATED is isolated in a VLAN. @param vid 0 in a bridge without VLAN filtering */
  isIsolatedIn(port: number, vid: number): boolean {
    return (this.portFlags[port] & VLAN_ISOLATED) === 0 || (this.vlans[(port << 12) | vid] & ISOLATES) !== 0;
  }

  clearVlan(port: number, vid: number): void {
    this.vlans[(port << 12) | vid] = 0;
  }

  clearVlans(port: number): void {
    this.vlans.fill(0, port << 12, (port + 1) << 12);
  }

  setVlan(port: number, vid: number, { untagged, suppresses, isolated, state, counter }: Membership): void {
    const passes = state === undefined ? MEMBER : state === 'learning' ? CLOSED | LEARNS : CLOSED;
    const open = state === 'port' ? FOLLOWS_PORT | this.passesAt(port) : passes;
    const flags = open | (untagged ? UNTAGGED : 0) | (suppresses ? SUPPRESSES : 0) | (isolated ? ISOLATES : 0);
    this.vlans[(port << 12) | vid] = (counter << COUNTER_SHIFT) | flags;
  }

  /** Control path. */
  setServiceVids(port: number, maps: readonly { first: number; last: number; service: number }[]): void {
    if (maps.length === 0) {
      this.serviceVids[port] = NO_VIDS;
      return;
    }
    const vids = new Int16Array(VIDS);
    for (const { first, last, service } of maps) vids.fill(service, first, last + 1);
    this.serviceVids[port] = vids;
  }

  /** Clears all state of a port except its counters. */
  clearPort(port: number): void {
    this.moveToBridge(port, NO_BRIDGE);
    this.portKind[port] = 0;
    this.portFlags[port] = 0;
    this.wantedFlags[port] = 0;
    this.portGone[port] = 0;
    this.portPvid[port] = 0;
    this.portMtu[port] = 0;
    this.portMss[port] = 0;
    this.portMacHigh[port] = 0;
    this.portMacLow[port] = 0;
    this.portBackup[port] = 0;
    this.portBackupRemote[port] = 0;
    this.portGroupFwdMask[port] = 0;
    this.guards[port] = undefined;
    this.clearVlans(port);
    this.serviceVids[port] = NO_VIDS;
    this.tunnels[port] = NO_TUNNEL;
    this.tunnelGroups[port] = undefined;
    this.tunnelPorts = this.tunnelPorts.filter((other) => other !== port);
  }
}
