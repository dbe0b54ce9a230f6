/** Links of a switch as messages of rtnetlink: links without a device of the kernel as a whole, others by edits of the kernel's. */
import type { LinkCounters, LinkRow } from '../api/api.js';
import { macBytes } from '../netlink/addresses.js';
import {
  type Attribute,
  bytesAttribute,
  nestAttribute,
  stringAttribute,
  u32Attribute,
  u8Attribute,
  writeAttributes,
} from '../netlink/attributes.js';
import { BRIDGE_OPTIONS, PORT_BACKUP_PORT, PORT_OPTIONS } from '../netlink/bridge-options.js';
import { writeOptions } from '../netlink/option-table.js';
import { AF, IFF, IFINFO_BYTES, IFLA, INFO, readIfinfo, writeIfinfo } from '../netlink/rtnetlink.js';
import { writeVxlan } from '../netlink/vxlan-options.js';
import type { KernelLink } from './kernel.js';
import { type View, virtualIndex } from './view.js';

const OPER_DOWN = 2;
const OPER_UP = 6;
const MAX_MTU = 65_535;
const MIN_MTU = 68;

const isUp = (row: LinkRow): boolean => row.up !== false;

function flagsOf(row: LinkRow): number {
  const running = isUp(row) && row.operstate === 'UP' ? IFF.RUNNING | IFF.LOWER_UP : 0;
  return IFF.BROADCAST | IFF.MULTICAST | (isUp(row) ? IFF.UP : 0) | running;
}

/** Options of a port as PORT_OPTIONS wants them. */
export async function portRow(view: View, row: LinkRow): Promise<LinkRow> {
  const rows = await view.links();
  const master = rows.find(({ ifname }) => ifname === row.master);
  const ports = rows.filter((one) => one.master === row.master && one.master !== undefined);
  const number = ports.findIndex(({ ifname }) => ifname === row.ifname) + 1;
  return { ...row, master_address: master?.address, port_no: number };
}

/** IFLA_BRPORT_*. */
export async function portAttributes(view: View, row: LinkRow): Promise<Attribute[]> {
  const attributes = writeOptions(PORT_OPTIONS, await portRow(view, row));
  const backup = typeof row.backup_port === 'string' ? await view.indexOfName(row.backup_port) : 0;
  return backup === 0 ? attributes : [...attributes, u32Attribute(PORT_BACKUP_PORT, backup)];
}

async function infoData(view: View, row: LinkRow): Promise<Attribute[] | undefined> {
  if (row.type === 'bridge') return writeOptions(BRIDGE_OPTIONS, row);
  if (row.type !== 'vxlan') return undefined;
  const dev = typeof row.dev === 'string' ? await view.kernel.byName(row.dev) : undefined;
  return writeVxlan(row, dev?.index ?? 0);
}

/** IFLA_LINKINFO. @param kernel the attributes of the device's own */
async function linkInfo(view: View, row: LinkRow, kernel: Attribute[]): Promise<Attribute> {
  const data = await infoData(view, row);
  const own =
    data === undefined
      ? kernel.length > 0
        ? kernel
        : [stringAttribute(INFO.KIND, row.type)]
      : [stringAttribute(INFO.KIND, row.type), nestAttribute(INFO.DATA, data)];
  if (row.master === undefined) return nestAttribute(IFLA.LINKINFO, own);
  const slave = [
    stringAttribute(INFO.SLAVE_KIND, 'bridge'),
    nestAttribute(INFO.SLAVE_DATA, await portAttributes(view, row)),
  ];
  return nestAttribute(IFLA.LINKINFO, [...own, ...slave]);
}

async function masterAttribute(view: View, row: LinkRow): Promise<Attribute[]> {
  const index = await view.indexOfName(row.master);
  return index === 0 ? [] : [u32Attribute(IFLA.MASTER, index)];
}

/** Place of its counter of frames that are damaged. */
const RX_FRAME_ERRORS = 13;

/** `struct rtnl_link_stats64`, and the older one of 32-bit counters. */
export function counterBytes(counters: LinkCounters | undefined): { long: Buffer; short: Buffer } {
  // As vxlan_rcv and vxlan_xmit_one: what the kernel counts as an error is none of its drops.
  const [rxErrors, txErrors] = [counters?.drops.ecn_invalid ?? 0, counters?.drops.tx_error ?? 0];
  const rows: (number | undefined)[] = [
    counters?.rx_packets,
    counters?.tx_packets,
    counters?.rx_bytes,
    counters?.tx_bytes,
    rxErrors,
    txErrors,
    Math.max(0, (counters?.rx_dropped ?? 0) - rxErrors),
    Math.max(0, (counters?.tx_dropped ?? 0) - txErrors),
    ...Array(RX_FRAME_ERRORS - 8).fill(0),
    rxErrors,
  ];
  const long = Buffer.alloc(24 * 8);
  const short = Buffer.alloc(24 * 4);
  for (const [at, value = 0] of rows.entries()) {
    long.writeBigUInt64LE(BigInt(value), at * 8);
    short.writeUInt32LE(value >>> 0, at * 4);
  }
  return { long, short };
}

function counterAttributes(counters: LinkCounters | undefined): Attribute[] {
  const { long, short } = counterBytes(counters);
  return [bytesAttribute(IFLA.STATS64, long), bytesAttribute(IFLA.STATS, short)];
}

/** The payload of RTM_NEWLINK for a link without a device of the kernel. @param counters absent: zeros */
export async function linkPayload(view: View, row: LinkRow, counters?: LinkCounters): Promise<Buffer> {
  const mac = typeof row.address === 'string' ? row.address : typeof row.mac === 'string' ? row.mac : undefined;
  const attributes = [
    stringAttribute(IFLA.IFNAME, row.ifname),
    u32Attribute(IFLA.TXQLEN, 1000),
    u8Attribute(IFLA.OPERSTATE, row.operstate === 'UP' && isUp(row) ? OPER_UP : OPER_DOWN),
    u8Attribute(IFLA.LINKMODE, 0),
    u32Attribute(IFLA.MTU, row.mtu),
    u32Attribute(IFLA.MIN_MTU, MIN_MTU),
    u32Attribute(IFLA.MAX_MTU, MAX_MTU),
    u32Attribute(IFLA.GROUP, 0),
    u32Attribute(IFLA.PROMISCUITY, row.master === undefined ? 0 : 1),
    // IFLA_ALLMULTI.
    u32Attribute(61, row.master === undefined ? 0 : 1),
    u32Attribute(IFLA.NUM_TX_QUEUES, 1),
    u32Attribute(IFLA.GSO_MAX_SEGS, 65_535),
    u32Attribute(IFLA.GSO_MAX_SIZE, 65_536),
    // IFLA_GRO_MAX_SIZE, IFLA_TSO_MAX_SIZE, IFLA_TSO_MAX_SEGS.
    u32Attribute(58, 65_536),
    u32Attribute(59, 65_536),
    u32Attribute(60, 65_535),
    u32Attribute(IFLA.NUM_RX_QUEUES, 1),
    u8Attribute(IFLA.CARRIER, row.operstate === 'UP' ? 1 : 0),
    stringAttribute(IFLA.QDISC, isUp(row) ? 'noqueue' : 'noop'),
    bytesAttribute(IFLA.ADDRESS, macBytes(mac ?? addressOf(row))),
    bytesAttribute(IFLA.BROADCAST, Buffer.alloc(6, 0xff)),
    ...counterAttributes(counters),
    ...(await masterAttribute(view, row)),
    await linkInfo(view, row, []),
    // What iproute2 shows as inet6_addr_gen_mode.
    nestAttribute(IFLA.AF_SPEC, [nestAttribute(AF.INET6, [u8Attribute(8, 0)])]),
  ];
  const head = writeIfinfo({ index: virtualIndex(row.ifname), flags: flagsOf(row) });
  return Buffer.concat([head, writeAttributes(attributes)]);
}

/** A MAC for listings of a link that has none: local, and always the same. */
function addressOf({ ifname }: LinkRow): string {
  const hash = virtualIndex(ifname).toString(16).padStart(8, '0');
  return `02:00:${hash.slice(0, 2)}:${hash.slice(2, 4)}:${hash.slice(4, 6)}:${hash.slice(6, 8)}`;
}

/** Of the kernel's: what the switch says instead. */
const REPLACED: readonly number[] = [IFLA.LINKINFO, IFLA.MASTER];

/** The payload of RTM_NEWLINK for a device of a link: the kernel's, as a bridge, a vxlan device or a port of a bridge. */
export async function devicePayload(view: View, row: LinkRow, { message, attributes }: KernelLink): Promise<Buffer> {
  const kept = attributes.all.filter(({ type }) => !REPLACED.includes(type));
  const own = attributes.nested(IFLA.LINKINFO)?.all ?? [];
  const edited = [...kept, ...(await masterAttribute(view, row)), await linkInfo(view, row, [...own])];
  return Buffer.concat([message.payload.subarray(0, IFINFO_BYTES), writeAttributes(edited)]);
}

/** The payload of RTM_NEWLINK of family AF_BRIDGE. @param spec IFLA_AF_SPEC's attributes; absent: none */
export async function bridgePayload(view: View, row: LinkRow, spec?: readonly Attribute[]): Promise<Buffer> {
  const device = await view.device(row);
  const index = device?.index ?? virtualIndex(row.ifname);
  const flags = device === undefined ? flagsOf(row) : readIfinfo(device.message.payload).flags;
  const address = device?.attributes.bytes(IFLA.ADDRESS) ?? macBytes(addressOf(row));
  const attributes: Attribute[] = [
    stringAttribute(IFLA.IFNAME, device?.name ?? row.ifname),
    u32Attribute(IFLA.MASTER, row.type === 'bridge' ? index : await view.indexOfName(row.master)),
    u32Attribute(IFLA.MTU, row.mtu),
    u8Attribute(IFLA.OPERSTATE, row.operstate === 'UP' ? OPER_UP : OPER_DOWN),
    bytesAttribute(IFLA.ADDRESS, address),
  ];
  const below = device?.attributes.bytes(IFLA.LINK);
  if (below !== undefined) attributes.push(bytesAttribute(IFLA.LINK, below));
  if (row.type !== 'bridge') attributes.push(nestAttribute(IFLA.PROTINFO, await portAttributes(view, row), true));
  if (spec !== undefined) attributes.push(nestAttribute(IFLA.AF_SPEC, spec));
  return Buffer.concat([writeIfinfo({ family: AF.BRIDGE, index, flags }), writeAttributes(attributes)]);
}
