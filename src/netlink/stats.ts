/** Messages of counters (RTM_*STATS, `struct if_stats_msg` and `struct bridge_vlan_xstats` of linux/if_link.h and if_bridge.h). */
import { type Attribute, bytesAttribute, nestAttribute, writeAttributes } from './attributes.js';

const HEAD_BYTES = 12;
/** IFLA_STATS_*: each has the bit of its number less 1 in the mask of a request. */
export const STATS_ATTR = { LINK_64: 1, LINK_XSTATS: 2, LINK_XSTATS_SLAVE: 3 } as const;
/** LINK_XSTATS_TYPE_BRIDGE. */
const OF_BRIDGE = 1;
/** BRIDGE_XSTATS_VLAN. */
const OF_VLAN = 1;
const VLAN_BYTES = 40;

export interface VlanXstats {
  readonly vid: number;
  /** BRIDGE_VLAN_INFO_*. */
  readonly flags: number;
  readonly rx_bytes: number;
  readonly rx_packets: number;
  readonly tx_bytes: number;
  readonly tx_packets: number;
}

/** @returns null: it is too short */
export function readStatsRequest(payload: Buffer): { index: number; mask: number } | null {
  if (payload.length < HEAD_BYTES) return null;
  return { index: payload.readInt32LE(4), mask: payload.readUInt32LE(8) };
}

export const isWanted = (mask: number, attr: number): boolean => ((mask >>> (attr - 1)) & 1) === 1;

/** Counters of VLANs, of a bridge or of one of its ports. */
export function vlanXstats(attr: number, vlans: readonly VlanXstats[]): Attribute {
  const each = vlans.map((one) => bytesAttribute(OF_VLAN, vlanBytes(one)));
  return nestAttribute(attr, [nestAttribute(OF_BRIDGE, each)]);
}

function vlanBytes(one: VlanXstats): Buffer {
  const out = Buffer.alloc(VLAN_BYTES);
  const counters = [one.rx_bytes, one.rx_packets, one.tx_bytes, one.tx_packets];
  for (const [at, value] of counters.entries()) out.writeBigUInt64LE(BigInt(value), at * 8);
  out.writeUInt16LE(one.vid, 32);
  out.writeUInt16LE(one.flags, 34);
  return out;
}

/** The payload of RTM_NEWSTATS. */
export function writeStats(index: number, mask: number, attributes: readonly Attribute[]): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeInt32LE(index, 4);
  head.writeUInt32LE(mask, 8);
  return Buffer.concat([head, writeAttributes(attributes)]);
}
