/**
 * Neighbour discovery for IPv6: solicitations and advertisements of neighbours (RFC 4861 sections 4.3, 4.4 and 4.6.1), the
 * ARP of IPv6, carried in ICMPv6 directly behind the IPv6 header.
 *
 *   bit  0               8               16                              31
 *        +---------------+---------------+-------------------------------+
 *   0    |  type 135/136 |    code 0     |           checksum            |
 *        +-+-+-+---------+---------------+-------------------------------+
 *   4    |R|S|O|             reserved (in a solicitation all of it)      |
 *        +-+-+-+---------------------------------------------------------+
 *   8    |                   target address, 16 bytes                    |
 *        +---------------+---------------+-------------------------------+
 *   24   |  option type  | length / 8    |  link-layer address, 6 bytes  |  1: the source's, 2: the target's
 *        +---------------+---------------+-------------------------------+
 *
 * Owns the validity of such a message (RFC 4861 sections 7.1.1 and 7.1.2), its parsing and building. It never answers:
 * suppression decides that.
 */
import { concatBytes, viewOf } from './bytes.js';
import { fold, pseudoHeaderSum6, sum16 } from './checksum.js';
import { macHigh, writeMac, writeMacText } from './ethernet.js';
import { addressBytes } from './ip-address.js';
import {
  encodeIpv6,
  IPV6_HEADER,
  ipv6Destination,
  ipv6HopLimit,
  ipv6NextHeader,
  ipv6PayloadLength,
  PROTOCOL_ICMPV6,
} from './ipv6.js';
import { isIpv6Multicast } from './mld.js';
import { fillChecksum } from './transport.js';

export const ND_NONE = 0;
export const ND_ROUTER_SOLICITATION = 133;
export const ND_ROUTER_ADVERTISEMENT = 134;
export const ND_SOLICITATION = 135;
export const ND_ADVERTISEMENT = 136;
export const ND_REDIRECT = 137;
/** Bytes before the options. */
export const ND_MESSAGE = 24;
/** Offset of the target from that of the message. */
export const ND_TARGET = 8;

// Flags of an advertisement: the first byte of its second word.
export const ND_ROUTER = 0x80;
export const ND_SOLICITED = 0x40;
export const ND_OVERRIDE = 0x20;

export const ND_SOURCE_LINK = 1;
export const ND_TARGET_LINK = 2;
const LINK_OPTION = 8;
const HOP_LIMIT = 255;

/** Bytes of an advertisement with the target's link-layer address, IPv6 header included. */
export const ADVERTISEMENT_PACKET = IPV6_HEADER + ND_MESSAGE + LINK_OPTION;
/** Bytes of a solicitation with the source's link-layer address, IPv6 header included. */
export const SOLICITATION_PACKET = ADVERTISEMENT_PACKET;

/** Whether `length` bytes at `l3` look like neighbour discovery. A cheap test; `ndMessage` validates. */
export function looksLikeNd(view: DataView, l3: number, length: number): boolean {
  if (length < IPV6_HEADER + ND_MESSAGE || view.getUint8(l3 + 6) !== PROTOCOL_ICMPV6) return false;
  const type = view.getUint8(l3 + IPV6_HEADER);
  return type === ND_SOLICITATION || type === ND_ADVERTISEMENT;
}

/** Bytes before the options of a message from ND_ROUTER_SOLICITATION to ND_REDIRECT (RFC 4861 section 4). */
export function ndFixedLength(type: number): number {
  if (type === ND_ROUTER_SOLICITATION) return 8;
  if (type === ND_ROUTER_ADVERTISEMENT) return 16;
  return type === ND_REDIRECT ? 40 : ND_MESSAGE;
}

/** End of the message behind the IPv6 header at `l3`. */
export function ndEnd(view: DataView, l3: number): number {
  return l3 + IPV6_HEADER + ipv6PayloadLength(view, l3);
}

/**
 * ND_SOLICITATION or ND_ADVERTISEMENT for a sound one, else ND_NONE.
 * @param l3 offset of the IPv6 header; nothing is read beyond `end`
 * @param finished false: the checksum is left to a device and cannot be verified
 */
export function ndMessage(view: DataView, l3: number, end: number, finished: boolean): number {
  if (!looksLikeNd(view, l3, end - l3) || view.getUint8(l3) >>> 4 !== 6) return ND_NONE;
  const l4 = l3 + IPV6_HEADER;
  const messageEnd = ndEnd(view, l3);
  const length = messageEnd - l4;
  if (ipv6NextHeader(view, l3) !== PROTOCOL_ICMPV6 || ipv6HopLimit(view, l3) !== HOP_LIMIT) return ND_NONE;
  if (messageEnd > end || length < ND_MESSAGE || view.getUint8(l4 + 1) !== 0) return ND_NONE;
  if (isIpv6Multicast(view.getInt32(l4 + ND_TARGET)) || !optionsAreSound(view, l4, messageEnd)) return ND_NONE;
  const type = view.getUint8(l4);
  const allowed = type === ND_SOLICITATION ? mayAsk(view, l3, messageEnd) : mayTell(view, l3);
  if (!allowed || (finished && !isChecksumRight(view, l3, length))) return ND_NONE;
  return type;
}

function optionsAreSound(view: DataView, l4: number, end: number): boolean {
  let at = l4 + ND_MESSAGE;
  while (at < end) {
    if (end - at < 2) return false;
    const length = view.getUint8(at + 1) << 3;
    if (length === 0 || length > end - at) return false;
    at += length;
  }
  return true;
}

/** A sender without an address asks the target's solicited-node group, and gives no link-layer address (section 7.1.1). */
function mayAsk(view: DataView, l3: number, end: number): boolean {
  if (!isUnspecified(view, l3 + 8)) return true;
  if (ndLinkAddress(view, l3 + IPV6_HEADER, end, ND_SOURCE_LINK) !== 0) return false;
  return (
    ipv6Destination(view, l3, 0) === (0xff020000 | 0) &&
    ipv6Destination(view, l3, 1) === 0 &&
    ipv6Destination(view, l3, 2) === 1 &&
    ipv6Destination(view, l3, 3) >>> 24 === 0xff
  );
}

/** A multicast advertisement must not be marked as solicited (section 7.1.2). */
function mayTell(view: DataView, l3: number): boolean {
  return !isIpv6Multicast(ipv6Destination(view, l3, 0)) || (ndFlags(view, l3 + IPV6_HEADER) & ND_SOLICITED) === 0;
}

function isChecksumRight(view: DataView, l3: number, length: number): boolean {
  return fold(sum16(view, l3 + IPV6_HEADER, length, pseudoHeaderSum6(view, l3, PROTOCOL_ICMPV6, length))) === 0xffff;
}

/** Whether the 16 bytes at `at` are `::`. */
export function isUnspecified(view: DataView, at: number): boolean {
  return (view.getInt32(at) | view.getInt32(at + 4) | view.getInt32(at + 8) | view.getInt32(at + 12)) === 0;
}

/** ND_ROUTER, ND_SOLICITED and ND_OVERRIDE of an advertisement. */
export function ndFlags(view: DataView, l4: number): number {
  return view.getUint8(l4 + 4);
}

/**
 * Offset of the Ethernet address in the first option of a type; 0 when a valid message has none, or not a unicast one.
 * @param type ND_SOURCE_LINK or ND_TARGET_LINK
 */
export function ndLinkAddress(view: DataView, l4: number, end: number, type: number): number {
  for (let at = l4 + ND_MESSAGE; at < end; at += view.getUint8(at + 1) << 3) {
    if (view.getUint8(at) !== type) continue;
    const isUnicast = view.getUint8(at + 1) === 1 && (macHigh(view, at + 2) & 0x0100) === 0;
    return isUnicast && (macHigh(view, at + 2) | view.getInt32(at + 4)) !== 0 ? at + 2 : 0;
  }
  return 0;
}

/**
 * Writes an advertisement of a neighbour: from its address, with its link-layer address as the target's.
 * @param l3 where the IPv6 header goes; ADVERTISEMENT_PACKET bytes are written
 * @param target, to four words each, at the given indices
 */
export function writeAdvertisement(
  view: DataView,
  l3: number,
  flags: number,
  target: ArrayLike<number>,
  targetAt: number,
  to: ArrayLike<number>,
  toAt: number,
  high: number,
  low: number,
): void {
  const l4 = l3 + IPV6_HEADER;
  const length = ND_MESSAGE + LINK_OPTION;
  beginMessage(view, l3, length, ND_ADVERTISEMENT);
  view.setUint32(l4 + 4, flags * 0x1000000);
  for (let word = 0; word < 4; word++) {
    view.setInt32(l3 + 8 + word * 4, target[targetAt + word]);
    view.setInt32(l3 + 24 + word * 4, to[toAt + word]);
    view.setInt32(l4 + ND_TARGET + word * 4, target[targetAt + word]);
  }
  endMessage(view, l3, length, ND_TARGET_LINK, high, low);
}

/**
 * Writes a solicitation of a neighbour with the source's link-layer address.
 * @param l3 where the IPv6 header goes; SOLICITATION_PACKET bytes are written
 * @param words has the source's address at `from` and the target's at `target`, four words each
 * @param toAll to the target's solicited-node group (RFC 4291 section 2.7.1); false: to the target itself
 */
export function writeSolicitation(
  view: DataView,
  l3: number,
  words: ArrayLike<number>,
  from: number,
  target: number,
  toAll: boolean,
  high: number,
  low: number,
): void {
  const l4 = l3 + IPV6_HEADER;
  const length = ND_MESSAGE + LINK_OPTION;
  beginMessage(view, l3, length, ND_SOLICITATION);
  view.setUint32(l4 + 4, 0);
  for (let word = 0; word < 4; word++) {
    view.setInt32(l3 + 8 + word * 4, words[from + word]);
    view.setInt32(l3 + 24 + word * 4, words[target + word]);
    view.setInt32(l4 + ND_TARGET + word * 4, words[target + word]);
  }
  if (toAll) {
    view.setInt32(l3 + 24, 0xff020000);
    view.setInt32(l3 + 28, 0);
    view.setInt32(l3 + 32, 1);
    view.setUint8(l3 + 36, 0xff);
  }
  endMessage(view, l3, length, ND_SOURCE_LINK, high, low);
}

function beginMessage(view: DataView, l3: number, length: number, type: number): void {
  view.setUint32(l3, 0x60000000);
  view.setUint16(l3 + 4, length);
  view.setUint8(l3 + 6, PROTOCOL_ICMPV6);
  view.setUint8(l3 + 7, HOP_LIMIT);
  view.setUint32(l3 + IPV6_HEADER, type * 0x1000000);
}

/** Writes the link-layer address option and the checksum. */
function endMessage(view: DataView, l3: number, length: number, option: number, high: number, low: number): void {
  const l4 = l3 + IPV6_HEADER;
  view.setUint8(l4 + ND_MESSAGE, option);
  view.setUint8(l4 + ND_MESSAGE + 1, 1);
  writeMac(view, l4 + ND_MESSAGE + 2, high, low);
  const sum = sum16(view, l4, length, pseudoHeaderSum6(view, l3, PROTOCOL_ICMPV6, length));
  view.setUint16(l4 + 2, ~fold(sum) & 0xffff);
}

export interface NdFields {
  type: typeof ND_SOLICITATION | typeof ND_ADVERTISEMENT;
  target: string;
  /** Of an advertisement. Default 0. */
  flags?: number;
  sourceLink?: string;
  targetLink?: string;
  /** Bytes of further options, as they are. */
  options?: Uint8Array;
}

/** Builds a message with its IPv6 header and checksum (cold). @throws RangeError for a bad address */
export function encodeNd(
  fields: NdFields,
  path: { source: string; destination: string; hopLimit?: number },
): Uint8Array {
  const head = new Uint8Array(ND_MESSAGE);
  head[0] = fields.type;
  head[4] = fields.flags ?? 0;
  head.set(addressBytes(fields.target), ND_TARGET);
  const message = concatBytes(
    head,
    linkOption(ND_SOURCE_LINK, fields.sourceLink),
    linkOption(ND_TARGET_LINK, fields.targetLink),
    fields.options ?? new Uint8Array(0),
  );
  fillChecksum(message, 2, path, PROTOCOL_ICMPV6, false);
  return encodeIpv6({ ...path, nextHeader: PROTOCOL_ICMPV6, hopLimit: path.hopLimit ?? HOP_LIMIT, payload: message });
}

function linkOption(type: number, mac: string | undefined): Uint8Array {
  if (mac === undefined) return new Uint8Array(0);
  const option = Uint8Array.of(type, 1, 0, 0, 0, 0, 0, 0);
  writeMacText(viewOf(option), 2, mac);
  return option;
}
