/**
 * Whether a packet for a router is one (RFC 1812 sections 4.2.2 and 5.3.7, RFC 8200): header, checksum, options, and addresses that no
 * packet from one host to another has. Lengths first: all later readers rely on them.
 */
import { internetChecksum } from '../../wire/checksum.js';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../../wire/ethernet.js';
import {
  IPV4_HEADER,
  ipVersion,
  ipv4Destination,
  ipv4HeaderLength,
  ipv4Source,
  ipv4TotalLength,
} from '../../wire/ipv4.js';
import { IPV6_HEADER, ipv6Destination, ipv6PayloadLength, ipv6Source } from '../../wire/ipv6.js';
import { looksLikeNd } from '../../wire/nd.js';
import { REASON } from '../state/drop-reasons.js';

/** No reason: the packet is valid. */
export const VALID = -1;

const OPTION_END = 0;
const OPTION_NOP = 1;
/** Loose and strict source route (RFC 791 section 3.1; refused as in RFC 7126 sections 4.3 and 4.4). */
const OPTION_LSRR = 131;
const OPTION_SSRR = 137;

/**
 * @param etherType of the frame @param isSuper a superframe, whose lengths may be left 0
 * @returns a drop reason, or VALID
 */
export function whyInvalid(view: DataView, etherType: number, l3: number, end: number, isSuper: boolean): number {
  switch (etherType) {
    case ETHERTYPE_IPV4:
      return why4(view, l3, end, isSuper);
    case ETHERTYPE_IPV6:
      return why6(view, l3, end, isSuper);
    case ETHERTYPE_ARP:
      return REASON.suppressed;
    default:
      return REASON.not_layer3;
  }
}

function why4(view: DataView, l3: number, end: number, isSuper: boolean): number {
  if (end - l3 < IPV4_HEADER) return REASON.frame_too_short;
  const header = ipv4HeaderLength(view, l3);
  const total = ipv4TotalLength(view, l3);
  if (ipVersion(view, l3) !== 4 || header < IPV4_HEADER) return REASON.ip_invalid;
  if (total === 0 && isSuper ? end - l3 < header : total < header || l3 + total > end) return REASON.frame_too_short;
  if (internetChecksum(view, l3, header) !== 0) return REASON.checksum_bad;
  if (header > IPV4_HEADER && !hasFairOptions(view, l3 + IPV4_HEADER, l3 + header)) return REASON.ip_invalid;
  return isMartian4(ipv4Source(view, l3)) || isMartian4(ipv4Destination(view, l3)) ? REASON.ip_martian : VALID;
}

/** Options that can be read, without a source route. */
function hasFairOptions(view: DataView, from: number, end: number): boolean {
  for (let at = from; at < end; ) {
    const option = view.getUint8(at);
    if (option === OPTION_END) return true;
    if (option === OPTION_NOP) {
      at++;
      continue;
    }
    const length = at + 1 < end ? view.getUint8(at + 1) : 0;
    if (length < 2 || at + length > end || option === OPTION_LSRR || option === OPTION_SSRR) return false;
    at += length;
  }
  return true;
}

/** This network, loopback, multicast, reserved, broadcast (RFC 1812 sections 5.3.7 and 4.2.3.1). */
function isMartian4(address: number): boolean {
  const first = address >>> 24;
  return first === 0 || first === 127 || first >= 224;
}

function why6(view: DataView, l3: number, end: number, isSuper: boolean): number {
  if (end - l3 < IPV6_HEADER) return REASON.frame_too_short;
  if (ipVersion(view, l3) !== 6) return REASON.ip_invalid;
  const payload = ipv6PayloadLength(view, l3);
  if (!(payload === 0 && isSuper) && l3 + IPV6_HEADER + payload > end) return REASON.frame_too_short;
  // Neighbour discovery was read by the bridge.
  if (looksLikeNd(view, l3, end - l3)) return REASON.suppressed;
  return isMartian6(view, l3) ? REASON.ip_martian : VALID;
}

/** Unspecified, loopback and multicast (RFC 4291 section 2.7: never a source), and IPv4 in IPv6 clothes. */
function isMartian6(view: DataView, l3: number): boolean {
  const isGroup = ipv6Destination(view, l3, 0) >>> 24 === 0xff || ipv6Source(view, l3, 0) >>> 24 === 0xff;
  const source = ipv6Source(view, l3, 0) | ipv6Source(view, l3, 1);
  const destination = ipv6Destination(view, l3, 0) | ipv6Destination(view, l3, 1);
  return (
    isGroup ||
    (source === 0 && isSpecial(ipv6Source(view, l3, 2), ipv6Source(view, l3, 3))) ||
    (destination === 0 && isSpecial(ipv6Destination(view, l3, 2), ipv6Destination(view, l3, 3)))
  );
}

function isSpecial(third: number, last: number): boolean {
  return third === 0xffff || (third === 0 && (last === 0 || last === 1));
}
