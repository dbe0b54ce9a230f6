/**
 * Which packets may be sent through a tunnel as fragments (`fragment`): IPv4 without DF, as a router would do it (RFC 791 section 3.2,
 * RFC 1812 section 4.2.2.7). The PacketIo makes the fragments (`native/frames/fragment.c`).
 */
import { L3_END, L3_KIND, L3_OFFSET, parseInner } from '../../wire/inner.js';
import { ipv4DontFragment, ipv4HeaderLength, ipv4TotalLength } from '../../wire/ipv4.js';
import type { Context } from '../state/context.js';

/**
 * Least payload of a fragment, in bytes: a path with a lower MTU than IP hosts have to take (RFC 791: 576) would make hundreds of
 * datagrams of one frame.
 */
const LEAST_PAYLOAD = 512;

/** Scratch of this file: the headers of the frame at hand. */
const layout = new Int32Array(8);

/** @param longest bytes of a frame, before its tag operation, that the path carries */
export function mayFragment({ batch, view }: Context, frame: number, longest: number): boolean {
  const offset = batch.offset[frame];
  parseInner(view, offset, batch.length[frame], layout);
  if (layout[L3_KIND] !== 4) return false;
  const l3 = layout[L3_OFFSET];
  // A packet that is cut short, or whose length is open, would get wrong lengths.
  if (l3 + ipv4TotalLength(view, l3) !== layout[L3_END] || ipv4DontFragment(view, l3)) return false;
  return longest - (l3 - offset) - ipv4HeaderLength(view, l3) >= LEAST_PAYLOAD + 7;
}
