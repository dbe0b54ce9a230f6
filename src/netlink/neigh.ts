/** Neighbour messages (`struct ndmsg`, linux/neighbour.h): FDB entries of family AF_BRIDGE, and bindings of IP addresses. */
import { ipBytes, ipText, macBytes, macText } from './addresses.js';
import {
  type Attribute,
  AttributeMap,
  be16Attribute,
  bytesAttribute,
  u16Attribute,
  u32Attribute,
  u8Attribute,
  writeAttributes,
} from './attributes.js';
import { NetlinkFault } from './fault.js';

export const NDMSG_BYTES = 12;

const NDA = {
  DST: 1,
  LLADDR: 2,
  CACHEINFO: 3,
  VLAN: 5,
  PORT: 6,
  VNI: 7,
  IFINDEX: 8,
  MASTER: 9,
  SRC_VNI: 11,
  PROTOCOL: 12,
  NH_ID: 13,
  FDB_EXT_ATTRS: 14,
  FLAGS_EXT: 15,
  STATE_MASK: 16,
  FLAGS_MASK: 17,
} as const;

export const NTF = {
  USE: 1,
  SELF: 2,
  MASTER: 4,
  EXT_LEARNED: 0x10,
  OFFLOADED: 0x20,
  STICKY: 0x40,
  ROUTER: 0x80,
} as const;
export const NUD = { REACHABLE: 2, STALE: 4, NOARP: 0x40, PERMANENT: 0x80 } as const;
/** Of NDA_FDB_EXT_ATTRS: NFEA_ACTIVITY_NOTIFY (FDB_NOTIFY_BIT, FDB_NOTIFY_INACTIVE_BIT), NFEA_DONT_REFRESH. */
const NFEA = { ACTIVITY_NOTIFY: 1, DONT_REFRESH: 2 } as const;
const NOTIFY = 1;
const INACTIVE = 2;
const EXT_LOCKED = 2;
const RTN_UNICAST = 1;

export interface Neighbour {
  readonly family: number;
  readonly index: number;
  readonly state: number;
  readonly flags: number;
  readonly mac?: string | undefined;
  readonly dst?: string | undefined;
  readonly vlan?: number | undefined;
  readonly port?: number | undefined;
  readonly vni?: number | undefined;
  readonly srcVni?: number | undefined;
  readonly via?: number | undefined;
  readonly master?: number | undefined;
  readonly nhid?: number | undefined;
  readonly protocol?: number | undefined;
  readonly activityNotify?: boolean;
  readonly inactive?: boolean;
  readonly norefresh?: boolean;
  /** Of a flush: bits that must be as told. */
  readonly stateMask?: number | undefined;
  readonly flagsMask?: number | undefined;
  /** Seconds since it was last used and changed. */
  readonly age?: number | undefined;
  /** NTF_EXT_LOCKED: it waits for its authentication. */
  readonly locked?: boolean | undefined;
}

/** @throws NetlinkFault when a length is wrong */
export function readNeighbour(payload: Buffer): Neighbour {
  if (payload.length < NDMSG_BYTES) throw new NetlinkFault('the message of a neighbour is too short');
  const given = new AttributeMap(payload.subarray(NDMSG_BYTES));
  const mac = given.bytes(NDA.LLADDR);
  const dst = given.bytes(NDA.DST);
  const more = given.nested(NDA.FDB_EXT_ATTRS);
  const notify = more?.u8(NFEA.ACTIVITY_NOTIFY) ?? 0;
  return {
    family: payload.readUInt8(0),
    index: payload.readInt32LE(4),
    state: payload.readUInt16LE(8),
    flags: payload.readUInt8(10),
    mac: mac === undefined ? undefined : macText(mac),
    dst: dst === undefined ? undefined : ipText(dst),
    vlan: given.u16(NDA.VLAN),
    port: given.be16(NDA.PORT),
    vni: given.u32(NDA.VNI),
    srcVni: given.u32(NDA.SRC_VNI),
    via: given.u32(NDA.IFINDEX),
    master: given.u32(NDA.MASTER),
    nhid: given.u32(NDA.NH_ID),
    protocol: given.u8(NDA.PROTOCOL),
    activityNotify: (notify & NOTIFY) !== 0,
    inactive: (notify & INACTIVE) !== 0,
    norefresh: more?.has(NFEA.DONT_REFRESH) ?? false,
    stateMask: given.u16(NDA.STATE_MASK),
    flagsMask: given.u8(NDA.FLAGS_MASK),
  };
}

/** The payload of RTM_NEWNEIGH. */
export function writeNeighbour(one: Neighbour): Buffer {
  const head = Buffer.alloc(NDMSG_BYTES);
  head.writeUInt8(one.family, 0);
  head.writeInt32LE(one.index, 4);
  head.writeUInt16LE(one.state, 8);
  head.writeUInt8(one.flags, 10);
  head.writeUInt8(RTN_UNICAST, 11);
  const attributes: Attribute[] = [];
  const add = <T>(value: T | undefined, make: (value: T) => Attribute): void => {
    if (value !== undefined) attributes.push(make(value));
  };
  add(one.mac, (mac) => bytesAttribute(NDA.LLADDR, macBytes(mac)));
  add(one.dst, (dst) => bytesAttribute(NDA.DST, ipBytes(dst)));
  add(one.master, (index) => u32Attribute(NDA.MASTER, index));
  add(one.vlan, (vid) => u16Attribute(NDA.VLAN, vid));
  add(one.port, (port) => be16Attribute(NDA.PORT, port));
  add(one.vni, (vni) => u32Attribute(NDA.VNI, vni));
  add(one.srcVni, (vni) => u32Attribute(NDA.SRC_VNI, vni));
  add(one.nhid, (id) => u32Attribute(NDA.NH_ID, id));
  add(one.protocol, (protocol) => u8Attribute(NDA.PROTOCOL, protocol));
  if (one.locked === true) attributes.push(u32Attribute(NDA.FLAGS_EXT, EXT_LOCKED));
  add(one.age, (age) => bytesAttribute(NDA.CACHEINFO, cacheInfo(age)));
  return Buffer.concat([head, writeAttributes(attributes)]);
}

/** `struct nda_cacheinfo`: confirmed, used, updated in hundredths of a second, and references. */
function cacheInfo(age: number): Buffer {
  const out = Buffer.alloc(16);
  out.writeUInt32LE((age * 100) >>> 0, 4);
  out.writeUInt32LE((age * 100) >>> 0, 8);
  return out;
}
