/**
 * Options of a TCP header (RFC 9293 section 3.2). Owns the walk over them: no byte behind the header is read, whatever their lengths say.
 */
import { TCP_HEADER } from './tcp.js';

const END = 0;
const NO_OPERATION = 1;
/** Maximum segment size (RFC 9293 section 3.7.1): kind, length 4, 16 bits. */
const MSS = 2;
const MSS_LENGTH = 4;

/**
 * Finds the maximum segment size.
 * @param off of the TCP header @param length of the header, options included, in bytes
 * @returns the offset of its value, which need not be even; 0: there is none, or an option before it is malformed
 */
export function findMss(view: DataView, off: number, length: number): number {
  const end = off + length;
  for (let at = off + TCP_HEADER; at + 1 < end; ) {
    const kind = view.getUint8(at);
    if (kind === END) return 0;
    if (kind === NO_OPERATION) {
      at++;
      continue;
    }
    const size = view.getUint8(at + 1);
    if (size < 2 || at + size > end) return 0;
    if (kind === MSS) return size === MSS_LENGTH ? at + 2 : 0;
    at += size;
  }
  return 0;
}
