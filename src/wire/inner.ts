/**
 * One bounded parse of a frame for users of its network and transport headers: flow entropy, checksums, offloads.
 *
 *   frameOff        l3Offset              l4Offset                 l3PayloadEnd   frameOff + length
 *   +----------+---+--------+------------+-------------+----------+--------------+
 *   | Ethernet |tag|   IP   | extensions | TCP, UDP... | payload  | padding      |
 *   +----------+---+--------+------------+-------------+----------+--------------+
 *
 * Decides which offsets may be read. Offsets in `layout` are inside the frame, so that the accessors of the protocol files need
 * no bounds checks. It never verifies checksums and never allocates.
 */
import { ETHERNET_HEADER, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN, etherType } from './ethernet.js';
import {
  IPV4_HEADER,
  ipVersion,
  ipv4HeaderLength,
  ipv4IsFragment,
  ipv4Protocol,
  ipv4TotalLength,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from './ipv4.js';
import { IPV6_HEADER, ipv6PayloadLength, walkExtensions } from './ipv6.js';
import { TCP_HEADER } from './tcp.js';
import { UDP_HEADER } from './udp.js';
import { isTag, VLAN_TAG } from './vlan.js';

/** Words of a layout. All offsets are relative to the view, as `frameOff` is. */
export const LAYOUT_WORDS = 5;
/** Offset of the IP header; 0 when there is no valid one. */
export const L3_OFFSET = 0;
/** 4, 6, or 0 without a valid IP header. */
export const L3_KIND = 1;
/**
 * Offset of the transport header; 0 when there is none to read: not IP, any fragment, truncated. For TCP and UDP the whole
 * fixed header is before L3_END, for other protocols at least one byte.
 */
export const L4_OFFSET = 2;
/** Number of the transport protocol; of a fragment, what its first header says. 0 without IP. */
export const L4_PROTOCOL = 3;
/** End of the packet by its IP header, without padding. Without IP, or truncated: the end of the frame. */
export const L3_END = 4;

/** The tag of the bridge's VLAN, and one that is payload. */
const MOST_TAGS = 2;

/**
 * Finds the headers of a frame with at most two tags, of 802.1Q or 802.1ad: one of the bridge's VLAN, and one that is payload.
 *
 * A length of 0 in the IP header means "to the end of the frame": senders leave it so in offloaded frames over 64 KiB. A length
 * beyond the frame marks a truncated packet: its IP header is used, the transport header is not.
 * @param length of the frame in bytes; nothing beyond it is read
 * @param layout at least LAYOUT_WORDS words, all of which are written
 */
export function parseInner(view: DataView, frameOff: number, length: number, layout: Int32Array): void {
  const end = frameOff + length;
  layout[L3_OFFSET] = 0;
  layout[L3_KIND] = 0;
  layout[L4_OFFSET] = 0;
  layout[L4_PROTOCOL] = 0;
  layout[L3_END] = end;
  if (length < ETHERNET_HEADER) return;
  const type = etherType(view, frameOff);
  const l3 = frameOff + ETHERNET_HEADER;
  if (type === ETHERTYPE_IPV4) parseIpv4(view, l3, end, layout);
  else if (type === ETHERTYPE_IPV6) parseIpv6(view, l3, end, layout);
  else if (isTag(type)) parseTagged(view, l3, end, layout);
}

/** @param first offset behind the EtherType of the first tag */
function parseTagged(view: DataView, first: number, end: number, layout: Int32Array): void {
  let l3 = first;
  let type = ETHERTYPE_VLAN;
  for (let tags = 0; tags < MOST_TAGS && isTag(type); tags++) {
    l3 += VLAN_TAG;
    if (l3 > end) return;
    type = view.getUint16(l3 - 2);
  }
  if (type === ETHERTYPE_IPV4) parseIpv4(view, l3, end, layout);
  else if (type === ETHERTYPE_IPV6) parseIpv6(view, l3, end, layout);
}

function parseIpv4(view: DataView, l3: number, end: number, layout: Int32Array): void {
  if (end - l3 < IPV4_HEADER || ipVersion(view, l3) !== 4) return;
  const headerLength = ipv4HeaderLength(view, l3);
  const total = ipv4TotalLength(view, l3);
  if (headerLength < IPV4_HEADER || end - l3 < headerLength || (total !== 0 && total < headerLength)) return;
  layout[L3_OFFSET] = l3;
  layout[L3_KIND] = 4;
  layout[L4_PROTOCOL] = ipv4Protocol(view, l3);
  if (l3 + total > end) return;
  if (total !== 0) layout[L3_END] = l3 + total;
  if (!ipv4IsFragment(view, l3)) admitTransport(l3 + headerLength, layout);
}

function parseIpv6(view: DataView, l3: number, end: number, layout: Int32Array): void {
  if (end - l3 < IPV6_HEADER || ipVersion(view, l3) !== 6) return;
  layout[L3_OFFSET] = l3;
  layout[L3_KIND] = 6;
  const payload = ipv6PayloadLength(view, l3);
  const claimed = payload === 0 ? end : l3 + IPV6_HEADER + payload;
  walkExtensions(view, l3, Math.min(claimed, end), layout, L4_OFFSET);
  const transport = layout[L4_OFFSET];
  layout[L4_OFFSET] = 0;
  if (claimed > end) return;
  layout[L3_END] = claimed;
  if (transport !== 0) admitTransport(transport, layout);
}

/** Records the transport offset if enough of the header is present. */
function admitTransport(l4: number, layout: Int32Array): void {
  const protocol = layout[L4_PROTOCOL];
  const needed = protocol === PROTOCOL_TCP ? TCP_HEADER : protocol === PROTOCOL_UDP ? UDP_HEADER : 1;
  if (layout[L3_END] - l4 >= needed) layout[L4_OFFSET] = l4;
}
