/**
 * Whether two samples differ: the Mann-Whitney U test, and a confidence interval of the ratio of their medians by the bootstrap. Both
 * assume no distribution, which round trips and throughputs on a shared machine do not have. Pure; the same input gives the same
 * output.
 */
import { median } from '../report/statistics.js';

/** Up to so many ways to divide the values, all are counted; beyond, U is nearly normal. */
const MOST_DIVISIONS = 200_000;
const RESAMPLES = 2000;
const CONFIDENCE = 0.95;

/** Ranks from 1; equal values share the mean of theirs. */
export function ranksOf(values: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b);
  return values.map((value) => (sorted.indexOf(value) + sorted.lastIndexOf(value)) / 2 + 1);
}

/**
 * Two-sided Mann-Whitney U test: how probable a difference at least as large is if both come from one distribution.
 * Exact for small samples, also with equal values.
 */
export function mannWhitney(a: readonly number[], b: readonly number[]): number {
  const ranks = ranksOf([...a, ...b]);
  const sum = ranks.slice(0, a.length).reduce((total, rank) => total + rank, 0);
  const middle = (a.length * (ranks.length + 1)) / 2;
  const distance = Math.abs(sum - middle);
  return divisions(ranks.length, a.length) <= MOST_DIVISIONS
    ? exact(ranks, a.length, middle, distance)
    : normal(ranks, a.length, distance);
}

/** Number of ways to choose k of n. */
function divisions(n: number, k: number): number {
  let ways = 1;
  for (let i = 1; i <= k; i++) ways = (ways * (n - k + i)) / i;
  return Math.round(ways);
}

/** Share of all ways to choose k of the ranks whose sum is as far from the middle. */
function exact(ranks: readonly number[], k: number, middle: number, distance: number): number {
  let [far, all] = [0, 0];
  const choose = (from: number, left: number, sum: number): void => {
    if (left === 0) {
      all++;
      // Half ranks are exact in binary; the margin is for sums only.
      if (Math.abs(sum - middle) >= distance - 1e-9) far++;
      return;
    }
    for (let i = from; i <= ranks.length - left; i++) choose(i + 1, left - 1, sum + ranks[i]);
  };
  choose(0, k, 0);
  return far / all;
}

/** Normal approximation with the correction for equal values and for continuity. */
function normal(ranks: readonly number[], k: number, distance: number): number {
  const n = ranks.length;
  const sizes = new Map<number, number>();
  for (const rank of ranks) sizes.set(rank, (sizes.get(rank) ?? 0) + 1);
  const ties = [...sizes.values()].reduce((sum, size) => sum + size ** 3 - size, 0);
  const variance = ((k * (n - k)) / 12) * (n + 1 - ties / (n * (n - 1)));
  return variance === 0 ? 1 : Math.min(1, 2 * upperTail(Math.max(0, distance - 0.5) / Math.sqrt(variance)));
}

/** P(Z > z) of the standard normal distribution for z >= 0 (Abramowitz and Stegun, 26.2.17; error below 1e-7). */
function upperTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const polynomial = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * polynomial;
}

/** Confidence interval (95 %) of median(b) / median(a), by resampling both with a fixed seed. */
export function ratioInterval(a: readonly number[], b: readonly number[]): [low: number, high: number] {
  const draw = generator(1);
  const resample = (values: readonly number[]): number[] => values.map(() => values[draw(values.length)]);
  const ratios = Array.from({ length: RESAMPLES }, () => median(resample(b)) / median(resample(a)));
  ratios.sort((x, y) => x - y);
  const tail = Math.floor((RESAMPLES * (1 - CONFIDENCE)) / 2);
  return [ratios[tail], ratios[RESAMPLES - 1 - tail]];
}

/** A linear congruential generator. @returns a function that draws a whole number below a limit */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
