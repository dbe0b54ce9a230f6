/**
 * In-place mutations of a valid frame: bits, lengths, offsets, ends. Also repairs a checksum afterwards, so that parsers are
 * tested beyond the checksum.
 */
import { fold, pseudoHeaderSum6, sum16 } from '../../src/wire/checksum.js';
import { L3_END, L3_KIND, L3_OFFSET, L4_OFFSET, L4_PROTOCOL, LAYOUT_WORDS, parseInner } from '../../src/wire/inner.js';
import type { Random } from './random.js';
import type { Sample } from './samples.js';

/** By how many bytes a mutation makes a frame longer, at most. */
export const MOST_GROWTH = 64;
/** Headers lie within so many bytes. */
const HEAD = 110;
const EXTREMES = [0, 1, 0xffff, 0x7fff, 0x8000, 7, 8];
const EXTREME_BYTES = [0, 1, 0xff, 0x7f, 0x80, 0x40, 0x4f, 0x45, 6, 17, 58, 2, 44, 51];
const PROTOCOL_IGMP = 2;
const PROTOCOL_ICMPV6 = 58;

const layout = new Int32Array(LAYOUT_WORDS);

/** The bytes that frames are made in, as the mutations need them. */
export interface Ground {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Mutates the frame at `at` once to three times. There is room for MOST_GROWTH more bytes. @returns its new length */
export function mutate(random: Random, ground: Ground, at: number, length: number, sample: Sample): number {
  let now = length;
  for (let left = 1 + random.below(3); left > 0; left--) now = mutateOnce(random, ground, at, now, sample);
  if (sample.checksum !== 0 && random.once(2)) repairChecksum(ground.view, at, now);
  if (sample.l3 !== 0 && random.once(2)) repairHeader(ground.view, at + sample.l3, at + now);
  return now;
}

function mutateOnce(random: Random, ground: Ground, at: number, length: number, sample: Sample): number {
  const { bytes, view } = ground;
  const head = Math.min(length, HEAD);
  if (head === 0) return length;
  switch (random.below(8)) {
    case 0: // bits
      for (let left = 1 + random.below(8); left > 0; left--) bytes[at + random.below(head)] ^= 1 << random.below(8);
      return length;
    case 1: // cut off, most often within the headers
      return random.below((random.once(3) ? length : head) + 1);
    case 2: {
      if (length !== sample.bytes.length) return length; // longer once only
      const more = 1 + random.below(MOST_GROWTH);
      random.fill(bytes, at + length, at + length + more);
      return length + more;
    }
    case 3: // a length or an offset that is none
      if (head >= 2) view.setUint16(at + fieldOf(random, head - 1, sample), extreme(random, length));
      return length;
    case 4:
      bytes[at + fieldOf(random, head, sample)] = random.pick(EXTREME_BYTES);
      return length;
    case 5: // DSCP and ECN
      if (sample.l3 !== 0 && sample.l3 + 2 <= length) bytes[at + sample.l3 + 1] = random.next();
      return length;
    case 6:
      if (head >= 4) view.setInt32(at + random.below(head - 3), random.next());
      return length;
    default:
      bytes[at + random.below(length)] = random.next();
      return length;
  }
}

/** A place below `end`: one where headers have lengths, or any. */
function fieldOf(random: Random, end: number, { l3, l4 }: Sample): number {
  const base = random.once(2) ? l3 : l4;
  if (base === 0 || random.once(3)) return random.below(end);
  const at = base + random.below(13);
  return at < end ? at : random.below(end);
}

function extreme(random: Random, length: number): number {
  return random.once(3) ? (length - random.below(60)) & 0xffff : random.pick(EXTREMES);
}

/** Makes the checksum of an IPv4 header right again, so that a router reads the rest of it. */
function repairHeader(view: DataView, l3: number, end: number): void {
  if (l3 + 20 > end || view.getUint8(l3) >>> 4 !== 4) return;
  const length = (view.getUint8(l3) & 15) * 4;
  if (length < 20 || l3 + length > end) return;
  view.setUint16(l3 + 10, 0);
  view.setUint16(l3 + 10, ~fold(sum16(view, l3, length, 0)) & 0xffff);
}

/** Makes the checksum of an IGMP or ICMPv6 message right again, as far as the mutations have left one to be read. */
export function repairChecksum(view: DataView, at: number, length: number): void {
  parseInner(view, at, length, layout);
  const l4 = layout[L4_OFFSET];
  const bytes = layout[L3_END] - l4;
  const protocol = layout[L4_PROTOCOL];
  if (l4 === 0 || bytes < 4 || (protocol !== PROTOCOL_IGMP && protocol !== PROTOCOL_ICMPV6)) return;
  const v6 = layout[L3_KIND] === 6;
  if (!v6 && protocol === PROTOCOL_ICMPV6) return;
  view.setUint16(l4 + 2, 0);
  const pseudo = v6 ? pseudoHeaderSum6(view, layout[L3_OFFSET], protocol, bytes) : 0;
  view.setUint16(l4 + 2, ~fold(sum16(view, l4, bytes, pseudo)) & 0xffff);
}
