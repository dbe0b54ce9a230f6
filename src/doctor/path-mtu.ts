/**
 * Path MTU search by probing. Pure except for the given probe and the clock.
 *
 * A "too big" message of a router gives the answer at once. If such messages are filtered, each oversized packet costs a
 * timeout; so several sizes are probed concurrently, and each round reduces the range to a sixteenth.
 */
import type { Answer } from './pinger.js';

/** Sizes probed concurrently. */
const AT_ONCE = 15;

export interface PathMtu {
  /** The largest packet that was answered, in bytes; 0: none. */
  readonly fits: number;
  /** True if no size between `fits` and the smallest failed one is left to probe. */
  readonly exact: boolean;
  /** The router that reported the MTU. Absent: oversized packets are dropped silently, or none was too big. */
  readonly saidBy?: string;
}

export interface SearchOptions {
  /** Lower bound of the search in bytes. */
  readonly least: number;
  /** Upper bound. */
  readonly most: number;
  /** Deadline in milliseconds of `now`. */
  readonly until: number;
  readonly now: () => number;
}

/** @param probe sends a packet of the given size in bytes with DF */
export async function findPathMtu(probe: (size: number) => Promise<Answer>, options: SearchOptions): Promise<PathMtu> {
  const { least, most, until, now } = options;
  let low = 0;
  let high = most;
  let said: { mtu: number; from: string } | undefined;
  let sizes = [most];
  while (sizes.length > 0 && now() < until) {
    const answers = await Promise.all(sizes.map(async (size) => ({ size, answer: await twice(probe, size) })));
    for (const { size, answer } of answers) if (answer.kind === 'reply') low = Math.max(low, size);
    for (const { size, answer } of answers) {
      if (answer.kind === 'reply' || size <= low) continue;
      high = Math.min(high, size - 1);
      // A reported MTU that is larger than a failed size, or smaller than an answered one, is ignored.
      if (answer.kind !== 'too-big' || answer.mtu < Math.max(low, least) || answer.mtu > high) continue;
      high = answer.mtu;
      said = { mtu: answer.mtu, from: answer.from };
    }
    sizes = nextSizes(low, high, least, said?.mtu === high);
  }
  const named = said !== undefined && said.mtu === low ? { saidBy: said.from } : {};
  return { fits: low, exact: low >= high || high < least, ...named };
}

/** Probes again after a timeout, since a single packet may get lost. */
async function twice(probe: (size: number) => Promise<Answer>, size: number): Promise<Answer> {
  const first = await probe(size);
  return first.kind === 'silent' ? probe(size) : first;
}

/** The upper end and equidistant sizes below it; only the upper end if a router has reported it. */
function nextSizes(low: number, high: number, least: number, named: boolean): number[] {
  const from = Math.max(low + 1, least);
  if (from > high) return [];
  if (named) return [high];
  const count = Math.min(AT_ONCE, high - from + 1);
  if (count === 1) return [high];
  const sizes = Array.from({ length: count }, (_, i) => from + Math.round(((high - from) * i) / (count - 1)));
  return [...new Set(sizes)];
}
