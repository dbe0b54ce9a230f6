/**
 * VXLAN header (RFC 7348 section 5), the first eight bytes of the UDP payload.
 *
 *   bit  0               8               16              24            31
 *        +-+-+-+-+-+-+-+-+---------------+---------------+---------------+
 *   0    |R R R R I R R R|              reserved, 24 bits                |
 *        +-+-+-+-+-+-+-+-+---------------+---------------+---------------+
 *   4    |      VXLAN Network Identifier, 24 bits        |   reserved    |
 *        +---------------+---------------+---------------+---------------+
 *
 * The reserved bits are 7 of the flags, 24 and 8: 39 in all.
 *
 * Owns the offsets. It never decides what to do with reserved bits or unknown VNIs, and never checks bounds: the caller
 * has at least VXLAN_HEADER bytes.
 */
import { concatBytes, viewOf } from './bytes.js';

export const VXLAN_HEADER = 8;
/** The port assigned by IANA. */
export const VXLAN_PORT = 4789;

/** The I flag where it stands in the first word: the VNI is valid. */
const FLAG_VNI = 0x08000000;

/** True when the I flag is set; without it the datagram must be dropped. */
export function hasVniFlag(view: DataView, off: number): boolean {
  return (view.getUint8(off) & 0x08) !== 0;
}

/** The network identifier, 0 to 0xffffff. */
export function vni(view: DataView, off: number): number {
  return view.getUint32(off + 4) >>> 8;
}

/** Non-zero when any of the 39 reserved bits is set. */
export function reservedBits(view: DataView, off: number): number {
  return (view.getInt32(off) & ~FLAG_VNI) | (view.getInt32(off + 4) & 0xff);
}

/** Writes a header for a VNI with every reserved bit zero. */
export function writeVxlanHeader(view: DataView, off: number, vni: number): void {
  view.setInt32(off, FLAG_VNI);
  view.setInt32(off + 4, vni << 8);
}

/** Builds the UDP payload that carries a frame in a VNI (cold). */
export function encodeVxlan(vni: number, frame: Uint8Array): Uint8Array {
  const header = new Uint8Array(VXLAN_HEADER);
  writeVxlanHeader(viewOf(header), 0, vni);
  return concatBytes(header, frame);
}
