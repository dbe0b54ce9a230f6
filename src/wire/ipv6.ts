/**
 * IPv6 header and the chain of its extension headers (RFC 8200 sections 3 and 4; RFC 4302 for AH).
 *
 *   bit  0       4           10  12      16              24              31
 *        +-------+-----------+---+-------+---------------+---------------+
 *   0    |version|   DSCP    |ECN|              flow label               |
 *        +-------+-----------+---+-------+---------------+---------------+
 *   4    |        payload length         |  next header  |   hop limit   |
 *        +-------------------------------+---------------+---------------+
 *   8    |                  source address, 16 bytes                     |
 *        +---------------------------------------------------------------+
 *   24   |                destination address, 16 bytes                  |
 *        +---------------------------------------------------------------+
 *
 *   an extension header, one unit of 8 bytes longer than its length says:
 *        +---------------+---------------+-------------------------------+
 *   0    |  next header  |    length     |              ...              |
 *        +---------------+---------------+-------------------------------+
 *
 *   the fragment header, always 8 bytes:
 *        +---------------+---------------+-------------------------+---+-+
 *   0    |  next header  |   reserved    |   fragment offset / 8   | 0 |M|
 *        +---------------+---------------+-------------------------+---+-+
 *   4    |                       identification                          |
 *        +---------------------------------------------------------------+
 *
 * Owns the offsets, the walk and the change of ECN. The accessors never check bounds; the walk does.
 */
import { concatBytes, viewOf } from './bytes.js';
import { addressBytes } from './ip-address.js';

/** Length of the fixed header. */
export const IPV6_HEADER = 40;
/** Offset of the source address. */
export const IPV6_SOURCE = 8;

export const NEXT_HOP_BY_HOP = 0;
export const NEXT_ROUTING = 43;
export const NEXT_FRAGMENT = 44;
export const NEXT_AUTHENTICATION = 51;
export const PROTOCOL_ICMPV6 = 58;
export const NEXT_NONE = 59;
export const NEXT_DESTINATION_OPTIONS = 60;
const NEXT_MOBILITY = 135;
const NEXT_HIP = 139;
const NEXT_SHIM6 = 140;

/** Extension headers walked before the walk gives up. No honest packet carries more. */
export const EXTENSION_LIMIT = 8;

export function ipv6TrafficClass(view: DataView, off: number): number {
  return (view.getUint16(off) >>> 4) & 0xff;
}

/** 20 bits. */
export function ipv6FlowLabel(view: DataView, off: number): number {
  return view.getUint32(off) & 0xfffff;
}

/** Traffic class in bits 0-7, flow label in bits 8-27. */
export function ipv6ClassAndLabel(view: DataView, off: number): number {
  const word = view.getUint32(off);
  return ((word >>> 20) & 0xff) | ((word & 0xfffff) << 8);
}

/** In bytes, extension headers included. */
export function ipv6PayloadLength(view: DataView, off: number): number {
  return view.getUint16(off + 4);
}

export function ipv6NextHeader(view: DataView, off: number): number {
  return view.getUint8(off + 6);
}

export function ipv6HopLimit(view: DataView, off: number): number {
  return view.getUint8(off + 7);
}

/** One of the four words of the source address, signed. */
export function ipv6Source(view: DataView, off: number, word: number): number {
  return view.getInt32(off + IPV6_SOURCE + (word << 2));
}

/** One of the four words of the destination address, signed. */
export function ipv6Destination(view: DataView, off: number, word: number): number {
  return view.getInt32(off + 24 + (word << 2));
}

/** Changes the ECN bits; no checksum covers them. @param ecn 0 to 3 */
export function setIpv6Ecn(view: DataView, off: number, ecn: number): void {
  view.setUint16(off, (view.getUint16(off) & 0xffcf) | (ecn << 4));
}

/**
 * Walks the extension headers to the transport. Writes two words from `out[at]` on: the transport's offset, and its protocol
 * number. The offset is 0 when there is none: a fragment, no next header, a chain truncated by `end` or longer than
 * EXTENSION_LIMIT. The protocol is then the last number found.
 *
 * An "atomic fragment" (offset 0, none to follow) is whole and is walked through (RFC 6946).
 * @param off offset of the fixed header, which lies before `end` completely
 * @returns true for a fragment
 */
export function walkExtensions(view: DataView, off: number, end: number, out: Int32Array, at: number): boolean {
  let next = view.getUint8(off + 6);
  let position = off + IPV6_HEADER;
  let fragment = false;
  let transport = 0;
  for (let walked = 0; walked <= EXTENSION_LIMIT; walked++) {
    if (!isExtension(next)) {
      if (next !== NEXT_NONE) transport = position;
      break;
    }
    if (end - position < 8) break;
    if (next === NEXT_FRAGMENT && !isAtomic(view, position)) {
      // The first fragment could be parsed, but all fragments of a datagram are treated alike.
      next = view.getUint8(position);
      fragment = true;
      break;
    }
    const length = extensionLength(view, position, next);
    if (end - position < length) break;
    next = view.getUint8(position);
    position += length;
  }
  out[at] = transport;
  out[at + 1] = next;
  return fragment;
}

/**
 * Offset of the fragment header by which a packet is a fragment; 0 when there is none within reach. Atomic ones before it are passed by,
 * as some hosts do (RFC 6946). Not used for every frame.
 * @param off offset of the fixed header, which lies before `end` completely
 */
export function findFragmentHeader(view: DataView, off: number, end: number): number {
  let next = view.getUint8(off + 6);
  let position = off + IPV6_HEADER;
  for (let walked = 0; walked <= EXTENSION_LIMIT && isExtension(next) && end - position >= 8; walked++) {
    if (next === NEXT_FRAGMENT && !isAtomic(view, position)) return position;
    const length = extensionLength(view, position, next);
    next = view.getUint8(position);
    position += length;
  }
  return 0;
}

/** Whether a fragment header says that its packet is whole: offset 0, none to follow. */
function isAtomic(view: DataView, position: number): boolean {
  return (view.getUint16(position + 2) & 0xfff9) === 0;
}

/** Whether a next header is an extension header that says where the following one is. */
export function isExtension(next: number): boolean {
  switch (next) {
    case NEXT_HOP_BY_HOP:
    case NEXT_ROUTING:
    case NEXT_FRAGMENT:
    case NEXT_AUTHENTICATION:
    case NEXT_DESTINATION_OPTIONS:
    case NEXT_MOBILITY:
    case NEXT_HIP:
    case NEXT_SHIM6:
      return true;
    default:
      return false;
  }
}

/** In bytes, never 0, so that the walk always moves on. */
function extensionLength(view: DataView, position: number, kind: number): number {
  if (kind === NEXT_FRAGMENT) return 8;
  const length = view.getUint8(position + 1);
  return kind === NEXT_AUTHENTICATION ? (length + 2) << 2 : (length + 1) << 3;
}

export interface Ipv6Fields {
  /** Text form of the addresses. */
  source: string;
  destination: string;
  nextHeader: number;
  /** Extension headers included. */
  payload: Uint8Array;
  /** Default 64. */
  hopLimit?: number;
  trafficClass?: number;
  flowLabel?: number;
}

/**
 * Builds a packet (cold). A payload over 65,535 bytes has its length written as 0, as large offloaded frames have it.
 * @throws RangeError when an address cannot be read
 */
export function encodeIpv6(fields: Ipv6Fields): Uint8Array {
  const header = new Uint8Array(IPV6_HEADER);
  const view = viewOf(header);
  view.setUint32(0, 0x60000000 + ((fields.trafficClass ?? 0) << 20) + (fields.flowLabel ?? 0));
  view.setUint16(4, fields.payload.length > 0xffff ? 0 : fields.payload.length);
  view.setUint8(6, fields.nextHeader);
  view.setUint8(7, fields.hopLimit ?? 64);
  header.set(addressBytes(fields.source), 8);
  header.set(addressBytes(fields.destination), 24);
  return concatBytes(header, fields.payload);
}
