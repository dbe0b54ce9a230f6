/** Messages of the VNIs of a vxlan device (RTM_*TUNNEL, `struct tunnel_msg`, VXLAN_VNIFILTER_* of linux/if_link.h). */
import { ipBytes, ipText } from './addresses.js';
import {
  type Attribute,
  AttributeMap,
  bytesAttribute,
  nestAttribute,
  u32Attribute,
  u64Attribute,
  writeAttributes,
} from './attributes.js';
import { NetlinkFault } from './fault.js';
import { AF } from './rtnetlink.js';

const HEAD_BYTES = 8;
/** TUNNEL_MSG_FLAG_STATS. */
const WITH_STATS = 1;
const ENTRY = 1;
const ATTR = { START: 1, END: 2, GROUP: 3, GROUP6: 4, STATS: 5 } as const;
/** VNIs of one request. */
const MAX_ENTRIES = 4096;

/** VNIFILTER_ENTRY_STATS_*, in their order from 1. */
const STATS = [
  'rx_bytes',
  'rx_packets',
  'rx_drops',
  'rx_errors',
  'tx_bytes',
  'tx_packets',
  'tx_drops',
  'tx_errors',
] as const;

export type VniStats = Partial<Record<(typeof STATS)[number], number>>;

export interface VniFacts {
  readonly vni: number;
  readonly vniEnd?: number | undefined;
  /** A group or a remote. */
  readonly address?: string | undefined;
  readonly stats?: VniStats | undefined;
}

export interface VniRequest {
  readonly index: number;
  readonly withStats: boolean;
  readonly entries: readonly VniFacts[];
}

/** @throws NetlinkFault when a length is wrong */
export function readVnis(payload: Buffer): VniRequest {
  if (payload.length < HEAD_BYTES) throw new NetlinkFault('the message of a VNI is too short');
  const { all } = new AttributeMap(payload.subarray(HEAD_BYTES));
  return {
    index: payload.readInt32LE(4),
    withStats: (payload.readUInt8(1) & WITH_STATS) !== 0,
    entries: all
      .slice(0, MAX_ENTRIES)
      .filter(({ type }) => type === ENTRY)
      .map(({ value }) => readEntry(new AttributeMap(value))),
  };
}

function readEntry(given: AttributeMap): VniFacts {
  const vni = given.u32(ATTR.START);
  if (vni === undefined) throw new NetlinkFault('give the VNI: vni VNI');
  const end = given.u32(ATTR.END);
  const far = given.bytes(ATTR.GROUP) ?? given.bytes(ATTR.GROUP6);
  const isGiven = far?.some((byte) => byte !== 0) === true;
  return {
    vni,
    ...(end === undefined || end === vni ? {} : { vniEnd: end }),
    ...(isGiven ? { address: ipText(far) } : {}),
  };
}

function entryAttribute({ vni, vniEnd, address, stats }: VniFacts): Attribute {
  const far = address === undefined ? undefined : ipBytes(address);
  const inner = [
    u32Attribute(ATTR.START, vni),
    ...(vniEnd === undefined ? [] : [u32Attribute(ATTR.END, vniEnd)]),
    ...(far === undefined ? [] : [bytesAttribute(far.length === 4 ? ATTR.GROUP : ATTR.GROUP6, far)]),
    ...(stats === undefined ? [] : [nestAttribute(ATTR.STATS, statsOf(stats), true)]),
  ];
  return nestAttribute(ENTRY, inner, true);
}

const statsOf = (stats: VniStats): Attribute[] => STATS.map((key, at) => u64Attribute(at + 1, stats[key] ?? 0));

/** The payload of RTM_NEWTUNNEL for one device. */
export function writeVnis(index: number, entries: readonly VniFacts[]): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(AF.BRIDGE, 0);
  head.writeInt32LE(index, 4);
  return Buffer.concat([head, writeAttributes(entries.map(entryAttribute))]);
}
