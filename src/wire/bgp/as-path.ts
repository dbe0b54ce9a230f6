/**
 * AS_PATH and AS4_PATH (RFC 4271 section 4.3, RFC 6793): segments of `kind, count, AS numbers` of 2 or 4 bytes.
 */
import { AS_TRANS } from './open.js';
import type { AsSegment } from './route.js';

const KINDS: readonly AsSegment['kind'][] = ['set', 'sequence', 'confed-sequence', 'confed-set'];

/**
 * Reads a path. @returns null when it is malformed (RFC 7606 section 7.2): a kind that nobody knows, an empty segment, a segment that
 * reaches past the end, the AS number 0 (RFC 7607)
 */
export function decodeAsPath(view: DataView, at: number, end: number, isFourOctet: boolean): AsSegment[] | null {
  const size = isFourOctet ? 4 : 2;
  const path: AsSegment[] = [];
  while (at < end) {
    if (end - at < 2) return null;
    const kind = KINDS[view.getUint8(at) - 1];
    const count = view.getUint8(at + 1);
    if (kind === undefined || count === 0 || end - at - 2 < count * size) return null;
    const asns: number[] = [];
    for (let i = 0; i < count; i++) {
      const asn = isFourOctet ? view.getUint32(at + 2 + 4 * i) : view.getUint16(at + 2 + 2 * i);
      if (asn === 0) return null;
      asns.push(asn);
    }
    path.push({ kind, asns });
    at += 2 + count * size;
  }
  return path;
}

/** The value of an attribute. With 2 bytes, larger numbers are AS_TRANS. Segments are split at 255 numbers. */
export function encodeAsPath(path: readonly AsSegment[], isFourOctet: boolean): Uint8Array {
  const bytes: number[] = [];
  for (const { kind, asns } of path) {
    for (let from = 0; from < asns.length; from += 255) {
      const part = asns.slice(from, from + 255);
      bytes.push(KINDS.indexOf(kind) + 1, part.length);
      for (const asn of part) {
        if (isFourOctet) bytes.push(asn >>> 24, (asn >>> 16) & 255, (asn >>> 8) & 255, asn & 255);
        else {
          const short = asn > 0xffff ? AS_TRANS : asn;
          bytes.push(short >>> 8, short & 255);
        }
      }
    }
  }
  return Uint8Array.from(bytes);
}

/** Whether a path of 2-byte numbers needs an AS4_PATH beside it. */
export function needsAs4Path(path: readonly AsSegment[]): boolean {
  return path.some(({ asns }) => asns.some((asn) => asn > 0xffff));
}

/** Length of a path for the choice of routes (RFC 4271 section 9.1.2.2, RFC 5065 section 5.3): a set counts 1, confederations nothing. */
export function pathLength(path: readonly AsSegment[]): number {
  let length = 0;
  for (const { kind, asns } of path) length += kind === 'sequence' ? asns.length : kind === 'set' ? 1 : 0;
  return length;
}

export function isConfederation({ kind }: AsSegment): boolean {
  return kind === 'confed-sequence' || kind === 'confed-set';
}

/**
 * The true path of a neighbour with 2-byte numbers (RFC 6793 section 4.2.3): the last part of AS_PATH is replaced by AS4_PATH. A longer
 * AS4_PATH is wrong, and ignored.
 */
export function mergeAs4Path(path: readonly AsSegment[], as4: readonly AsSegment[]): readonly AsSegment[] {
  let leading = pathLength(path) - pathLength(as4);
  if (leading < 0) return path;
  const merged: AsSegment[] = [];
  for (const segment of path) {
    if (isConfederation(segment)) {
      if (leading > 0) merged.push(segment);
      continue;
    }
    if (leading <= 0) break;
    const { kind, asns } = segment;
    merged.push(kind === 'sequence' ? { kind, asns: asns.slice(0, leading) } : segment);
    leading -= kind === 'sequence' ? asns.length : 1;
  }
  return [...merged, ...as4.filter((segment) => !isConfederation(segment))];
}
