/**
 * Chance by counting: a number for each (seed, frame, question), made by mixing the three, in place of a generator with a state. So what
 * happens to frame n depends on nothing that was decided before, and another loss rate leaves the other decisions as they were.
 */

/** The questions about a frame. */
export const ASK_LOSS = 1;
export const ASK_DUPLICATE = 2;
export const ASK_CORRUPT = 3;
export const ASK_BIT = 4;
export const ASK_JITTER = 5;
export const ASK_REORDER = 6;

/** Odd constants with bits all over, so that neighbouring frames and questions start far apart. */
const BY_FRAME = 0x9e3779b1;
const BY_QUESTION = 0x85ebca6b;
const STEPS = [0x7feb352d, 0x846ca68b] as const;

/** 32 bits of which each depends on all bits of the input, and for each input another result. */
function mix(input: number): number {
  let bits = input;
  bits = Math.imul(bits ^ (bits >>> 16), STEPS[0]);
  bits = Math.imul(bits ^ (bits >>> 15), STEPS[1]);
  return bits ^ (bits >>> 16);
}

/** At least 0 and less than 1. @param seed, frame whole numbers of 32 bits */
export function chance(seed: number, frame: number, question: number): number {
  const start = mix((seed | 0) + Math.imul(question, BY_QUESTION));
  return (mix(mix((start + Math.imul(frame, BY_FRAME)) | 0) ^ seed) >>> 0) / 2 ** 32;
}
