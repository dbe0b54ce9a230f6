/** Options of a vxlan device (IFLA_VXLAN_*, linux/if_link.h). */
import { isIP } from 'node:net';
import { ipBytes, ipText } from './addresses.js';
import {
  type Attribute,
  type AttributeMap,
  be16Attribute,
  bytesAttribute,
  flagAttribute,
  u32Attribute,
} from './attributes.js';
import { NetlinkFault, unsupported } from './fault.js';
import {
  bytesOf,
  type Codec,
  choice,
  fixed,
  flag,
  key,
  number,
  type Options,
  type Row,
  readOptions,
  sized,
  writeOptions,
} from './option-table.js';

const ATTR = {
  ID: 1,
  GROUP: 2,
  LINK: 3,
  LOCAL: 4,
  TTL: 5,
  TOS: 6,
  PORT_RANGE: 10,
  PORT: 15,
  GROUP6: 16,
  LOCAL6: 17,
  GBP: 23,
  COLLECT_METADATA: 25,
  TTL_INHERIT: 28,
  VNIFILTER: 30,
  LABEL_POLICY: 32,
} as const;

/** What iproute2 says without a port: the kernel's own default, not that of RFC 7348. */
export const KERNEL_PORT = 8472;
/** DSCP and ECN bits: `inherit` is 1 (vxlan_xmit_one of the kernel). */
const TOS_INHERIT = 1;

const off = (attr: number, word: string): Row => fixed(attr, word, bytesOf(1, 0));

/** VXLAN_LABEL_INHERIT: LABEL_POLICY of a port whose datagrams have the inner label; 0: that of LABEL. */
const LABEL_INHERIT = 1;

/** 20 bits in a word in network order. */
const label: Codec = {
  read: (value) => sized(value, 4).readUInt32BE(0),
  write: (value) => bytesOf(4, typeof value === 'number' ? value : 0).reverse(),
};

const TABLE: readonly Row[] = [
  key(7, 'learning', flag, true),
  key(8, 'ageing', number(4), 300),
  key(9, 'maxaddress', number(4), 0),
  key(11, 'proxy', flag, false),
  key(12, 'rsc', flag, false),
  key(13, 'l2miss', flag, false),
  key(14, 'l3miss', flag, false),
  key(18, 'udpcsum', flag, true),
  key(26, 'flowlabel', label, 0),
  // Checksums of IPv6 may be left out by both: what arrives is accepted either way.
  { attr: 19, word: 'udp6zerocsumtx', value: bytesOf(1, 0), ignored: true },
  { attr: 20, word: 'udp6zerocsumrx', value: bytesOf(1, 0), ignored: true },
  off(21, 'remcsumtx'),
  off(22, 'remcsumrx'),
  key(29, 'df', choice({ unset: 0, set: 1, inherit: 2 }), 'unset'),
  // A datagram to an address of this host goes through the host's network stack.
  off(31, 'localbypass'),
];

/** A vxlan device in a request. */
export interface VxlanRequest {
  /** Keys of the configuration. */
  readonly options: Record<string, unknown>;
  /** Index of the underlay's device. */
  readonly link?: number;
  /** `external`: VLANs or nexthops say the VNI. */
  readonly external: boolean;
  readonly vnifilter: boolean;
}

/** What a device is for good, as in the kernel (vxlan_nl2conf): a request that says it changes nothing, and is refused. */
export const saysMode = (given: AttributeMap): boolean => given.has(ATTR.COLLECT_METADATA) || given.has(ATTR.VNIFILTER);

/** @throws NetlinkFault for values that a switch has not */
export function readVxlan(given: AttributeMap): VxlanRequest {
  const own = Object.values(ATTR);
  for (const [attr, word] of [
    [27, 'gpe'],
    [24, 'remcsum_nopartial'],
  ] as const) {
    if (given.has(attr)) throw unsupported(`overtap has no vxlan device with ${word}; leave this option out`);
  }
  const options = readOptions(TABLE, given, 'a vxlan device', own);
  if (given.has(ATTR.GBP)) options.gbp = true;
  readLabelPolicy(given, options);
  const id = given.u32(ATTR.ID);
  const external = given.u8(ATTR.COLLECT_METADATA) === 1;
  if (id !== undefined && !(external && id === 0)) options.id = id;
  readEnds(given, options);
  const range = given.bytes(ATTR.PORT_RANGE);
  if (range !== undefined) {
    if (range.length < 4) throw new NetlinkFault('srcport has two ports');
    const [low, high] = [range.readUInt16BE(0), range.readUInt16BE(2)];
    if (low !== 0 || high !== 0) options.srcport = [low, high];
  }
  const port = given.be16(ATTR.PORT);
  if (port !== undefined) options.dstport = port;
  const link = given.u32(ATTR.LINK);
  return {
    options,
    ...(link === undefined || link === 0 ? {} : { link }),
    external,
    vnifilter: given.u8(ATTR.VNIFILTER) === 1,
  };
}

function readLabelPolicy(given: AttributeMap, options: Record<string, unknown>): void {
  const policy = given.u32(ATTR.LABEL_POLICY) ?? 0;
  if (policy > LABEL_INHERIT) throw new NetlinkFault(`${policy} is no policy of flow labels; give a label, or inherit`);
  if (policy === LABEL_INHERIT) options.flowlabel = 'inherit';
}

function readEnds(given: AttributeMap, options: Record<string, unknown>): void {
  const far = given.bytes(ATTR.GROUP) ?? given.bytes(ATTR.GROUP6);
  if (far?.some((byte) => byte !== 0)) {
    const isGroup = far.length === 4 ? (far[0] ?? 0) >> 4 === 14 : far[0] === 0xff;
    if (isGroup) options.group = ipText(far);
    else options.remotes = [ipText(far)];
  }
  const local = given.bytes(ATTR.LOCAL) ?? given.bytes(ATTR.LOCAL6);
  if (local?.some((byte) => byte !== 0)) options.local = ipText(local);
  const ttl = given.u8(ATTR.TTL);
  if (given.has(ATTR.TTL_INHERIT)) options.ttl = 'inherit';
  else if (ttl !== undefined) options.ttl = ttl;
  const tos = given.u8(ATTR.TOS);
  if (tos !== undefined) options.tos = tos === TOS_INHERIT ? 'inherit' : tos;
}

/** The attributes of a vxlan port's listing. @param link index of its `dev`; 0: none */
export function writeVxlan(row: Options, link: number): Attribute[] {
  const remotes = Array.isArray(row.remotes) ? row.remotes : [];
  // The kernel has no names.
  const far = row.group ?? remotes.find((remote) => isIP(String(remote)) !== 0);
  const id = typeof row.id === 'number' ? row.id : 0;
  const [low, high] = Array.isArray(row.srcport) ? row.srcport.map(Number) : [0, 0];
  const range = Buffer.alloc(4);
  range.writeUInt16BE(low ?? 0, 0);
  range.writeUInt16BE(high ?? 0, 2);
  const external = row.vlan_tunnel === true;
  return [
    u32Attribute(ATTR.ID, id),
    ...addressAttribute(far, ATTR.GROUP, ATTR.GROUP6),
    ...(link === 0 ? [] : [u32Attribute(ATTR.LINK, link)]),
    ...addressAttribute(row.local, ATTR.LOCAL, ATTR.LOCAL6),
    bytesAttribute(ATTR.TTL, bytesOf(1, row.ttl === 'inherit' ? 0 : Number(row.ttl ?? 0))),
    ...(row.ttl === 'inherit' ? [flagAttribute(ATTR.TTL_INHERIT)] : []),
    bytesAttribute(ATTR.TOS, bytesOf(1, row.tos === 'inherit' ? TOS_INHERIT : Number(row.tos ?? 0))),
    ...(row.gbp === true ? [flagAttribute(ATTR.GBP)] : []),
    bytesAttribute(ATTR.COLLECT_METADATA, bytesOf(1, external ? 1 : 0)),
    be16Attribute(ATTR.PORT, Number(row.dstport ?? 4789)),
    bytesAttribute(ATTR.PORT_RANGE, range),
    u32Attribute(ATTR.LABEL_POLICY, row.flowlabel === 'inherit' ? LABEL_INHERIT : 0),
    ...writeOptions(TABLE, row),
  ];
}

function addressAttribute(address: unknown, attr4: number, attr6: number): Attribute[] {
  if (typeof address !== 'string') return [];
  const bytes = ipBytes(address.replace(/%.*$/, ''));
  return [bytesAttribute(bytes.length === 4 ? attr4 : attr6, bytes)];
}
