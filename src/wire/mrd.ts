/**
 * Multicast Router Discovery (RFC 4286), as far as a switch needs it: the advertisement by which a multicast router announces itself to
 * switches, in IGMP or ICMPv6. It is sent to all snoopers, 224.0.0.106 or ff02::6a, and no further than one hop.
 *
 *   bit  0               8               16                              31
 *        +---------------+---------------+-------------------------------+
 *   0    |  0x30 or 151  | adv. interval |           checksum            |
 *        +---------------+---------------+-------------------------------+
 *   4    |        query interval         |      robustness variable      |
 *        +-------------------------------+-------------------------------+
 *
 * Owns these two tests (Linux `br_ip4_multicast_mrd_rcv`, `br_ip6_multicast_mrd_rcv`). The intervals are not read, and a termination
 * ends nothing, as in Linux: a router port ends with its time.
 */
import { internetChecksum } from './checksum.js';
import { ipv4Destination } from './ipv4.js';
import { ipv6Destination, ipv6HopLimit, ipv6NextHeader, NEXT_HOP_BY_HOP } from './ipv6.js';
import { isIcmpv6ChecksumRight } from './mld.js';

const MRD_MESSAGE = 8;
export const IGMP_ROUTER_ADVERTISEMENT = 0x30;
export const ICMPV6_ROUTER_ADVERTISEMENT = 151;
/** 224.0.0.106 */
const ALL_SNOOPERS4 = 0xe000006a | 0;
/** ff02::6a: its first and its last word. */
const ALL_SNOOPERS6 = [0xff020000 | 0, 0x6a] as const;

/**
 * Whether an IGMP datagram is an advertisement.
 * @param l3 offset of its IPv4 header, `l4` of its IGMP header; both are before `end`
 * @param end end of the packet by its IPv4 header
 * @param finished false: the checksum is partial and cannot be verified
 */
export function isRouterAdvertisement4(
  view: DataView,
  l3: number,
  l4: number,
  end: number,
  finished: boolean,
): boolean {
  const length = end - l4;
  if (length < MRD_MESSAGE || view.getUint8(l4) !== IGMP_ROUTER_ADVERTISEMENT) return false;
  return ipv4Destination(view, l3) === ALL_SNOOPERS4 && (!finished || internetChecksum(view, l4, length) === 0);
}

/** Whether an ICMPv6 packet is an advertisement; the parameters as above. */
export function isRouterAdvertisement6(
  view: DataView,
  l3: number,
  l4: number,
  end: number,
  finished: boolean,
): boolean {
  const length = end - l4;
  if (length < MRD_MESSAGE || view.getUint8(l4) !== ICMPV6_ROUTER_ADVERTISEMENT) return false;
  if (ipv6HopLimit(view, l3) !== 1 || ipv6NextHeader(view, l3) !== NEXT_HOP_BY_HOP) return false;
  if (ipv6Destination(view, l3, 0) !== ALL_SNOOPERS6[0] || ipv6Destination(view, l3, 3) !== ALL_SNOOPERS6[1]) {
    return false;
  }
  if (ipv6Destination(view, l3, 1) !== 0 || ipv6Destination(view, l3, 2) !== 0) return false;
  return !finished || isIcmpv6ChecksumRight(view, l3, l4, length);
}
