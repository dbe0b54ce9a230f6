/**
 * UDP header (RFC 768).
 *
 *   bit  0                               16                              31
 *        +-------------------------------+-------------------------------+
 *   0    |          source port          |       destination port        |
 *        +-------------------------------+-------------------------------+
 *   4    |            length             |       checksum, 0: none       |
 *        +-------------------------------+-------------------------------+
 *
 * Owns the offsets. It never checks bounds: `parseInner` gives an offset only where UDP_HEADER bytes are there.
 */
import { concatBytes, viewOf } from './bytes.js';
import { PROTOCOL_UDP } from './ipv4.js';
import { fillChecksum, type TransportPath } from './transport.js';

export const UDP_HEADER = 8;
/** Offset of the checksum in the header; the csum_offset of a virtio-net header. */
export const UDP_CHECKSUM = 6;

export function udpSourcePort(view: DataView, off: number): number {
  return view.getUint16(off);
}

export function udpDestinationPort(view: DataView, off: number): number {
  return view.getUint16(off + 2);
}

/** Header and payload in bytes. */
export function udpLength(view: DataView, off: number): number {
  return view.getUint16(off + 4);
}

export function udpChecksum(view: DataView, off: number): number {
  return view.getUint16(off + UDP_CHECKSUM);
}

export interface UdpFields {
  sourcePort: number;
  destinationPort: number;
  payload: Uint8Array;
}

/** Builds a datagram (cold). @throws RangeError when an address cannot be read */
export function encodeUdp(fields: UdpFields, path: TransportPath): Uint8Array {
  const header = new Uint8Array(UDP_HEADER);
  const view = viewOf(header);
  const length = UDP_HEADER + fields.payload.length;
  view.setUint16(0, fields.sourcePort);
  view.setUint16(2, fields.destinationPort);
  view.setUint16(4, length > 0xffff ? 0 : length);
  const datagram = concatBytes(header, fields.payload);
  fillChecksum(datagram, UDP_CHECKSUM, path, PROTOCOL_UDP, true);
  return datagram;
}
