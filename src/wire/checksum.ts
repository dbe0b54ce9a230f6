/**
 * The Internet checksum: the complement of the ones' complement sum of 16-bit big-endian words (RFC 1071), its change by
 * one word (RFC 1624), and the pseudo-headers of transports (RFC 9293 section 3.1, RFC 768, RFC 8200 section 8.1).
 *
 *   sum of words -> fold the carries back in -> complement
 *
 * Owns sums over headers and small payloads. Whole payloads at line rate are the device's work. It never decides whether
 * a wrong checksum matters.
 *
 * A "running sum" here is a plain integer below 2^31 that `fold` turns into 16 bits. Everything stays in the range of
 * 32-bit integers, so that V8 neither boxes nor falls back to floating point.
 */

/** Words summed before carries are folded in: 0x4000 of at most 0xffff keep the sum below 2^30 + 2^17. */
const BLOCK_BYTES = 0x8000;

/**
 * Adds `len` bytes to a running sum. An odd last byte counts as the high half of a word, so only the last of several
 * pieces may be odd.
 * @param initial a running sum: 0, or what this or a pseudo-header function returned
 * @returns a running sum below 2^17
 */
export function sum16(view: DataView, off: number, len: number, initial: number): number {
  const end = off + len;
  const evenEnd = end - (len & 1);
  let sum = carry(initial);
  let at = off;
  while (at < evenEnd) {
    const blockEnd = evenEnd - at > BLOCK_BYTES ? at + BLOCK_BYTES : evenEnd;
    for (; at < blockEnd; at += 2) sum += view.getUint16(at);
    sum = carry(sum);
  }
  if (evenEnd < end) sum += view.getUint8(evenEnd) << 8;
  return carry(sum);
}

/** One round of carries: a number below 2^32 becomes one below 2^17. */
function carry(sum: number): number {
  return (sum & 0xffff) + (sum >>> 16);
}

/** Folds a running sum to 16 bits. Not complemented. */
export function fold(sum: number): number {
  return carry(carry(sum));
}

/** The checksum over `len` bytes. Over bytes that hold a right checksum it is 0. */
export function internetChecksum(view: DataView, off: number, len: number): number {
  return ~fold(sum16(view, off, len, 0)) & 0xffff;
}

/**
 * Running sum of an IPv4 pseudo-header: addresses, protocol, length of the transport header and its payload.
 * @param ipOff offset of the IPv4 header, whose 20 bytes must be there
 */
export function pseudoHeaderSum4(view: DataView, ipOff: number, protocol: number, transportLength: number): number {
  return sum16(view, ipOff + 12, 8, protocol + carry(transportLength));
}

/**
 * Running sum of an IPv6 pseudo-header. The addresses are those of the fixed header (no routing header is regarded).
 * @param ipOff offset of the IPv6 header, whose 40 bytes must be there
 */
export function pseudoHeaderSum6(view: DataView, ipOff: number, protocol: number, length: number): number {
  return sum16(view, ipOff + 8, 32, protocol + carry(length));
}

/** The checksum after one of the words it covers has changed (RFC 1624, equation 3). */
export function adjust16(checksum: number, oldWord: number, newWord: number): number {
  return ~fold((~checksum & 0xffff) + (~oldWord & 0xffff) + (newWord & 0xffff)) & 0xffff;
}
