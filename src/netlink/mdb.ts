/** Messages of the multicast database (RTM_*MDB, linux/if_bridge.h). */
import { ipBytes, ipText, macBytes, macText } from './addresses.js';
import {
  type Attribute,
  AttributeMap,
  bytesAttribute,
  nestAttribute,
  u16Attribute,
  u32Attribute,
  u8Attribute,
  writeAttributes,
} from './attributes.js';
import { NetlinkFault } from './fault.js';
import { AF } from './rtnetlink.js';

/** `struct br_port_msg`: family, index of the bridge. */
const HEAD_BYTES = 8;
/** `struct br_mdb_entry`: index, state, flags, VLAN, address of 16 bytes, protocol. */
const ENTRY_BYTES = 28;
const ADDRESS_AT = 8;
const PROTOCOL_AT = 24;
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;

const MDBA = { MDB: 1, ROUTER: 2 } as const;
const ENTRY = 1;
const ENTRY_INFO = 1;
const EATTR = {
  TIMER: 1,
  SRC_LIST: 2,
  GROUP_MODE: 3,
  SOURCE: 4,
  RTPROT: 5,
  DST: 6,
  DST_PORT: 7,
  VNI: 8,
  IFINDEX: 9,
  SRC_VNI: 10,
} as const;
const SET = { ENTRY: 1, ATTRS: 2 } as const;
/** MDBE_ATTR_*. */
const GIVEN = {
  SOURCE: 1,
  SRC_LIST: 2,
  GROUP_MODE: 3,
  RTPROT: 4,
  DST: 5,
  DST_PORT: 6,
  VNI: 7,
  IFINDEX: 8,
  SRC_VNI: 9,
  STATE_MASK: 10,
} as const;
const ROUTER_PORT = 1;
const PATTR = { TIMER: 1, TYPE: 2, VID: 5 } as const;

const PERMANENT = 1;
const STAR_EXCLUDE = 4;
const BLOCKED = 8;
/** MCAST_EXCLUDE and MCAST_INCLUDE (linux/in.h). */
const MODES = { exclude: 0, include: 1 } as const;
/** Sources of one request. */
const MAX_SOURCES = 64;

/** Where an entry of a vxlan device sends. */
interface TunnelPlace {
  readonly dst?: string | undefined;
  readonly dstPort?: number | undefined;
  readonly vni?: number | undefined;
  readonly srcVni?: number | undefined;
  /** Index of the device that it leaves by. */
  readonly via?: number | undefined;
}

export interface GroupRequest extends TunnelPlace {
  /** Or the vxlan device. */
  readonly bridge: number;
  readonly port: number;
  readonly permanent: boolean;
  readonly vid: number;
  readonly group: string;
  readonly source?: string | undefined;
  readonly mode?: 'include' | 'exclude' | undefined;
  readonly sources?: readonly string[] | undefined;
  readonly protocol?: number | undefined;
  /** Of a flush: it asks for the state. */
  readonly hasState: boolean;
}

/** @throws NetlinkFault when a length is wrong */
export function readGroup(payload: Buffer): GroupRequest {
  const given = new AttributeMap(payload.subarray(HEAD_BYTES));
  const entry = given.bytes(SET.ENTRY);
  if (payload.length < HEAD_BYTES || entry === undefined || entry.length < ENTRY_BYTES) {
    throw new NetlinkFault('the message of a group is too short');
  }
  const more = given.nested(SET.ATTRS);
  const address = (value: Buffer | undefined): string | undefined => (value === undefined ? undefined : ipText(value));
  const mode = more?.u8(GIVEN.GROUP_MODE);
  const list = more?.nested(GIVEN.SRC_LIST)?.all.slice(0, MAX_SOURCES + 1);
  return {
    bridge: payload.readInt32LE(4),
    port: entry.readUInt32LE(0),
    permanent: entry.readUInt8(4) === PERMANENT,
    vid: entry.readUInt16LE(6),
    group: groupText(entry),
    source: address(more?.bytes(GIVEN.SOURCE)),
    mode: mode === undefined ? undefined : mode === MODES.include ? 'include' : 'exclude',
    sources: list?.flatMap(({ value }) => address(new AttributeMap(value).bytes(1)) ?? []),
    protocol: more?.u8(GIVEN.RTPROT),
    dst: address(more?.bytes(GIVEN.DST)),
    dstPort: more?.u16(GIVEN.DST_PORT),
    vni: more?.u32(GIVEN.VNI),
    srcVni: more?.u32(GIVEN.SRC_VNI),
    via: more?.u32(GIVEN.IFINDEX),
    hasState: ((more?.u8(GIVEN.STATE_MASK) ?? 0) & PERMANENT) !== 0,
  };
}

function groupText(entry: Buffer): string {
  const protocol = entry.readUInt16BE(PROTOCOL_AT);
  if (protocol === 0) return macText(entry.subarray(ADDRESS_AT, ADDRESS_AT + 6));
  return ipText(entry.subarray(ADDRESS_AT, ADDRESS_AT + (protocol === ETH_P_IP ? 4 : 16)));
}

export interface GroupFacts extends TunnelPlace {
  readonly port: number;
  readonly permanent: boolean;
  readonly vid?: number | undefined;
  readonly group: string;
  readonly source?: string | undefined;
  readonly mode?: 'include' | 'exclude' | undefined;
  readonly sources?: readonly { address: string; timer: number }[] | undefined;
  readonly protocol: number;
  readonly starExclude: boolean;
  readonly blocked: boolean;
  /** Seconds. */
  readonly timer?: number | undefined;
}

export interface RouterFacts {
  readonly port: number;
  readonly permanent: boolean;
  readonly vid?: number | undefined;
  readonly timer?: number | undefined;
}

const isMac = (text: string): boolean => text.split(':').length === 6 && text.length === 17;

function entryBytes(facts: GroupFacts): Buffer {
  const out = Buffer.alloc(ENTRY_BYTES);
  out.writeUInt32LE(facts.port, 0);
  out.writeUInt8(facts.permanent ? PERMANENT : 0, 4);
  out.writeUInt8((facts.starExclude ? STAR_EXCLUDE : 0) | (facts.blocked ? BLOCKED : 0), 5);
  out.writeUInt16LE(facts.vid ?? 0, 6);
  const address = isMac(facts.group) ? macBytes(facts.group) : ipBytes(facts.group);
  address.copy(out, ADDRESS_AT);
  out.writeUInt16BE(address.length === 4 ? ETH_P_IP : address.length === 16 ? ETH_P_IPV6 : 0, PROTOCOL_AT);
  return out;
}

function entryAttribute(facts: GroupFacts): Attribute {
  const more: Attribute[] = [u32Attribute(EATTR.TIMER, (facts.timer ?? 0) * 100)];
  if (facts.source !== undefined) more.push(bytesAttribute(EATTR.SOURCE, ipBytes(facts.source)));
  if (facts.mode !== undefined) more.push(u8Attribute(EATTR.GROUP_MODE, MODES[facts.mode]));
  if (facts.sources !== undefined && facts.sources.length > 0) {
    const list = facts.sources.map(({ address, timer }) =>
      nestAttribute(1, [bytesAttribute(1, ipBytes(address)), u32Attribute(2, timer * 100)]),
    );
    more.push(nestAttribute(EATTR.SRC_LIST, list));
  }
  more.push(u8Attribute(EATTR.RTPROT, facts.protocol), ...placeAttributes(facts));
  // The attributes follow the entry within one attribute (br_mdb_fill_info of the kernel).
  return bytesAttribute(ENTRY_INFO, Buffer.concat([entryBytes(facts), writeAttributes(more)]));
}

/** Bytes of a list in one message: an attribute has at most 64 KiB, and guests choose how many groups there are. */
const LIST_BYTES = 16 * 1024;

function lists(all: readonly Attribute[]): Attribute[][] {
  const out: Attribute[][] = [];
  let size = LIST_BYTES;
  for (const one of all) {
    size += one.value.length + 4;
    if (size > LIST_BYTES) {
      out.push([]);
      size = one.value.length + 4;
    }
    out.at(-1)?.push(one);
  }
  return out;
}

function routerAttribute({ port, permanent, timer = 0, vid }: RouterFacts): Attribute {
  const index = Buffer.alloc(4);
  index.writeUInt32LE(port);
  const more = [u32Attribute(PATTR.TIMER, timer * 100), u8Attribute(PATTR.TYPE, permanent ? 2 : 1)];
  const own = vid === undefined ? more : [...more, { type: PATTR.VID, value: Buffer.from([vid & 0xff, vid >> 8]) }];
  return bytesAttribute(ROUTER_PORT, Buffer.concat([index, writeAttributes(own)]));
}

function placeAttributes({ dst, dstPort, vni, srcVni, via }: TunnelPlace): Attribute[] {
  return [
    ...(dst === undefined ? [] : [bytesAttribute(EATTR.DST, ipBytes(dst))]),
    ...(dstPort === undefined ? [] : [u16Attribute(EATTR.DST_PORT, dstPort)]),
    ...(vni === undefined ? [] : [u32Attribute(EATTR.VNI, vni)]),
    ...(via === undefined ? [] : [u32Attribute(EATTR.IFINDEX, via)]),
    ...(srcVni === undefined ? [] : [u32Attribute(EATTR.SRC_VNI, srcVni)]),
  ];
}

/** The payloads of RTM_GETMDB's answer for one bridge; as in the kernel, a long list goes on in the next message. */
export function writeGroups(bridge: number, groups: readonly GroupFacts[], routers: readonly RouterFacts[]): Buffer[] {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(AF.BRIDGE, 0);
  head.writeInt32LE(bridge, 4);
  const [first = [], ...rest] = lists(groups.map((one) => nestAttribute(ENTRY, [entryAttribute(one)])));
  const [ports, ...otherPorts] = lists(routers.map(routerAttribute)).map((list) => nestAttribute(MDBA.ROUTER, list));
  const payloads = [
    [nestAttribute(MDBA.MDB, first), ...(ports === undefined ? [] : [ports])],
    ...rest.map((list) => [nestAttribute(MDBA.MDB, list)]),
    ...otherPorts.map((list) => [list]),
  ];
  return payloads.map((attributes) => Buffer.concat([head, writeAttributes(attributes)]));
}
