/** Learned bindings as words for another process. Configured ones are part of the plan. */
import { ageOf } from '../../fdb/table.js';
import { NEIGH_SET, type NeighReader } from '../../neigh/table.js';

/** Words of a binding: FID, address (four), MAC high with flags, MAC low, port, age in ticks. */
export const BINDING_SENT_WORDS = 9;

export function learnedBindings(neigh: NeighReader, tick: number): Int32Array {
  const words: number[] = [];
  if (neigh.counters().entries === 0) return new Int32Array(0);
  neigh.forEach(({ fid, address, high, low, flags, port, stamp }) => {
    // Sources of peers have theirs.
    if ((flags & NEIGH_SET) !== 0) return;
    words.push(fid, ...address, high | (flags << 16), low, port, ageOf(tick, stamp));
  });
  return Int32Array.from(words);
}
