/**
 * The upper-layer header of an IP packet, for checks that a sender must not get around: behind every extension header, and in the first
 * fragment. What cannot be read is told apart from what no host would take (RFC 7113 section 2, RFC 8200 section 4.5).
 *
 * The header is at the very beginning of a first fragment, or the packet is unreadable: so later fragments, which are not looked at,
 * cannot overwrite it in hosts that take overlapping ones.
 */
import {
  ipv4FragmentOffset,
  ipv4HeaderLength,
  ipv4IsFragment,
  ipv4Protocol,
  ipv4TotalLength,
  IPV4_HEADER,
  ipVersion,
} from './ipv4.js';
import { findFragmentHeader, IPV6_HEADER, ipv6PayloadLength, isExtension, NEXT_NONE, walkExtensions } from './ipv6.js';

/** Words that are written. */
export const UPPER_OFFSET = 0;
export const UPPER_PROTOCOL = 1;
/** End of the packet, within the frame. */
export const UPPER_END = 2;
/** 1: the header begins the first of several fragments. */
export const UPPER_FRAGMENTED = 3;
export const UPPER_WORDS = 4;

/** Nothing that a host would take from this frame alone: no IP, no next header, a later fragment. */
export const UPPER_NONE = 0;
/** At least UPPER_LEAST bytes of the header are there. */
export const UPPER_FOUND = 1;
/** Too many extension headers, or the packet ends before its header does. */
export const UPPER_UNREADABLE = 2;

/** Bytes that a header has at least: the first unit of a fragment. */
export const UPPER_LEAST = 8;

/** @param l3 offset of what its EtherType calls an IPv4 header; nothing is read from `end` on @returns UPPER_* */
export function findUpper4(view: DataView, l3: number, end: number, out: Int32Array): number {
  if (end - l3 < IPV4_HEADER || ipVersion(view, l3) !== 4) return UPPER_NONE;
  const header = ipv4HeaderLength(view, l3);
  if (header < IPV4_HEADER) return UPPER_NONE;
  const isPart = ipv4IsFragment(view, l3);
  if (isPart && ipv4FragmentOffset(view, l3) !== 0) return UPPER_NONE;
  const total = ipv4TotalLength(view, l3);
  out[UPPER_OFFSET] = l3 + header;
  out[UPPER_PROTOCOL] = ipv4Protocol(view, l3);
  out[UPPER_END] = total === 0 ? end : Math.min(end, l3 + total);
  out[UPPER_FRAGMENTED] = isPart ? 1 : 0;
  return isReadable(out);
}

/** @param l3 offset of what its EtherType calls an IPv6 header; nothing is read from `end` on @returns UPPER_* */
export function findUpper6(view: DataView, l3: number, end: number, out: Int32Array): number {
  if (end - l3 < IPV6_HEADER || ipVersion(view, l3) !== 6) return UPPER_NONE;
  const payload = ipv6PayloadLength(view, l3);
  const packetEnd = payload === 0 ? end : Math.min(end, l3 + IPV6_HEADER + payload);
  const isPart = walkExtensions(view, l3, packetEnd, out, UPPER_OFFSET);
  out[UPPER_END] = packetEnd;
  out[UPPER_FRAGMENTED] = isPart ? 1 : 0;
  if (isPart) return findInFragment(view, l3, out);
  if (out[UPPER_OFFSET] === 0) return out[UPPER_PROTOCOL] === NEXT_NONE ? UPPER_NONE : UPPER_UNREADABLE;
  return isReadable(out);
}

function findInFragment(view: DataView, l3: number, out: Int32Array): number {
  const fragment = findFragmentHeader(view, l3, out[UPPER_END]);
  if ((view.getUint16(fragment + 2) & 0xfff8) !== 0) return UPPER_NONE;
  // An honest sender has no extension header in the part that is fragmented.
  if (isExtension(out[UPPER_PROTOCOL])) return UPPER_UNREADABLE;
  out[UPPER_OFFSET] = fragment + 8;
  return out[UPPER_PROTOCOL] === NEXT_NONE ? UPPER_NONE : isReadable(out);
}

function isReadable(out: Int32Array): number {
  return out[UPPER_END] - out[UPPER_OFFSET] >= UPPER_LEAST ? UPPER_FOUND : UPPER_UNREADABLE;
}
