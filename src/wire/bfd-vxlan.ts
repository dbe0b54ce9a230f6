/**
 * BFD Control packets inside VXLAN (RFC 8971 section 4): a datagram of the management VNI, which has no tenants.
 *
 *   VXLAN | Ethernet: to 00:00:5e:00:52:02 | IP: from the VTEP to a loopback address, TTL 255 | UDP: to 3784 | BFD
 *
 * Owns the layout of what is around the packet. Hot functions allocate nothing and read nothing beyond the given length.
 */
import { BFD_PACKET, BFD_PORT, BFD_TTL } from './bfd.js';
import { viewOf } from './bytes.js';
import { fold, pseudoHeaderSum6, sum16 } from './checksum.js';
import {
  destinationHigh,
  destinationLow,
  encodeEthernet,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERNET_HEADER,
} from './ethernet.js';
import { encodeIpv4, IPV4_HEADER, ipv4Destination, ipv4Ttl, PROTOCOL_UDP } from './ipv4.js';
import { encodeIpv6, IPV6_HEADER, ipv6Destination, ipv6HopLimit } from './ipv6.js';
import { L3_END, L3_KIND, L3_OFFSET, L4_OFFSET, L4_PROTOCOL, LAYOUT_WORDS, parseInner } from './inner.js';
import { encodeUdp, UDP_CHECKSUM, UDP_HEADER, udpDestinationPort, udpLength } from './udp.js';
import { encodeVxlan, VXLAN_HEADER } from './vxlan.js';

/** The default of RFC 8971 section 3. */
export const MANAGEMENT_VNI = 1;
/** 00:00:5e:00:52:02, "BFD for VXLAN" of IANA's unicast addresses. */
export const BFD_MAC_HIGH = 0x0000;
export const BFD_MAC_LOW = 0x5e005202;

const MAC = '00:00:5e:00:52:02';
/** RFC 8971 section 4: an address of ::ffff:127.0.0.0/104, or over IPv4 of 127/8. */
const LOOPBACK = [0, 0, 0xffff, 0x7f000001] as const;
/** Offset of the inner IP header in a datagram. */
const IP = VXLAN_HEADER + ETHERNET_HEADER;
const IPV6_DESTINATION = 24;

const layout = new Int32Array(LAYOUT_WORDS);

/**
 * Offset of the BFD packet in the frame at `off`, and its length in `bfdLength`; -1: the frame is none, or its TTL is not 255 (it has
 * passed a router, or was forged).
 */
export function findBfd(view: DataView, off: number, length: number): number {
  if (length < ETHERNET_HEADER) return -1;
  if (destinationHigh(view, off) !== BFD_MAC_HIGH || destinationLow(view, off) !== BFD_MAC_LOW) return -1;
  parseInner(view, off, length, layout);
  const udp = layout[L4_OFFSET];
  if (udp === 0 || layout[L4_PROTOCOL] !== PROTOCOL_UDP || udpDestinationPort(view, udp) !== BFD_PORT) return -1;
  if (!isLocal(view, layout[L3_OFFSET], layout[L3_KIND])) return -1;
  const bytes = udpLength(view, udp) - UDP_HEADER;
  if (bytes < BFD_PACKET || udp + UDP_HEADER + bytes > layout[L3_END]) return -1;
  bfdLength = bytes;
  return udp + UDP_HEADER;
}

/** Length of the packet that `findBfd` found last. */
export let bfdLength = 0;

function isLocal(view: DataView, l3: number, kind: number): boolean {
  if (kind === 4) return ipv4Destination(view, l3) >>> 24 === 127 && ipv4Ttl(view, l3) === BFD_TTL;
  for (let word = 0; word < 3; word++) if (ipv6Destination(view, l3, word) !== LOOPBACK[word]) return false;
  return ipv6Destination(view, l3, 3) >>> 24 === 127 && ipv6HopLimit(view, l3) === BFD_TTL;
}

export interface BfdEnvelope {
  vni: number;
  /** The VTEP that sends, as text. */
  source: string;
  sourceMac: string;
  sourcePort: number;
}

/** A datagram with room for a BFD packet. */
export interface Envelope {
  bytes: Uint8Array;
  view: DataView;
  /** Where the packet goes. */
  at: number;
  family: 4 | 6;
}

/** Bytes of a datagram around the UDP payload inside. */
export function envelopeBytes(family: 4 | 6): number {
  return IP + (family === 4 ? IPV4_HEADER : IPV6_HEADER) + UDP_HEADER;
}

/**
 * Builds what is around the packets of a session (cold). Over IPv4 there is no inner UDP checksum.
 * @param room bytes of the payload: a packet, and what stands behind it, zeros
 * @throws RangeError for a wrong address
 */
export function encodeEnvelope({ vni, source, sourceMac, sourcePort }: BfdEnvelope, room = BFD_PACKET): Envelope {
  const family = source.includes(':') ? 6 : 4;
  const path = { source, destination: family === 4 ? '127.0.0.1' : '::1', checksum: 'zero' as const };
  const payload = encodeUdp({ sourcePort, destinationPort: BFD_PORT, payload: new Uint8Array(room) }, path);
  const packet =
    family === 4
      ? encodeIpv4({ ...path, protocol: PROTOCOL_UDP, ttl: BFD_TTL, payload })
      : encodeIpv6({ ...path, nextHeader: PROTOCOL_UDP, hopLimit: BFD_TTL, payload });
  const etherType = family === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
  const bytes = encodeVxlan(vni, encodeEthernet({ destination: MAC, source: sourceMac, etherType, payload: packet }));
  const envelope = { bytes, view: viewOf(bytes), at: bytes.length - room, family } as const;
  // ::ffff:127.0.0.1 has no text of its own here: it would be the IPv4 address.
  if (family === 6)
    for (const [i, word] of LOOPBACK.entries()) envelope.view.setUint32(IP + IPV6_DESTINATION + i * 4, word);
  return envelope;
}

/** Completes a datagram whose packet was written: over IPv6 a UDP checksum is required (RFC 8200 section 8.1). */
export function sealEnvelope({ bytes, view, at, family }: Envelope): void {
  if (family === 4) return;
  const udp = at - UDP_HEADER;
  view.setUint16(udp + UDP_CHECKSUM, 0);
  const length = bytes.length - udp;
  const sum = ~fold(sum16(view, udp, length, pseudoHeaderSum6(view, IP, PROTOCOL_UDP, length))) & 0xffff;
  view.setUint16(udp + UDP_CHECKSUM, sum === 0 ? 0xffff : sum);
}
