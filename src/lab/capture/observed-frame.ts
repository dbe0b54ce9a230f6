/**
 * Parses captured frames: VXLAN datagrams on the underlay, plain frames at a guest. It uses the codecs of src/wire and
 * nothing of the engine, so a check is independent of the switch's own view.
 */
import { ARP_LENGTH } from '../../wire/arp.js';
import { viewOf } from '../../wire/bytes.js';
import {
  destinationHigh,
  destinationLow,
  ETHERNET_HEADER,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  etherType,
  formatMac,
  sourceHigh,
  sourceLow,
} from '../../wire/ethernet.js';
import { formatAddress } from '../../wire/ip-address.js';
import {
  IPV4_HEADER,
  ipv4Destination,
  ipv4HeaderLength,
  ipv4IsFragment,
  ipv4Protocol,
  ipv4Source,
  ipv4TotalLength,
  ipv4Ttl,
  PROTOCOL_UDP,
} from '../../wire/ipv4.js';
import { IPV6_HEADER, ipv6PayloadLength } from '../../wire/ipv6.js';
import { UDP_HEADER, udpDestinationPort } from '../../wire/udp.js';
import { hasTag, taggedEtherType, tci, VLAN_TAG, vidOf } from '../../wire/vlan.js';
import { hasVniFlag, reservedBits, VXLAN_HEADER, VXLAN_PORT, vni } from '../../wire/vxlan.js';
import { type ObservedNeighbour, readNeigh } from './observed-neigh.js';

/** An Ethernet frame of a guest. */
export interface ObservedFrame {
  readonly source: string;
  readonly destination: string;
  /** VID of its 802.1Q tag; null without one. */
  readonly vid: number | null;
  /** EtherType of the payload, after the tag. */
  readonly etherType: number;
  /** Time to live of its IPv4 packet; null without one. */
  readonly ttl: number | null;
  /** Addresses of its IPv4 packet; null without one. */
  readonly ipv4: { readonly from: string; readonly to: string } | null;
  /** The start of its UDP payload; empty without one. */
  readonly text: string;
  /** The ARP or ND request or reply; null for other frames. */
  readonly neigh: ObservedNeighbour | null;
}

/** A VXLAN datagram with its inner frame. */
export interface ObservedDatagram {
  readonly from: string;
  readonly to: string;
  /** Time to live of the outer packet. */
  readonly ttl: number;
  /** Null when the I flag is clear. */
  readonly vni: number | null;
  /** Not zero when any of the 39 reserved bits is set. */
  readonly reserved: number;
  readonly frame: ObservedFrame;
}

/** Number of payload bytes kept as text. */
const TEXT_BYTES = 80;

/** Parses an Ethernet frame. @returns null when it is too short */
export function readFrame(bytes: Uint8Array): ObservedFrame | null {
  if (bytes.length < ETHERNET_HEADER) return null;
  const view = viewOf(bytes);
  const inside = insideOf(bytes);
  const hasIpv4 = inside.etherType === ETHERTYPE_IPV4 && bytes.length >= inside.at + IPV4_HEADER;
  return {
    source: formatMac(sourceHigh(view, 0), sourceLow(view, 0)),
    destination: formatMac(destinationHigh(view, 0), destinationLow(view, 0)),
    vid: inside.vid,
    etherType: inside.etherType,
    ttl: hasIpv4 ? ipv4Ttl(view, inside.at) : null,
    ipv4: hasIpv4 ? ipv4Addresses(view, inside.at) : null,
    text: Buffer.from(udpPayload(bytes)?.payload.subarray(0, TEXT_BYTES) ?? []).toString('latin1'),
    neigh: readNeigh(bytes, inside.etherType, inside.at),
  };
}

function ipv4Addresses(view: DataView, at: number): { from: string; to: string } {
  return {
    from: formatAddress(0, 0, 0xffff, ipv4Source(view, at)),
    to: formatAddress(0, 0, 0xffff, ipv4Destination(view, at)),
  };
}

interface Inside {
  readonly vid: number | null;
  readonly etherType: number;
  /** Offset of the payload. */
  readonly at: number;
}

/** Parses the tag, if any, and the EtherType of a frame of at least 14 bytes. */
function insideOf(bytes: Uint8Array): Inside {
  const view = viewOf(bytes);
  if (!hasTag(view, 0) || bytes.length < ETHERNET_HEADER + VLAN_TAG) {
    return { vid: null, etherType: etherType(view, 0), at: ETHERNET_HEADER };
  }
  return { vid: vidOf(tci(view, 0)), etherType: taggedEtherType(view, 0), at: ETHERNET_HEADER + VLAN_TAG };
}

/**
 * Parses the VXLAN datagrams in an underlay frame: none in other frames; several when the sender's kernel passed a train to
 * the NIC in one piece, as on a veth pair.
 */
export function readTunnel(bytes: Uint8Array, port = VXLAN_PORT): ObservedDatagram[] {
  const udp = udpPayload(bytes);
  if (udp === null || udp.destinationPort !== port) return [];
  const { from, to, ttl } = udp;
  return splitTrain(udp.payload).flatMap((datagram) => {
    const view = viewOf(datagram);
    const frame = readFrame(datagram.subarray(VXLAN_HEADER));
    if (frame === null) return [];
    const reserved = reservedBits(view, 0);
    return [{ from, to, ttl, vni: hasVniFlag(view, 0) ? vni(view, 0) : null, reserved, frame }];
  });
}

interface UdpPayload {
  readonly from: string;
  readonly to: string;
  readonly ttl: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

/** Parses an unfragmented UDP datagram over IPv4. @returns null for other frames */
function udpPayload(bytes: Uint8Array): UdpPayload | null {
  if (bytes.length < ETHERNET_HEADER) return null;
  const { etherType, at: ip } = insideOf(bytes);
  if (etherType !== ETHERTYPE_IPV4 || bytes.length < ip + IPV4_HEADER + UDP_HEADER) return null;
  const view = viewOf(bytes);
  const headerLength = ipv4HeaderLength(view, ip);
  if (ipv4Protocol(view, ip) !== PROTOCOL_UDP || headerLength < IPV4_HEADER || ipv4IsFragment(view, ip)) return null;
  const udp = ip + headerLength;
  // The length of a long train does not fit the field, which is then 0; the train is the rest of the capture.
  const total = ipv4TotalLength(view, ip);
  const end = total === 0 ? bytes.length : Math.min(bytes.length, ip + total);
  if (udp + UDP_HEADER > end) return null;
  return {
    ...ipv4Addresses(view, ip),
    ttl: ipv4Ttl(view, ip),
    destinationPort: udpDestinationPort(view, udp),
    payload: bytes.subarray(udp + UDP_HEADER, end),
  };
}

/**
 * Splits a train into its datagrams. All have the length of the first one, only the last may be shorter. The length of the
 * first follows from its inner frame. A single datagram is returned unchanged.
 */
function splitTrain(payload: Uint8Array): Uint8Array[] {
  if (payload.length < VXLAN_HEADER + ETHERNET_HEADER) return [];
  const step = firstLength(payload);
  if (step === null || step >= payload.length || !startsDatagram(payload, step)) return [payload];
  const parts: Uint8Array[] = [];
  for (let at = 0; at < payload.length; at += step) parts.push(payload.subarray(at, at + step));
  return parts.filter((part) => part.length >= VXLAN_HEADER + ETHERNET_HEADER);
}

/** Length of the first datagram, from the length field of its inner packet; null for packets without one. */
function firstLength(payload: Uint8Array): number | null {
  const { etherType, at } = insideOf(payload.subarray(VXLAN_HEADER));
  const inner = VXLAN_HEADER + at;
  const view = viewOf(payload);
  switch (etherType) {
    case ETHERTYPE_IPV4:
      return payload.length < inner + IPV4_HEADER ? null : inner + ipv4TotalLength(view, inner);
    case ETHERTYPE_IPV6:
      return payload.length < inner + IPV6_HEADER ? null : inner + IPV6_HEADER + ipv6PayloadLength(view, inner);
    case ETHERTYPE_ARP:
      return inner + ARP_LENGTH;
    default:
      return null;
  }
}

/** Smaller values are a length, not an EtherType (IEEE 802.3, 3.2.6). */
const LEAST_ETHERTYPE = 0x0600;

/**
 * Whether a datagram of a train starts at an offset, and not the padding of a frame. Its VNI may differ: a port with several
 * VNIs sends all of them by the same sockets.
 */
function startsDatagram(payload: Uint8Array, at: number): boolean {
  const rest = payload.subarray(at);
  if (rest.length < VXLAN_HEADER + ETHERNET_HEADER || !hasVniFlag(viewOf(rest), 0)) return false;
  const length = firstLength(rest);
  if (length !== null) return length <= Math.min(at, rest.length);
  return insideOf(rest.subarray(VXLAN_HEADER)).etherType >= LEAST_ETHERTYPE;
}
