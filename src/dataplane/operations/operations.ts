/**
 * How the control thread changes what the engine forwards by: a list of operations, carried out between two batches,
 * so that no frame meets half a change. Operations speak in numbers that the control thread has assigned.
 *
 * Every engine of a switch gets the same list. Where each has a descriptor of its own (its queue of a TAP, its receiving
 * socket), the operation holds all of them. What lies in shared memory is written by engine 0 alone, which gets a list
 * last: by then every engine knows what the entries refer to.
 */
import type { FdbMatch } from '../../fdb/table.js';
import type { Context } from '../state/context.js';
import * as neigh from './neigh.js';
import * as ports from './ports.js';
import * as vlans from './vlans.js';

export type Operation =
  // ---- Bridges. Number 0 is "no bridge": where a port is that belongs to none.
  /** Makes a bridge, or changes one. */
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
  /** Its ports have gone before. */
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
    }
  | {
      op: 'tunnel-port';
      port: number;
      bridge: number;
      flags: number;
      socket: number;
      senders: number[];
      /** Senders for packets that must not be fragmented: IPv4 with DF set, and IPv6. Empty: `senders`. */
      dfSenders: number[];
      udpPort: number;
      /** The outer source address, four words, IPv4 mapped; absent or null: the route's. */
      local?: number[] | null;
      tos: number;
      /** In ticks; 0: the bridge's. */
      ageingTicks: number;
      /** Most learned entries; 0: no limit of the port's own. */
      maxLearned: number;
      /** The MAC of the port's own TAP, if it has one. */
      mac: { high: number; low: number } | null;
    }
  /**
   * Bridge, flags and MTU of a port that is there. A TAP whose device has gone stays down whatever the flags say. A port
   * that changes its bridge loses its FDB entries; one that takes no unknown VTEP any more finds none of those it has met, and
   * they go as after a `remote-del`.
   */
  | { op: 'port'; port: number; bridge: number; flags: number; mtu: number }
  /** What a vxlan port sends with, in place of what it had; its VNIs and flood lists stay. */
  | {
      op: 'tunnel';
      port: number;
      senders: number[];
      dfSenders: number[];
      tos: number;
      ageingTicks: number;
      maxLearned: number;
    }
  /** The MAC of a vxlan port's own TAP: frames from it come from the tunnel only by a loop. */
  | { op: 'tunnel-mac'; port: number; mac: { high: number; low: number } }
  /**
   * Ends a port: its TAP is detached, its memberships, VNIs and flood lists are forgotten, its accounts go over into those
   * of the ports that are no more. Its FDB entries go by a `flush`, after which the number may be given again.
   */
  | { op: 'port-del'; port: number }
  /** Frames a second that may be flooded from the port; 0: no limit. */
  | { op: 'storm'; port: number; broadcast: number; unknownUnicast: number; multicast: number }

  // ---- Sockets
  /**
   * A receiving socket. With `as`, its datagrams belong to the VNIs of that socket: one that takes in a multicast group
   * stands beside the one of the port's own address. An engine without a descriptor of it (-1) has nothing to receive.
   */
  | { op: 'socket'; socket: number; fds: number[]; owner: number; as?: number }
  /** Which port answers for datagrams of the socket that belong to none. */
  | { op: 'socket-owner'; socket: number; owner: number }
  | { op: 'socket-del'; socket: number }
  /** `fds`: the sending socket of each engine; often all have the same one. `udpPort`: the outer source port. */
  | { op: 'sender'; sender: number; fds: readonly number[]; udpPort?: number }
  | { op: 'sender-del'; sender: number }

  // ---- VLANs and VNIs
  /**
   * Membership; told again it replaces what was. `counter` numbers its accounts (state/counters.ts); 0: none are kept.
   * `suppresses`: the VLAN is as with NEIGH_SUPPRESS, on a port with NEIGH_VLAN_SUPPRESS.
   */
  | { op: 'vlan'; port: number; vid: number; untagged: boolean; suppresses?: boolean; counter: number }
  /** Ends a membership; the accounts start at zero when the number is given again. Its entries go by a `flush`. */
  | { op: 'vlan-del'; port: number; vid: number }
  /** 0: none. */
  | { op: 'pvid'; port: number; vid: number }
  /** One VNI for a VLAN of the port, or with `vid: null` for all it carries. `header` numbers the VNI's header. */
  | { op: 'vni'; port: number; vid: number | null; vni: number; header: number; counter: number }
  | { op: 'vni-del'; port: number; vid: number | null; vni: number }

  // ---- Remotes
  /**
   * Where frames to a number go. `known`: what comes from that address is from this remote. `sent`: all frames to it have this
   * VNI, whatever VLAN they are in; `header` and `counter` as with `vni`. Told again with the same address, the remote has
   * another UDP port.
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
   * Datagrams from there are nobody's from now on. Once every engine knows, no batch takes the number in any more: then its
   * entries go by a `flush`; and once every engine knows of that, none sends there: then `remote-free` ends its accounts,
   * and the number may be given again.
   */
  | { op: 'remote-del'; remote: number }
  | { op: 'remote-free'; remote: number }
  /** Bytes of the largest outer IP packet that reaches a remote in one piece; 0: not known, as when the remote is new. */
  | { op: 'remote-mtu'; remote: number; mtu: number }
  | { op: 'flood'; port: number; vid: number | null; remotes: number[] }

  // ---- FDB
  /** Remotes of a multicast MAC on a vxlan port; `list` numbers the list. Told again it replaces what was. */
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
  /** Removes what matches among `rowCount` rows from `fromRow` on, so that a large table can be flushed in pieces. */
  | { op: 'flush'; match: FdbMatch; fromRow: number; rowCount: number }

  // ---- Neighbours. An address is four words, IPv4 mapped into ::ffff:0:0/96.
  /** A binding that stays whatever is heard; `vid` is 0 in a bridge without VLAN filtering. Told again it replaces. */
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
  /** Removes bindings that match, those put in too unless `learnedOnly`. A port that ends takes its own along. */
  | ({ op: 'neigh-flush' } & neigh.NeighFlush)

  // ---- Multicast groups (IGMP and MLD snooping). An address is four words, IPv4 mapped into ::ffff:0:0/96.
  /**
   * Where frames to a group go in a VLAN of a bridge, beside the router ports: FDB destinations. None: to nobody else.
   * `permanent`: whether a querier is heard or not.
   */
  | { op: 'group'; bridge: number; vid: number; address: number[]; destinations: number[]; permanent?: boolean }
  | { op: 'group-del'; bridge: number; vid: number; address: number[] }
  /** Where multicast routers are, and whether a querier is heard: without one, only permanent groups restrict flooding. */
  | { op: 'routers'; bridge: number; vid: number; destinations: number[]; querier4: boolean; querier6: boolean };

type Of<Op extends Operation['op']> = Extract<Operation, { op: Op }>;

const CARRY_OUT: { [Op in Operation['op']]: (sw: Context, o: Of<Op>) => void } = {
  bridge: ports.setBridge,
  'bridge-del': (sw, o) => ports.removeBridge(sw, o.bridge),
  'local-port': ports.addLocalPort,
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

/** Carries the operations out in order. Throws when one cannot be: the control thread has asked for the impossible. */
export function applyOperations(sw: Context, operations: readonly Operation[]): void {
  for (const operation of operations) {
    const carryOut = CARRY_OUT[operation.op] as (sw: Context, o: Operation) => void;
    carryOut(sw, operation);
  }
}
