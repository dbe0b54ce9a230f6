/** Numbers of rtnetlink (linux/rtnetlink.h, if_link.h, if_bridge.h, neighbour.h) and the heads of its messages. */
import { NetlinkFault } from './fault.js';

/** Message types: of each four NEW, DEL, GET, SET. */
export const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  SETLINK: 19,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWNEIGH: 28,
  DELNEIGH: 29,
  GETNEIGH: 30,
  NEWMDB: 84,
  DELMDB: 85,
  GETMDB: 86,
  NEWSTATS: 92,
  GETSTATS: 94,
  NEWNEXTHOP: 104,
  DELNEXTHOP: 105,
  GETNEXTHOP: 106,
  NEWVLAN: 112,
  DELVLAN: 113,
  GETVLAN: 114,
  NEWTUNNEL: 120,
  DELTUNNEL: 121,
  GETTUNNEL: 122,
} as const;

export const AF = { UNSPEC: 0, INET: 2, BRIDGE: 7, INET6: 10, PACKET: 17 } as const;

export const IFLA = {
  ADDRESS: 1,
  BROADCAST: 2,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  QDISC: 6,
  STATS: 7,
  MASTER: 10,
  PROTINFO: 12,
  TXQLEN: 13,
  OPERSTATE: 16,
  LINKMODE: 17,
  LINKINFO: 18,
  NET_NS_PID: 19,
  STATS64: 23,
  AF_SPEC: 26,
  GROUP: 27,
  NET_NS_FD: 28,
  EXT_MASK: 29,
  PROMISCUITY: 30,
  NUM_TX_QUEUES: 31,
  NUM_RX_QUEUES: 32,
  CARRIER: 33,
  GSO_MAX_SEGS: 40,
  GSO_MAX_SIZE: 41,
  MIN_MTU: 50,
  MAX_MTU: 51,
  ALT_IFNAME: 53,
} as const;

/** Within IFLA_LINKINFO. */
export const INFO = { KIND: 1, DATA: 2, SLAVE_KIND: 4, SLAVE_DATA: 5 } as const;

export const IFF = { UP: 1, BROADCAST: 2, RUNNING: 0x40, MULTICAST: 0x1000, LOWER_UP: 0x10000 } as const;

export const IFINFO_BYTES = 16;
const ARPHRD_ETHER = 1;

/** `struct ifinfomsg`. */
export interface Ifinfo {
  readonly family: number;
  readonly index: number;
  readonly flags: number;
  /** Which of the flags are meant. */
  readonly change: number;
}

/** @throws NetlinkFault when it is too short */
export function readIfinfo(payload: Buffer): Ifinfo {
  if (payload.length < IFINFO_BYTES) throw new NetlinkFault('the message of a link is too short');
  return {
    family: payload.readUInt8(0),
    index: payload.readInt32LE(4),
    flags: payload.readUInt32LE(8),
    change: payload.readUInt32LE(12),
  };
}

export function writeIfinfo({ family = 0, index = 0, flags = 0, change = 0 }: Partial<Ifinfo>): Buffer {
  const out = Buffer.alloc(IFINFO_BYTES);
  out.writeUInt8(family, 0);
  // Strict kernels refuse a request that gives a type.
  out.writeUInt16LE(flags === 0 ? 0 : ARPHRD_ETHER, 2);
  out.writeInt32LE(index, 4);
  out.writeUInt32LE(flags >>> 0, 8);
  out.writeUInt32LE(change >>> 0, 12);
  return out;
}
