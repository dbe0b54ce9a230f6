/**
 * The checksum of a transport segment over its pseudo-header, for the builders of TCP, UDP and ICMPv6 (cold).
 *
 * Owns the three states of a transport checksum: complete; *partial*, the folded sum of the pseudo-header alone, as left by a
 * sender whose device completes it; and zero. It never touches frames in an arena.
 */
import { concatBytes, viewOf } from './bytes.js';
import { fold, sum16 } from './checksum.js';
import { addressBytes } from './ip-address.js';

export type ChecksumState = 'complete' | 'partial' | 'zero';

/** The addresses a segment travels between, as text, and how far its checksum is calculated (default 'complete'). */
export interface TransportPath {
  source: string;
  destination: string;
  checksum?: ChecksumState;
}

/** Folded sum of the pseudo-header, not complemented: the content of a partial checksum field. */
export function pseudoHeaderSum(path: TransportPath, protocol: number, length: number): number {
  const tail = new Uint8Array(8);
  const view = viewOf(tail);
  view.setUint32(0, length);
  view.setUint32(4, protocol);
  const pseudo = concatBytes(addressBytes(path.source), addressBytes(path.destination), tail);
  return fold(sum16(viewOf(pseudo), 0, pseudo.length, 0));
}

/**
 * Writes the checksum at byte `at` of a segment whose field is zero so far.
 * @param zeroIsNone UDP: a calculated 0 is written as 0xffff, because 0 means "none" (RFC 768)
 */
export function fillChecksum(
  segment: Uint8Array,
  at: number,
  path: TransportPath,
  protocol: number,
  zeroIsNone: boolean,
): void {
  if (path.checksum === 'zero') return;
  const view = viewOf(segment);
  const pseudo = pseudoHeaderSum(path, protocol, segment.length);
  if (path.checksum === 'partial') {
    view.setUint16(at, pseudo);
    return;
  }
  const checksum = ~fold(sum16(view, 0, segment.length, pseudo)) & 0xffff;
  view.setUint16(at, checksum === 0 && zeroIsNone ? 0xffff : checksum);
}
