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
 * With the Group Policy Option (draft-smith-vxlan-group-policy-05) R of bit 0 is G: the last 16 bits of the first word are a policy ID,
 * and two of those before it are D and A.
 *
 * Owns the offsets. It never decides what to do with reserved bits or unknown VNIs, and never checks bounds: the caller
 * has at least VXLAN_HEADER bytes.
 */
import { concatBytes, viewOf } from './bytes.js';

export const VXLAN_HEADER = 8;
/** The port assigned by IANA. */
export const VXLAN_PORT = 4789;

/** The I flag where it stands in the first word: the VNI is valid. */
const FLAG_VNI = 0x0800_0000;

/** The I flag where it stands in the first byte. */
export const VNI_FLAG_BYTE = 0x08;

/** True when the I flag is set; without it the datagram must be dropped. */
export function hasVniFlag(view: DataView, off: number): boolean {
  return (view.getUint8(off) & VNI_FLAG_BYTE) !== 0;
}

/** The network identifier, 0 to 0xffffff. */
export function vni(view: DataView, off: number): number {
  return view.getUint32(off + 4) >>> 8;
}

/** The 39 reserved bits of both words of the header. */
export const RESERVED_HIGH = ~FLAG_VNI;
export const RESERVED_LOW = 0xff;

/** G, and the bits that are not reserved beside it (VXLAN_GBP_USED_BITS of Linux). */
export const GBP_BITS = 0x80ff_ffff | 0;
const FLAG_GBP = 0x8000_0000;

/** Non-zero when any reserved bit is set, or any of those in a mask of both words. */
export function reservedBits(view: DataView, off: number, high = RESERVED_HIGH, low = RESERVED_LOW): number {
  return (view.getInt32(off) & high) | (view.getInt32(off + 4) & low);
}

/** Writes a header for a VNI with every reserved bit zero. @param policy an ID of the Group Policy Option, 1-65535; 0: without the option */
export function writeVxlanHeader(view: DataView, off: number, vni: number, policy = 0): void {
  view.setInt32(off, policy === 0 ? FLAG_VNI : FLAG_VNI | FLAG_GBP | policy);
  view.setInt32(off + 4, vni << 8);
}

/** Builds the UDP payload that carries a frame in a VNI (cold). */
export function encodeVxlan(vni: number, frame: Uint8Array): Uint8Array {
  const header = new Uint8Array(VXLAN_HEADER);
  writeVxlanHeader(viewOf(header), 0, vni);
  return concatBytes(header, frame);
}
