/**
 * The search for the largest packet that a path carries, by trying. Pure but for the probe that it is given and the clock.
 *
 * A router that says "too big" tells the answer at once. Where the ICMP messages are filtered, each packet that is too big
 * costs the time in which it might have been answered; so several sizes are tried at once, and the range shrinks to a
 * sixteenth in each round.
 */
import type { Answer } from './pinger.js';

/** Sizes that are tried at once. */
const AT_ONCE = 15;

export interface PathMtu {
  /** The largest packet that got through, in bytes; 0: not even the smallest that was tried. */
  readonly fits: number;
  /** Nothing between `fits` and the least that failed is left untried. */
  readonly exact: boolean;
  /** The router that named the MTU. Absent: too big packets vanish without a word, or nothing was too big. */
  readonly saidBy?: string;
}

export interface SearchOptions {
  /** The least size worth knowing, in bytes. */
  readonly least: number;
  /** The largest one. */
  readonly most: number;
  /** Milliseconds of `now` at which to stop. */
  readonly until: number;
  readonly now: () => number;
}

/** @param probe sends a packet of so many bytes with DF */
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
      // A router that names more than it lets through, or less than what got through, is not believed.
      if (answer.kind !== 'too-big' || answer.mtu < Math.max(low, least) || answer.mtu > high) continue;
      high = answer.mtu;
      said = { mtu: answer.mtu, from: answer.from };
    }
    sizes = nextSizes(low, high, least, said?.mtu === high);
  }
  const named = said !== undefined && said.mtu === low ? { saidBy: said.from } : {};
  return { fits: low, exact: low >= high || high < least, ...named };
}

/** One packet may get lost: silence counts when it is met twice. */
async function twice(probe: (size: number) => Promise<Answer>, size: number): Promise<Answer> {
  const first = await probe(size);
  return first.kind === 'silent' ? probe(size) : first;
}

/** The upper end, and sizes between at equal distances; the upper end alone, where a router has named it. */
function nextSizes(low: number, high: number, least: number, named: boolean): number[] {
  const from = Math.max(low + 1, least);
  if (from > high) return [];
  if (named) return [high];
  const count = Math.min(AT_ONCE, high - from + 1);
  if (count === 1) return [high];
  const sizes = Array.from({ length: count }, (_, i) => from + Math.round(((high - from) * i) / (count - 1)));
  return [...new Set(sizes)];
}
