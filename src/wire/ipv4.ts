/**
 * IPv4 header (RFC 791 section 3.1; the second byte as RFC 2474 and RFC 3168 have it).
 *
 *   bit  0       4       8           14  16                              31
 *        +-------+-------+-----------+---+-------------------------------+
 *   0    |version|  IHL  |   DSCP    |ECN|         total length          |
 *        +-------+-------+-----------+---+-----+-------------------------+
 *   4    |        identification         |0|D|M|  fragment offset / 8    |
 *        +---------------+---------------+-----+-------------------------+
 *   8    | time to live  |   protocol    |        header checksum        |
 *        +---------------+---------------+-------------------------------+
 *   12   |                        source address                         |
 *        +---------------------------------------------------------------+
 *   16   |                      destination address                      |
 *        +---------------------------------------------------------------+
 *   20   |                  options, (IHL - 5) words                     |
 *        +---------------------------------------------------------------+
 *
 * Owns the offsets and the change of ECN with its checksum. It never checks bounds: `parseInner` does so once, after
 * which the accessors cannot fail.
 */
import { concatBytes, viewOf } from './bytes.js';
import { adjust16, internetChecksum } from './checksum.js';
import { addressBytes } from './ip-address.js';

/** Length without options. */
export const IPV4_HEADER = 20;

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;

/** The four bits that tell the version, of either IP. */
export function ipVersion(view: DataView, off: number): number {
  return view.getUint8(off) >>> 4;
}

/** In bytes, 0 to 60; below 20 it is invalid. */
export function ipv4HeaderLength(view: DataView, off: number): number {
  return (view.getUint8(off) & 0x0f) << 2;
}

/** DSCP and ECN. */
export function ipv4Tos(view: DataView, off: number): number {
  return view.getUint8(off + 1);
}

/** Header and payload in bytes. */
export function ipv4TotalLength(view: DataView, off: number): number {
  return view.getUint16(off + 2);
}

export function ipv4Identification(view: DataView, off: number): number {
  return view.getUint16(off + 4);
}

/** True for every part of a fragmented datagram, the first too. */
export function ipv4IsFragment(view: DataView, off: number): boolean {
  return (view.getUint16(off + 6) & 0x3fff) !== 0;
}

/** In bytes. */
export function ipv4FragmentOffset(view: DataView, off: number): number {
  return (view.getUint16(off + 6) & 0x1fff) << 3;
}

export function ipv4DontFragment(view: DataView, off: number): boolean {
  return (view.getUint16(off + 6) & DONT_FRAGMENT) !== 0;
}

export function ipv4Ttl(view: DataView, off: number): number {
  return view.getUint8(off + 8);
}

export function ipv4Protocol(view: DataView, off: number): number {
  return view.getUint8(off + 9);
}

export function ipv4Checksum(view: DataView, off: number): number {
  return view.getUint16(off + 10);
}

/** Signed 32-bit. */
export function ipv4Source(view: DataView, off: number): number {
  return view.getInt32(off + 12);
}

/** Signed 32-bit. */
export function ipv4Destination(view: DataView, off: number): number {
  return view.getInt32(off + 16);
}

/** Changes the ECN bits and, by the difference, the header checksum (RFC 1624). @param ecn 0 to 3 */
export function setIpv4Ecn(view: DataView, off: number, ecn: number): void {
  const before = view.getUint16(off);
  const after = (before & 0xfffc) | ecn;
  view.setUint16(off, after);
  view.setUint16(off + 10, adjust16(view.getUint16(off + 10), before, after));
}

export interface Ipv4Fields {
  /** Text form of the addresses. */
  source: string;
  destination: string;
  protocol: number;
  payload: Uint8Array;
  /** Default 64. */
  ttl?: number;
  tos?: number;
  identification?: number;
  dontFragment?: boolean;
  moreFragments?: boolean;
  /** In bytes, a multiple of 8. */
  fragmentOffset?: number;
  /** A multiple of four bytes, at most 40. */
  options?: Uint8Array;
}

/**
 * Builds a datagram with a right header checksum (cold). A length over 65,535 is written as 0, as large offloaded frames have it.
 * @throws RangeError when an address cannot be read or the options do not fit
 */
export function encodeIpv4(fields: Ipv4Fields): Uint8Array {
  const options = fields.options ?? new Uint8Array(0);
  if (options.length % 4 !== 0 || options.length > 40) {
    throw new RangeError(`IPv4 options are ${options.length} bytes long: give a multiple of 4 up to 40`);
  }
  const header = new Uint8Array(IPV4_HEADER + options.length);
  const view = viewOf(header);
  const total = header.length + fields.payload.length;
  view.setUint8(0, 0x40 | (header.length >> 2));
  view.setUint8(1, fields.tos ?? 0);
  view.setUint16(2, total > 0xffff ? 0 : total);
  view.setUint16(4, fields.identification ?? 0);
  const bits = (fields.dontFragment ? DONT_FRAGMENT : 0) | (fields.moreFragments ? MORE_FRAGMENTS : 0);
  view.setUint16(6, bits | ((fields.fragmentOffset ?? 0) >> 3));
  view.setUint8(8, fields.ttl ?? 64);
  view.setUint8(9, fields.protocol);
  header.set(addressBytes(fields.source), 12);
  header.set(addressBytes(fields.destination), 16);
  header.set(options, IPV4_HEADER);
  view.setUint16(10, internetChecksum(view, 0, header.length));
  return concatBytes(header, fields.payload);
}
