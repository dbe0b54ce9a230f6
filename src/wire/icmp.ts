/**
 * ICMP and ICMPv6 echo (RFC 792, RFC 4443 section 4).
 *
 *   bit  0               8               16                              31
 *        +---------------+---------------+-------------------------------+
 *   0    |     type      |     code      |           checksum            |
 *        +---------------+---------------+-------------------------------+
 *   4    |          identifier           |        sequence number        |
 *        +-------------------------------+-------------------------------+
 *   8    |                             data                              |
 *        +---------------------------------------------------------------+
 *
 * The checksum covers the message; for ICMPv6 also a pseudo-header. An error has the same eight bytes before the packet that
 * caused it; in "too big" errors they end with the MTU (RFC 1191 section 4: 16 bits; RFC 4443 section 3.2: 32).
 *
 * Owns the offsets of echo and of these errors. It never answers.
 */
import { concatBytes, viewOf } from './bytes.js';
import { internetChecksum } from './checksum.js';
import { PROTOCOL_ICMPV6 } from './ipv6.js';
import { fillChecksum, type TransportPath } from './transport.js';

/** Length of the header of an echo message. */
export const ICMP_ECHO_HEADER = 8;

/** Bytes before the quoted packet of an error. */
export const ICMP_ERROR_HEADER = 8;

export const ICMP_ECHO_REPLY = 0;
export const ICMP_UNREACHABLE = 3;
/** A code of ICMP_UNREACHABLE. */
export const ICMP_FRAGMENTATION_NEEDED = 4;
export const ICMP_ECHO_REQUEST = 8;
export const ICMP_TIME_EXCEEDED = 11;
export const ICMPV6_UNREACHABLE = 1;
export const ICMPV6_PACKET_TOO_BIG = 2;
export const ICMPV6_TIME_EXCEEDED = 3;
export const ICMPV6_ECHO_REQUEST = 128;
export const ICMPV6_ECHO_REPLY = 129;

export function icmpType(view: DataView, off: number): number {
  return view.getUint8(off);
}

export function icmpCode(view: DataView, off: number): number {
  return view.getUint8(off + 1);
}

export function icmpIdentifier(view: DataView, off: number): number {
  return view.getUint16(off + 4);
}

export function icmpSequence(view: DataView, off: number): number {
  return view.getUint16(off + 6);
}

/** Of "fragmentation needed", in bytes; 0 from a router older than RFC 1191. */
export function icmpNextHopMtu(view: DataView, off: number): number {
  return view.getUint16(off + 6);
}

/** Of "packet too big", in bytes. */
export function icmpv6NextHopMtu(view: DataView, off: number): number {
  return view.getUint32(off + 4);
}

export interface EchoFields {
  /** ICMP_ECHO_* or ICMPV6_ECHO_*. */
  type: number;
  identifier: number;
  sequence: number;
  payload: Uint8Array;
}

/** Builds an ICMP echo message (cold). */
export function encodeIcmpEcho(fields: EchoFields): Uint8Array {
  const message = echo(fields);
  viewOf(message).setUint16(2, internetChecksum(viewOf(message), 0, message.length));
  return message;
}

/** Builds an ICMPv6 echo message (cold). @throws RangeError when an address cannot be read */
export function encodeIcmpv6Echo(fields: EchoFields, path: TransportPath): Uint8Array {
  const message = echo(fields);
  fillChecksum(message, 2, path, PROTOCOL_ICMPV6, false);
  return message;
}

function echo(fields: EchoFields): Uint8Array {
  const header = new Uint8Array(ICMP_ECHO_HEADER);
  const view = viewOf(header);
  view.setUint8(0, fields.type);
  view.setUint16(4, fields.identifier);
  view.setUint16(6, fields.sequence);
  return concatBytes(header, fields.payload);
}
