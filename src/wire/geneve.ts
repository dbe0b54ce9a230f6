/**
 * Geneve header (RFC 8926 section 3.4), the beginning of the UDP payload.
 *
 *   bit  0   2           8 9 10          16                            31
 *        +---+-----------+-+-+-----------+-------------------------------+
 *   0    |Ver|  Opt Len  |O|C|   Rsvd.   |         protocol type         |
 *        +---+-----------+-+-+-----------+---------------+---------------+
 *   4    |      virtual network identifier, 24 bits      |   reserved    |
 *        +---------------+---------------+---------------+---------------+
 *   8    |          options: `Opt Len` words of four bytes               |
 *        +---------------+---------------+---------------+---------------+
 *
 * The VNI is where VXLAN has it, so `vni` of `vxlan.ts` reads it too.
 *
 * Owns the offsets. It never decides about a datagram, and never checks bounds: the caller has at least GENEVE_HEADER bytes.
 */
import { concatBytes, viewOf } from './bytes.js';

/** Bytes of the header without options. */
export const GENEVE_HEADER = 8;
/** The port assigned by IANA. */
export const GENEVE_PORT = 6081;
/** Protocol type of Ethernet frames: Transparent Ethernet Bridging. */
export const PROTOCOL_ETHERNET = 0x6558;

/** The one version there is. */
export const GENEVE_VERSION = 0;

/** Version, 0 to 3. */
export function geneveVersion(view: DataView, off: number): number {
  return view.getUint8(off) >>> 6;
}

/** Bytes of the options, 0 to 252. */
export function geneveOptions(view: DataView, off: number): number {
  return (view.getUint8(off) & 0x3f) << 2;
}

/** True when the payload is a message between tunnel endpoints, no frame of a guest (O). */
export function isGeneveControl(view: DataView, off: number): boolean {
  return (view.getUint8(off + 1) & 0x80) !== 0;
}

/** True when an option must be understood by whoever takes the frame out (C). */
export function hasCriticalOption(view: DataView, off: number): boolean {
  return (view.getUint8(off + 1) & 0x40) !== 0;
}

/** EtherType of the payload. */
export function geneveProtocol(view: DataView, off: number): number {
  return view.getUint16(off + 2);
}

/** Writes a header without options for an Ethernet frame in a VNI, with every reserved bit zero. */
export function writeGeneveHeader(view: DataView, off: number, vni: number): void {
  view.setInt32(off, PROTOCOL_ETHERNET);
  view.setInt32(off + 4, vni << 8);
}

/** Builds the UDP payload that carries a frame in a VNI (cold). @param options of a length that is a multiple of 4, at most 252 */
export function encodeGeneve(vni: number, frame: Uint8Array, options: Uint8Array = new Uint8Array(0)): Uint8Array {
  const header = new Uint8Array(GENEVE_HEADER);
  const view = viewOf(header);
  writeGeneveHeader(view, 0, vni);
  view.setUint8(0, options.length >>> 2);
  return concatBytes(header, options, frame);
}
