/**
 * Errors to the sender of a packet: ICMP (RFC 792; the MTU of "fragmentation needed" as in RFC 1191 section 4) and ICMPv6 (RFC 4443
 * section 3).
 *
 *   +------------------------+-----------------------------+-----------------------------------------+
 *   | IPv4 or IPv6 header    | type, code, checksum, MTU   | the packet that is the cause, as much   |
 *   | to the sender          | or 0 (8 bytes)              | of it as the error may hold             |
 *   +------------------------+-----------------------------+-----------------------------------------+
 *
 * Owns the bytes of these packets and the rule for packets that must never cause an error. It never touches link-layer
 * headers, and reads only what `parseInner` has found inside the frame.
 */
import { fold, internetChecksum, pseudoHeaderSum6, sum16 } from './checksum.js';
import {
  ICMP_ERROR_HEADER,
  ICMP_FRAGMENTATION_NEEDED,
  ICMP_UNREACHABLE,
  ICMPV6_PACKET_TOO_BIG,
  icmpType,
} from './icmp.js';
import { L3_END, L3_KIND, L3_OFFSET, L4_OFFSET, L4_PROTOCOL } from './inner.js';
import {
  IPV4_HEADER,
  ipv4Destination,
  ipv4DontFragment,
  ipv4FragmentOffset,
  ipv4HeaderLength,
  ipv4Protocol,
  ipv4Source,
  ipv4TotalLength,
  PROTOCOL_ICMP,
} from './ipv4.js';
import { findFragmentHeader, IPV6_HEADER, ipv6Destination, ipv6Source, PROTOCOL_ICMPV6 } from './ipv6.js';

/** Most bytes of an IPv4 error, header included (RFC 1812 section 4.3.2.3). */
export const ICMP_ERROR_LIMIT = 576;
/** The same for IPv6: its minimum MTU (RFC 4443 section 2.4). */
export const ICMPV6_ERROR_LIMIT = 1280;
/** Lower MTUs are invalid (RFC 791 section 3.2; RFC 8200 section 5), and senders ignore them. */
const LEAST_MTU4 = 68;
const LEAST_MTU6 = 1280;

const TTL = 64;
const DONT_FRAGMENT = 0x4000;
/** The first ICMPv6 type that is no error. */
const FIRST_INFORMATIONAL = 128;

/**
 * Whether the sender of a packet gets an error for exceeding `mtu`: it set DF or uses IPv6, and the error cannot do harm (RFC
 * 1122 section 3.2.2, RFC 4443 section 2.4; as Linux `iptunnel_pmtud_check_icmp` and `_icmpv6`).
 * @param layout of the frame, from `parseInner`
 */
export function mayTellTooBig(view: DataView, layout: Int32Array, mtu: number): boolean {
  const l3 = layout[L3_OFFSET];
  if (layout[L3_KIND] === 0 || layout[L3_END] - l3 <= mtu) return false;
  const isDue = layout[L3_KIND] === 4 ? mtu >= LEAST_MTU4 && ipv4DontFragment(view, l3) : mtu >= LEAST_MTU6;
  return isDue && mayTell(view, layout);
}

/**
 * Whether an error about a packet can do no harm: it is no error itself, no later fragment, and from one host to one host (RFC 1122 section
 * 3.2.2, RFC 4443 section 2.4).
 */
export function mayTell(view: DataView, layout: Int32Array): boolean {
  if (layout[L3_KIND] === 0) return false;
  return layout[L3_KIND] === 4 ? mayTell4(view, layout[L3_OFFSET], layout[L3_END]) : mayTell6(view, layout);
}

function mayTell4(view: DataView, l3: number, end: number): boolean {
  if (ipv4FragmentOffset(view, l3) !== 0) return false;
  if (!isHost4(ipv4Source(view, l3)) || isGroup4(ipv4Destination(view, l3))) return false;
  // For a truncated packet the header's length counts.
  const total = ipv4TotalLength(view, l3);
  if (total !== 0 && l3 + total > end) return false;
  const l4 = l3 + ipv4HeaderLength(view, l3);
  return ipv4Protocol(view, l3) !== PROTOCOL_ICMP || (l4 < end && !isError4(icmpType(view, l4)));
}

/** A unicast source: not "this network", loopback, multicast or broadcast. */
function isHost4(address: number): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && !isGroup4(address);
}

function isGroup4(address: number): boolean {
  return address >>> 28 === 0xe || address === -1;
}

/** Unreachable, source quench, redirect, time exceeded, parameter problem. */
function isError4(type: number): boolean {
  return type === 3 || type === 4 || type === 5 || type === 11 || type === 12;
}

function mayTell6(view: DataView, layout: Int32Array): boolean {
  const l3 = layout[L3_OFFSET];
  if (!isHost6(view, l3) || ipv6Destination(view, l3, 0) >>> 24 === 0xff) return false;
  let l4 = layout[L4_OFFSET];
  if (l4 === 0) {
    const fragment = findFragmentHeader(view, l3, layout[L3_END]);
    if (fragment === 0 || view.getUint16(fragment + 2) >>> 3 !== 0) return false;
    l4 = fragment + 8;
  }
  if (layout[L4_PROTOCOL] !== PROTOCOL_ICMPV6) return true;
  return l4 < layout[L3_END] && icmpType(view, l4) >= FIRST_INFORMATIONAL;
}

/** A unicast source: neither ::, nor ::1, nor multicast. */
function isHost6(view: DataView, l3: number): boolean {
  const first = ipv6Source(view, l3, 0);
  if (first >>> 24 === 0xff) return false;
  const last = ipv6Source(view, l3, 3);
  return (first | ipv6Source(view, l3, 1) | ipv6Source(view, l3, 2)) !== 0 || (last !== 0 && last !== 1);
}

/** Scratch of this file: the packet's destination. */
const destination = new Int32Array(4);

/**
 * Writes the IP packet that reports to the sender of a packet that it exceeds `mtu`, from the layout of its frame, in the name of its
 * destination.
 * @param at destination offset; ICMPV6_ERROR_LIMIT bytes must be available
 * @returns its length
 */
export function writeTooBig(view: DataView, at: number, layout: Int32Array, mtu: number): number {
  const l3 = layout[L3_OFFSET];
  const isV4 = layout[L3_KIND] === 4;
  if (isV4) destination[3] = ipv4Destination(view, l3);
  else for (let word = 0; word < 4; word++) destination[word] = ipv6Destination(view, l3, word);
  return writeError(
    view,
    at,
    layout,
    isV4 ? ICMP_UNREACHABLE : ICMPV6_PACKET_TOO_BIG,
    isV4 ? ICMP_FRAGMENTATION_NEEDED : 0,
    isV4 ? Math.min(mtu, 0xffff) : mtu,
    destination,
    0,
  );
}

/**
 * Writes the IP packet that reports an error to the sender of a packet, from the layout of its frame.
 * @param at destination offset; ICMPV6_ERROR_LIMIT bytes must be available
 * @param word behind the checksum: an MTU, or 0
 * @param from four words at `fromAt`: the address of the one who reports, IPv4 in the last of them
 * @returns its length
 */
export function writeError(
  view: DataView,
  at: number,
  layout: Int32Array,
  type: number,
  code: number,
  word: number,
  from: Int32Array,
  fromAt: number,
): number {
  const l3 = layout[L3_OFFSET];
  const length = layout[L3_END] - l3;
  const first = (type << 24) | (code << 16);
  if (layout[L3_KIND] === 4) return writeError4(view, at, l3, length, first, word, from[fromAt + 3]);
  return writeError6(view, at, l3, length, first, word, from, fromAt);
}

function writeError4(
  view: DataView,
  at: number,
  l3: number,
  length: number,
  first: number,
  word: number,
  from: number,
): number {
  const quoted = Math.min(length, ICMP_ERROR_LIMIT - IPV4_HEADER - ICMP_ERROR_HEADER);
  const total = IPV4_HEADER + ICMP_ERROR_HEADER + quoted;
  view.setUint32(at, 0x45000000 | total);
  view.setUint32(at + 4, DONT_FRAGMENT);
  view.setUint32(at + 8, (TTL << 24) | (PROTOCOL_ICMP << 16));
  view.setInt32(at + 12, from);
  view.setInt32(at + 16, ipv4Source(view, l3));
  view.setUint16(at + 10, internetChecksum(view, at, IPV4_HEADER));
  const icmp = at + IPV4_HEADER;
  view.setUint32(icmp, first);
  view.setUint32(icmp + 4, word);
  copy(view, icmp + ICMP_ERROR_HEADER, l3, quoted);
  view.setUint16(icmp + 2, internetChecksum(view, icmp, ICMP_ERROR_HEADER + quoted));
  return total;
}

function writeError6(
  view: DataView,
  at: number,
  l3: number,
  length: number,
  first: number,
  word: number,
  from: Int32Array,
  fromAt: number,
): number {
  const quoted = Math.min(length, ICMPV6_ERROR_LIMIT - IPV6_HEADER - ICMP_ERROR_HEADER);
  const message = ICMP_ERROR_HEADER + quoted;
  view.setUint32(at, 0x60000000);
  view.setUint32(at + 4, (message << 16) | (PROTOCOL_ICMPV6 << 8) | TTL);
  for (let index = 0; index < 4; index++) {
    view.setInt32(at + 8 + 4 * index, from[fromAt + index]);
    view.setInt32(at + 24 + 4 * index, ipv6Source(view, l3, index));
  }
  const icmp = at + IPV6_HEADER;
  view.setUint32(icmp, first);
  view.setUint32(icmp + 4, word);
  copy(view, icmp + ICMP_ERROR_HEADER, l3, quoted);
  const sum = sum16(view, icmp, message, pseudoHeaderSum6(view, at, PROTOCOL_ICMPV6, message));
  view.setUint16(icmp + 2, ~fold(sum) & 0xffff);
  return IPV6_HEADER + message;
}

function copy(view: DataView, to: number, from: number, length: number): void {
  const words = length & ~3;
  for (let i = 0; i < words; i += 4) view.setInt32(to + i, view.getInt32(from + i));
  for (let i = words; i < length; i++) view.setUint8(to + i, view.getUint8(from + i));
}
