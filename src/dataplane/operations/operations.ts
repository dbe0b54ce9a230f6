/**
 * How the control thread changes the forwarding state: a list of operations, carried out between two batches, so that no frame
 * sees an intermediate state. Operations refer to indexes that the control thread has assigned.
 *
 * Every engine of a switch gets the same list. For resources of each engine (queue of a TAP, receiving socket) the operation
 * holds the descriptors of all engines. Shared memory is written by engine 0 only, which gets a list last: by then every engine
 * knows all that its entries refer to.
 */
import type { FdbMatch } from '../../fdb/table.js';
import { withdrawFlows } from '../flow/mirror.js';
import { type OwnQuery, sendQuery } from '../egress/own-query.js';
import type { Context } from '../state/context.js';
import type { PoliceLimits } from '../state/policers.js';
import type { FlowPort } from '../state/flows.js';
import type { Membership } from '../state/forwarding.js';
import type { GuardSettings } from '../state/port-guard.js';
import type { Way } from '../state/routes.js';
import * as neigh from './neigh.js';
import * as ports from './ports.js';
import * as vlans from './vlans.js';

/** Words of an address, IPv4 mapped, and where frames to it go. */
export interface GroupRow {
  address: number[];
  destinations: number[];
  /** Hosts behind local ports that get a copy each in place of the port's: the port, and the halves of the MAC. */
  hosts?: [port: number, high: number, low: number][];
  permanent?: boolean;
}

export type Operation =
  // ---- Bridges. Number 0 is "no bridge": where a port is that belongs to none.
  /** Creates or changes a bridge. */
  | {
      op: 'bridge';
      bridge: number;
      filtering: boolean;
      /** VLANs are said by tags of 802.1ad; absent: by those of 802.1Q. */
      serviceTags?: boolean;
      ageingTicks: number;
      /** 0: no limit. */
      maxLearned: number;
      /** Bit n: frames to 01:80:c2:00:00:0n are forwarded. */
      groupFwdMask: number;
      snooping: boolean;
      /** MACs of the host have the VID 0, for all VLANs. Default false. */
      localVlan0?: boolean;
      /** Random number of the bridge in its loop probes, two words; absent: no loop guard. */
      guard?: readonly [number, number];
      /** BPDUs are for the bridge itself. Default false. */
      stp?: boolean;
    }
  /** Its ports were deleted or moved before. */
  | { op: 'bridge-del'; bridge: number }

  // ---- Ports
  | {
      op: 'local-port';
      port: number;
      bridge: number;
      fds: number[];
      vnetHeaderSize: number;
      flags: number;
      mtu: number;
      /** Absent: a frame for each read and write, with the virtio-net header, if any. */
      socket?: ports.FrameSocket;
      /** Its interface, whose known flows may be carried outside of the engine; absent: none are. */
      flow?: FlowPort;
      /** Its device has IP packets; the flag LAYER3 goes with it, and the operation `layer3` follows. */
      layer3?: boolean;
    }
  /** A gateway, with the flag LAYER3; the operation `gateway` follows. */
  | { op: 'gateway-port'; port: number; bridge: number; flags: number; mtu: number }
  /** MAC, addresses and VRF of a gateway. */
  | ({ op: 'gateway' } & ports.GatewaySettings)
  /** The MAC that guests of a bridge may not send from: that of its gateways; zeros: any. */
  | { op: 'bridge-mac'; bridge: number; mac: { high: number; low: number } }
  /** A route of a VRF, replacing an equal one. The prefix has four words, IPv4 mapped, and its length counts 128 bits. */
  | { op: 'route'; vrf: number; words: readonly number[]; prefix: number; kind: number; ways: readonly Way[] }
  | { op: 'route-del'; vrf: number; words: readonly number[]; prefix: number }
  /** MAC, addresses and gateways of the host of a layer-3 port, which the engines speak for. */
  | ({ op: 'layer3' } & ports.Layer3Settings)
  | {
      op: 'tunnel-port';
      port: number;
      bridge: number;
      flags: number;
      socket: number;
      senders: number[];
      /** Sending sockets for packets that must not be fragmented: IPv4 with DF set, and IPv6. Empty: `senders`. */
      dfSenders: number[];
      udpPort: number;
      /** The outer source address, four words, IPv4 mapped; absent or null: chosen by the route. */
      local?: number[] | null;
      /** Geneve in place of VXLAN, for the socket too: its ports have one encapsulation. */
      geneve?: boolean;
      /** Policy ID in the headers of VXLAN; absent or 0: none. */
      policy?: number;
      tos: number;
      /** Datagrams over IPv6 have the flow label of the inner packet, on senders opened with labels; absent: that of the sender. */
      inheritsLabel?: boolean;
      /** Bits that drop a datagram, of both words of the VXLAN header; absent: all 39 reserved ones. */
      reserved?: { high: number; low: number };
      /** In ticks; 0: the bridge's. */
      ageingTicks: number;
      /** Most learned entries; 0: no limit for the port. */
      maxLearned: number;
      /** The MAC of the port's host port, if it has one. */
      mac: { high: number; low: number } | null;
      /** The inner packet that its tunnels carry; absent or 0: not known. */
      mtu?: number;
    }
  /**
   * Bridge, flags and MTU of a present port. A TAP whose device is gone stays down regardless of the flags. A port that changes
   * its bridge loses its FDB entries. A port that stops accepting unknown VTEPs loses its learned remotes, as after a
   * `remote-del`.
   */
  | { op: 'port'; port: number; bridge: number; flags: number; mtu: number }
  /** Replaces the send settings of a vxlan port; its VNIs and flood lists stay. */
  | {
      op: 'tunnel';
      port: number;
      senders: number[];
      dfSenders: number[];
      tos: number;
      inheritsLabel?: boolean;
      reserved?: { high: number; low: number };
      ageingTicks: number;
      maxLearned: number;
    }
  /** The MAC of a vxlan port's host port: a frame with it from the tunnel indicates a loop. */
  | { op: 'tunnel-mac'; port: number; mac: { high: number; low: number } }
  /**
   * Deletes a port: detaches its TAP, clears its memberships, VNIs and flood lists, and adds its counters to the RETIRED row. A
   * `flush` removes its FDB entries; after that the index may be reused.
   */
  | { op: 'port-del'; port: number }
  /** What frames from the port may claim; empty lists: anything. */
  | ({ op: 'guard'; port: number } & GuardSettings)
  /** What the port may receive and send. */
  | { op: 'police'; port: number; input: PoliceLimits; output: PoliceLimits }
  /** Flooded frames per second from the port; 0: no limit. */
  | { op: 'storm'; port: number; broadcast: number; unknownUnicast: number; multicast: number }
  /** Largest MSS of TCP SYN segments that pass the port in either direction; MSS_AUTO, or 0: any. */
  | { op: 'mss'; port: number; mss: number }
  /**
   * What the port mirrors of its bridge, with the flag MIRROR: MIRROR_* bits, 0: it is no mirror; null: all ports, all VLANs.
   */
  | { op: 'mirror'; port: number; directions: number; ports: number[] | null; vlans: number[] | null }

  /** Bit n: frames to 01:80:c2:00:00:0n that come in by the port are forwarded, as by `groupFwdMask` of its bridge. */
  | { op: 'group-fwd'; port: number; mask: number }
  /** The port that unicast frames go to while this one is down, and the remote there: a nexthop group, or 0. */
  | { op: 'backup'; port: number; backup: number | null; remote: number }
  /** Service VLANs of customer VLANs on a port, replacing earlier ones. */
  | { op: 'cvlans'; port: number; maps: { first: number; last: number; service: number }[] }

  // ---- Sockets
  /**
   * A receiving socket. With `as`, its datagrams belong to the VNIs of that socket: the socket of a multicast group has the
   * VNIs of the port's own socket. An engine without a descriptor (-1) receives nothing there.
   */
  | { op: 'socket'; socket: number; fds: number[]; owner: number; as?: number }
  /** The port that counts datagrams of the socket that belong to no port. */
  | { op: 'socket-owner'; socket: number; owner: number }
  /** BFD packets of the management VNI of the socket go to the liveness thread, as of this path; -1: none. */
  | { op: 'management'; socket: number; vni: number; path: number }
  | { op: 'socket-del'; socket: number }
  /**
   * `fds`: the sending socket of each engine; often the same. `udpPort`: the outer source port. `flowLabel`: of IPv6; absent: none.
   */
  | { op: 'sender'; sender: number; fds: readonly number[]; udpPort?: number; flowLabel?: number }
  | { op: 'sender-del'; sender: number }

  // ---- VLANs and VNIs
  /**
   * Adds or replaces a membership.
   */
  | ({ op: 'vlan'; port: number; vid: number } & Membership)
  /** Deletes a membership; reused counters start at zero. A `flush` removes its entries. */
  | { op: 'vlan-del'; port: number; vid: number }
  /** 0: none. */
  | { op: 'pvid'; port: number; vid: number }
  /** The VNI of a VLAN of the port, or with `vid: null` of all its VLANs. `header` is the index of the VNI's header. */
  | { op: 'vni'; port: number; vid: number | null; vni: number; header: number; counter: number }
  | { op: 'vni-del'; port: number; vid: number | null; vni: number }

  // ---- Remotes
  /**
   * Destination of frames to a remote. `known`: datagrams from its address belong to this remote. `sent`: all frames to it have
   * this VNI, whatever their VLAN; `header` and `counter` as with `vni`. Sent again with the same address it changes the UDP
   * port.
   */
  | {
      op: 'remote';
      remote: number;
      port: number;
      address: number[];
      udpPort: number;
      known: boolean;
      sent?: { vni: number; header: number; counter: number };
    }
  /**
   * Removes the remote from source lookup. Once every engine has done so, no batch uses the index as a source, and a `flush`
   * removes its entries. Once every engine has done that, none sends to it: `remote-free` clears its counters, and the index
   * may be reused.
   */
  | { op: 'remote-del'; remote: number }
  | { op: 'remote-free'; remote: number }
  /** Bytes of the largest outer IP packet that reaches a remote unfragmented; 0: unknown, as for a new remote. */
  | { op: 'remote-mtu'; remote: number; mtu: number }
  | { op: 'flood'; port: number; vid: number | null; remotes: number[] }

  /**
   * Remotes of a tunnel port that frames of a VNI to a group go to, replacing earlier ones; `remotes: null`: no entry of the group
   * itself. `sources`: remotes of frames from these sources, in place of the others; the list replaces the one before. The group is
   * zero for all without an entry. An address is four words, IPv4 mapped into ::ffff:0:0/96.
   */
  | {
      op: 'tunnel-group';
      port: number;
      vni: number;
      address: number[];
      remotes: number[] | null;
      sources: { address: number[]; destinations: number[] }[];
    }

  /** The remote of each bucket of a nexthop group, NEXTHOP_BUCKETS of them, replacing earlier ones; none: it leads nowhere. */
  | { op: 'nexthop'; group: number; remotes: number[] }

  // ---- FDB
  /** Remotes of a multicast MAC on a vxlan port, replacing earlier ones; `list` is the index of the list. */
  | { op: 'pin'; port: number; vid: number; high: number; low: number; list: number; remotes: number[]; flags: number }
  | { op: 'pin-del'; port: number; vid: number; high: number; low: number }
  | {
      op: 'fdb';
      high: number;
      low: number;
      fid: number;
      destination: number;
      owner: number;
      flags: number;
      /** False: the age of a present entry stays. */
      refreshes?: boolean;
    }
  | { op: 'fdb-del'; high: number; low: number; fid: number }
  /** An entry of a source of peers: of a full table it is refused, and configured ones are left alone. */
  | { op: 'peer'; high: number; low: number; fid: number; destination: number; owner: number; flags: number }
  /** Removes it if it still leads there. */
  | { op: 'peer-del'; high: number; low: number; fid: number; destination: number }
  /** Removes matching entries among `rowCount` rows from `fromRow` on, so that a large table can be flushed in pieces. */
  | { op: 'flush'; match: FdbMatch; fromRow: number; rowCount: number }

  // ---- Neighbours. An address is four words, IPv4 mapped into ::ffff:0:0/96.
  /** A permanent binding, replacing an earlier one; `vid` is 0 in a bridge without VLAN filtering. */
  | {
      op: 'neigh';
      bridge: number;
      vid: number;
      address: number[];
      high: number;
      low: number;
      router: boolean;
      port: number;
      /** Of a source of peers: not permanent, and gives way to permanent ones. */
      external?: true;
    }
  | { op: 'neigh-del'; bridge: number; vid: number; address: number[]; external?: true }
  /** Removes matching bindings, permanent ones too unless `learnedOnly`. Deleting a port removes its bindings. */
  | ({ op: 'neigh-flush' } & neigh.NeighFlush)

  // ---- Multicast groups (IGMP and MLD snooping). An address is four words, IPv4 mapped into ::ffff:0:0/96.
  /**
   * Destinations of a group in a VLAN of a bridge, in addition to the router ports. An empty list: routers only. `permanent`:
   * restricted even without a querier. `sources`: destinations of frames from these sources, in place of the others; the list
   * replaces the one before. A group MAC is a zero, a mark and its two halves (`control/tables/group-address.ts`).
   */
  | ({ op: 'group'; bridge: number; vid: number } & GroupRow & { sources?: GroupRow[] })
  | { op: 'group-del'; bridge: number; vid: number; address: number[] }
  /** Destinations of multicast routers, and the families with a querier: without one, only permanent groups restrict flooding. */
  | { op: 'routers'; bridge: number; vid: number; destinations: number[]; querier4: boolean; querier6: boolean }
  /**
   * Sends a query of the switch's own: by every port of the VLAN, or with `port` by that one, there with `remote` to that remote. The
   * frame has no tag. Engine 0 only.
   */
  | ({ op: 'query' } & OwnQuery);

type Of<Op extends Operation['op']> = Extract<Operation, { op: Op }>;

const CARRY_OUT: { [Op in Operation['op']]: (sw: Context, o: Of<Op>) => void } = {
  bridge: ports.setBridge,
  'bridge-del': (sw, o) => ports.removeBridge(sw, o.bridge),
  'local-port': ports.addLocalPort,
  layer3: ports.setLayer3,
  'gateway-port': ports.addGatewayPort,
  gateway: ports.setGateway,
  'bridge-mac': ({ forwarding }, o) => forwarding.setBridgeMac(o.bridge, o.mac.high, o.mac.low),
  route: ({ gateways }, o) => gateways.routes.set(o.vrf, o.words, o.prefix, o.kind, o.ways),
  'route-del': ({ gateways }, o) => void gateways.routes.remove(o.vrf, o.words, o.prefix),
  'tunnel-port': ports.addTunnelPort,
  port: ports.changePort,
  tunnel: ports.changeTunnel,
  'tunnel-mac': ports.changeTunnelMac,
  'port-del': (sw, o) => ports.removePort(sw, o.port),
  guard: ({ forwarding }, o) => {
    forwarding.needPort(o.port);
    forwarding.setGuard(o.port, o);
  },
  police: ports.changePolice,
  storm: ports.changeStorm,
  mirror: ({ mirrors }, o) => mirrors.set(o.port, o.directions, o.ports, o.vlans),
  cvlans: ({ forwarding }, o) => {
    forwarding.needPort(o.port);
    forwarding.setServiceVids(o.port, o.maps);
  },
  mss: ({ forwarding }, o) => {
    forwarding.needPort(o.port);
    forwarding.setMss(o.port, o.mss);
  },
  'group-fwd': ({ forwarding }, o) => {
    forwarding.needPort(o.port);
    forwarding.portGroupFwdMask[o.port] = o.mask;
  },
  backup: ({ forwarding }, o) => forwarding.setBackup(o.port, o.backup, o.remote),
  socket: ports.addSocket,
  'socket-owner': (sw, o) => {
    sw.forwarding.socketOwner[o.socket] = o.owner;
  },
  management: ({ forwarding }, o) => {
    forwarding.managementVni[o.socket] = o.vni;
    forwarding.managementPath[o.socket] = o.path;
  },
  'socket-del': (sw, o) => ports.removeSocket(sw, o.socket),
  sender: ports.addSender,
  'sender-del': ports.removeSender,
  vlan: vlans.setVlan,
  'vlan-del': vlans.removeVlan,
  pvid: vlans.setPvid,
  vni: vlans.mapVni,
  'vni-del': vlans.unmapVni,
  remote: vlans.addRemote,
  'remote-del': vlans.withdrawRemote,
  'remote-free': vlans.freeRemote,
  'remote-mtu': (sw, o) => vlans.setRemoteMtu(sw, o),
  flood: vlans.setFlood,
  'tunnel-group': vlans.setTunnelGroup,
  nexthop: vlans.setNexthop,
  pin: vlans.setPin,
  'pin-del': vlans.removePin,
  fdb: vlans.setEntry,
  'fdb-del': vlans.removeEntry,
  peer: vlans.setPeerEntry,
  'peer-del': vlans.removePeerEntry,
  flush: (sw, o) => {
    if (sw.engine === 0) sw.fdb.flush(o.match, o.fromRow, o.rowCount);
  },
  neigh: neigh.setNeighbour,
  'neigh-del': neigh.removeNeighbour,
  'neigh-flush': neigh.flushNeighbours,
  group: ({ forwarding }, o) => forwarding.groups.set(o.bridge, o.vid, o, o.sources),
  'group-del': ({ forwarding }, o) => forwarding.groups.remove(o.bridge, o.vid, o.address),
  routers: ({ forwarding }, o) => forwarding.groups.setRouters(o.bridge, o.vid, o.destinations, o.querier4, o.querier6),
  query: sendQuery,
};

/** Operations that known flows follow from in no other way than by FDB entries. */
const SPARES_FLOWS: ReadonlySet<Operation['op']> = new Set([
  ...(['fdb', 'fdb-del', 'peer', 'peer-del', 'flush', 'neigh', 'neigh-del', 'neigh-flush'] as const),
  ...(['group', 'group-del', 'routers', 'query', 'storm'] as const),
]);

/** Carries the operations out in order. @throws for an invalid operation: a bug of the control thread */
export function applyOperations(sw: Context, operations: readonly Operation[]): void {
  // Before them, so that what was carried by the former state is counted by it. Rows are given between batches only.
  if (sw.flows !== null && operations.some(({ op }) => !SPARES_FLOWS.has(op))) withdrawFlows(sw);
  for (const operation of operations) {
    const carryOut = CARRY_OUT[operation.op] as (sw: Context, o: Operation) => void;
    carryOut(sw, operation);
  }
}
