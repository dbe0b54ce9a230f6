/**
 * How the control thread changes the forwarding state: a list of operations, carried out between two batches, so that no frame
 * sees an intermediate state. Operations refer to indexes that the control thread has assigned.
 *
 * Every engine of a switch gets the same list. For resources of each engine (queue of a TAP, receiving socket) the operation
 * holds the descriptors of all engines. Shared memory is written by engine 0 only, which gets a list last: by then every engine
 * knows all that its entries refer to.
 */
import type { FdbMatch } from '../../fdb/table.js';
import type { Context } from '../state/context.js';
import * as neigh from './neigh.js';
import * as ports from './ports.js';
import * as vlans from './vlans.js';

export type Operation =
  // ---- Bridges. Number 0 is "no bridge": where a port is that belongs to none.
  /** Creates or changes a bridge. */
  | {
      op: 'bridge';
      bridge: number;
      filtering: boolean;
      ageingTicks: number;
      /** 0: no limit. */
      maxLearned: number;
      /** Bit n: frames to 01:80:c2:00:00:0n are forwarded. */
      groupFwdMask: number;
      snooping: boolean;
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
      /** Its device has IP packets; the flag LAYER3 goes with it, and the operation `layer3` follows. */
      layer3?: boolean;
    }
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
      tos: number;
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
  /** Flooded frames per second from the port; 0: no limit. */
  | { op: 'storm'; port: number; broadcast: number; unknownUnicast: number; multicast: number }

  // ---- Sockets
  /**
   * A receiving socket. With `as`, its datagrams belong to the VNIs of that socket: the socket of a multicast group has the
   * VNIs of the port's own socket. An engine without a descriptor (-1) receives nothing there.
   */
  | { op: 'socket'; socket: number; fds: number[]; owner: number; as?: number }
  /** The port that counts datagrams of the socket that belong to no port. */
  | { op: 'socket-owner'; socket: number; owner: number }
  | { op: 'socket-del'; socket: number }
  /** `fds`: the sending socket of each engine; often the same. `udpPort`: the outer source port. */
  | { op: 'sender'; sender: number; fds: readonly number[]; udpPort?: number }
  | { op: 'sender-del'; sender: number }

  // ---- VLANs and VNIs
  /**
   * Adds or replaces a membership. `counter` is the index of its counters (state/counters.ts); 0: none. `suppresses`:
   * NEIGH_SUPPRESS for this VLAN, on a port with NEIGH_VLAN_SUPPRESS.
   */
  | { op: 'vlan'; port: number; vid: number; untagged: boolean; suppresses?: boolean; counter: number }
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
    }
  | { op: 'fdb-del'; high: number; low: number; fid: number }
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
    }
  | { op: 'neigh-del'; bridge: number; vid: number; address: number[] }
  /** Removes matching bindings, permanent ones too unless `learnedOnly`. Deleting a port removes its bindings. */
  | ({ op: 'neigh-flush' } & neigh.NeighFlush)

  // ---- Multicast groups (IGMP and MLD snooping). An address is four words, IPv4 mapped into ::ffff:0:0/96.
  /**
   * Destinations of a group in a VLAN of a bridge, in addition to the router ports. An empty list: routers only. `permanent`:
   * restricted even without a querier.
   */
  | { op: 'group'; bridge: number; vid: number; address: number[]; destinations: number[]; permanent?: boolean }
  | { op: 'group-del'; bridge: number; vid: number; address: number[] }
  /** Destinations of multicast routers, and the families with a querier: without one, only permanent groups restrict flooding. */
  | { op: 'routers'; bridge: number; vid: number; destinations: number[]; querier4: boolean; querier6: boolean };

type Of<Op extends Operation['op']> = Extract<Operation, { op: Op }>;

const CARRY_OUT: { [Op in Operation['op']]: (sw: Context, o: Of<Op>) => void } = {
  bridge: ports.setBridge,
  'bridge-del': (sw, o) => ports.removeBridge(sw, o.bridge),
  'local-port': ports.addLocalPort,
  layer3: ports.setLayer3,
  'tunnel-port': ports.addTunnelPort,
  port: ports.changePort,
  tunnel: ports.changeTunnel,
  'tunnel-mac': ports.changeTunnelMac,
  'port-del': (sw, o) => ports.removePort(sw, o.port),
  storm: ports.changeStorm,
  socket: ports.addSocket,
  'socket-owner': (sw, o) => {
    sw.forwarding.socketOwner[o.socket] = o.owner;
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
  pin: vlans.setPin,
  'pin-del': vlans.removePin,
  fdb: vlans.setEntry,
  'fdb-del': vlans.removeEntry,
  flush: (sw, o) => {
    if (sw.engine === 0) sw.fdb.flush(o.match, o.fromRow, o.rowCount);
  },
  neigh: neigh.setNeighbour,
  'neigh-del': neigh.removeNeighbour,
  'neigh-flush': neigh.flushNeighbours,
  group: ({ forwarding }, o) => forwarding.groups.set(o.bridge, o.vid, o.address, o.destinations, o.permanent),
  'group-del': ({ forwarding }, o) => forwarding.groups.remove(o.bridge, o.vid, o.address),
  routers: ({ forwarding }, o) => forwarding.groups.setRouters(o.bridge, o.vid, o.destinations, o.querier4, o.querier6),
};

/** Carries the operations out in order. @throws for an invalid operation: a bug of the control thread */
export function applyOperations(sw: Context, operations: readonly Operation[]): void {
  for (const operation of operations) {
    const carryOut = CARRY_OUT[operation.op] as (sw: Context, o: Operation) => void;
    carryOut(sw, operation);
  }
}
