/**
 * Rates from counters: frames and bits a second of each port, for a plot of the last two minutes. Pure but for what it keeps.
 */
import type { Counters, Totals } from './messages.js';

export const POINTS = 120;

/** Frames received, frames sent, bits received, bits sent, frames dropped: each a second. */
export type Rate = readonly [number, number, number, number, number];

export interface Series {
  readonly name: string;
  readonly rates: Rate[];
}

export class Rates {
  private before: Totals | undefined;
  readonly series = new Map<string, Series>();

  /** @returns what has come since the last totals; undefined for the first ones, and after a restart of the switch */
  add(totals: Totals): Growth | undefined {
    const { before } = this;
    this.before = totals;
    if (before === undefined || totals.at <= before.at) return undefined;
    const growth = growthOf(before, totals);
    for (const [name, counts] of growth.links) this.note(name, rateOf(counts, growth.seconds));
    for (const name of this.series.keys()) if (!growth.links.has(name)) this.series.delete(name);
    return growth;
  }

  private note(name: string, rate: Rate): void {
    const series = this.series.get(name) ?? { name, rates: [] };
    this.series.set(name, series);
    series.rates.push(rate);
    if (series.rates.length > POINTS) series.rates.shift();
  }
}

/** What was counted between two looks. */
export interface Growth {
  readonly seconds: number;
  readonly links: ReadonlyMap<string, Counters>;
  /** By `PORT ADDRESS`. */
  readonly remotes: ReadonlyMap<string, Counters>;
}

function growthOf(before: Totals, now: Totals): Growth {
  const seconds = (now.at - before.at) / 1000;
  return { seconds, links: differences(before.links, now.links), remotes: differences(before.remotes, now.remotes) };
}

function differences(
  before: Readonly<Record<string, Counters>>,
  now: Readonly<Record<string, Counters>>,
): Map<string, Counters> {
  return new Map(
    Object.entries(now).map(([name, counters]) => {
      const old = before[name] ?? [0, 0, 0, 0, 0];
      // A counter that fell belongs to a link that was made anew.
      const grown = counters.map((value, index) => Math.max(0, value - old[index]));
      return [name, grown as unknown as Counters];
    }),
  );
}

function rateOf([rxFrames, rxBytes, txFrames, txBytes, drops]: Counters, seconds: number): Rate {
  return [rxFrames / seconds, txFrames / seconds, (rxBytes * 8) / seconds, (txBytes * 8) / seconds, drops / seconds];
}

/** The next number of the form 1, 2, 5, 10 that is not below: the top of a plot. */
export function niceTop(value: number): number {
  if (!(value > 1)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((one) => one * power >= value) ?? 10;
  return step * power;
}

/** `1.2 k`, `45 M`. */
export function shortNumber(value: number): string {
  for (const [size, unit] of [
    [1e9, ' G'],
    [1e6, ' M'],
    [1e3, ' k'],
  ] as const)
    if (value >= size) return `${(value / size).toFixed(value >= 100 * size ? 0 : 1).replace(/\.0$/, '')}${unit}`;
  return value >= 10 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}
