/**
 * Flow entropy (RFC 7348 section 5, "Source Port"): a hash of the inner flow, so that one flow always takes one path
 * through the underlay and different flows spread. IP addresses, protocol and ports where the frame has them; MACs
 * for every other frame, and no ports for fragments, which do not all carry them.
 */
import { destinationHigh, destinationLow, sourceHigh, sourceLow } from '../wire/ethernet.js';
import { L3_END, L3_KIND, L3_OFFSET, L4_OFFSET, L4_PROTOCOL } from '../wire/inner.js';
import { PROTOCOL_TCP, PROTOCOL_UDP } from '../wire/ipv4.js';

/** Hash of the flow that the frame at `offset` belongs to; `layout` comes from `parseInner` of the same frame. */
export function flowHash(view: DataView, offset: number, layout: Int32Array): number {
  const kind = layout[L3_KIND];
  const l3 = layout[L3_OFFSET];
  let h = 0;
  if (kind === 4) {
    h = mix(mix(0, view.getInt32(l3 + 12)), view.getInt32(l3 + 16));
  } else if (kind === 6) {
    for (let word = 8; word < 40; word += 4) h = mix(h, view.getInt32(l3 + word));
  } else {
    h = mix(mix(0, destinationHigh(view, offset)), destinationLow(view, offset));
    return finish(mix(mix(h, sourceHigh(view, offset)), sourceLow(view, offset)));
  }
  const protocol = layout[L4_PROTOCOL];
  const l4 = layout[L4_OFFSET];
  h = mix(h, protocol);
  const hasPorts = l4 !== 0 && (protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP);
  if (hasPorts && l4 + 4 <= layout[L3_END]) h = mix(h, view.getInt32(l4));
  return finish(h);
}

function mix(h: number, word: number): number {
  const k = Math.imul(h ^ word, 0x85ebca6b);
  return k ^ (k >>> 15);
}

function finish(h: number): number {
  const k = Math.imul(h, 0xc2b2ae35);
  return (k ^ (k >>> 16)) & 0x7fffffff;
}
