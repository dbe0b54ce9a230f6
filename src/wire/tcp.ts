/**
 * TCP header (RFC 9293 section 3.1).
 *
 *   bit  0       4       8               16                              31
 *        +-------+-------+---------------+-------------------------------+
 *   0    |          source port          |       destination port        |
 *        +-------------------------------+-------------------------------+
 *   4    |                        sequence number                        |
 *        +---------------------------------------------------------------+
 *   8    |                     acknowledgment number                     |
 *        +-------+-------+---------------+-------------------------------+
 *   12   |offset |  0    |C E U A P R S F|            window             |
 *        +-------+-------+---------------+-------------------------------+
 *   16   |           checksum            |        urgent pointer         |
 *        +-------------------------------+-------------------------------+
 *   20   |                options, (offset - 5) words                    |
 *        +---------------------------------------------------------------+
 *
 * Owns the offsets. It never checks bounds: `parseInner` gives an offset only where TCP_HEADER bytes are there.
 */
import { concatBytes, viewOf } from './bytes.js';
import { PROTOCOL_TCP } from './ipv4.js';
import { fillChecksum, type TransportPath } from './transport.js';

/** Length without options. */
export const TCP_HEADER = 20;
/** Offset of the checksum in the header; the csum_offset of a virtio-net header. */
export const TCP_CHECKSUM = 16;

export const TCP_SYN = 0x02;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;

export function tcpSourcePort(view: DataView, off: number): number {
  return view.getUint16(off);
}

export function tcpDestinationPort(view: DataView, off: number): number {
  return view.getUint16(off + 2);
}

/** Unsigned 32-bit. */
export function tcpSequence(view: DataView, off: number): number {
  return view.getUint32(off + 4);
}

/** In bytes, 0 to 60; below 20 it is invalid. */
export function tcpHeaderLength(view: DataView, off: number): number {
  return (view.getUint8(off + 12) >>> 4) << 2;
}

/** TCP_* bits. */
export function tcpFlags(view: DataView, off: number): number {
  return view.getUint8(off + 13);
}

export function tcpChecksum(view: DataView, off: number): number {
  return view.getUint16(off + TCP_CHECKSUM);
}

export interface TcpFields {
  sourcePort: number;
  destinationPort: number;
  payload: Uint8Array;
  sequence?: number;
  acknowledgment?: number;
  /** TCP_* bits. Default TCP_ACK. */
  flags?: number;
  /** Default 65,535. */
  window?: number;
  /** A multiple of four bytes, at most 40. */
  options?: Uint8Array;
}

/** Builds a segment (cold). @throws RangeError when an address cannot be read or the options do not fit */
export function encodeTcp(fields: TcpFields, path: TransportPath): Uint8Array {
  const options = fields.options ?? new Uint8Array(0);
  if (options.length % 4 !== 0 || options.length > 40) {
    throw new RangeError(`TCP options are ${options.length} bytes long: give a multiple of 4 up to 40`);
  }
  const header = new Uint8Array(TCP_HEADER + options.length);
  const view = viewOf(header);
  view.setUint16(0, fields.sourcePort);
  view.setUint16(2, fields.destinationPort);
  view.setUint32(4, fields.sequence ?? 0);
  view.setUint32(8, fields.acknowledgment ?? 0);
  view.setUint8(12, (header.length >> 2) << 4);
  view.setUint8(13, fields.flags ?? TCP_ACK);
  view.setUint16(14, fields.window ?? 0xffff);
  header.set(options, TCP_HEADER);
  const segment = concatBytes(header, fields.payload);
  fillChecksum(segment, TCP_CHECKSUM, path, PROTOCOL_TCP, false);
  return segment;
}
