/**
 * The age of a stamp. Time is a number of ticks of 100 ms that grows and wraps at 2^31.
 */

/**
 * Ticks from `stamp` to `now`, right also when the clock has wrapped between them. A stamp that lies ahead of `now` was set by
 * another thread whose clock has just moved on: its age is 0.
 */
export function ageOf(now: number, stamp: number): number {
  const age = (now - stamp) & 0x7fffffff;
  return age > 0x3fffffff ? 0 : age;
}
