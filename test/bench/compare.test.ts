import { describe, expect, it } from 'vitest';
import { compareResults } from '../../src/bench/path/compare/compare.js';
import { mannWhitney, ranksOf, ratioInterval } from '../../src/bench/path/compare/significance.js';
import type { Result } from '../../src/bench/path/types.js';

describe('the Mann-Whitney U test', () => {
  it('ranks from 1, and gives equal values the mean of their ranks', () => {
    expect(ranksOf([30, 10, 20])).toEqual([3, 1, 2]);
    expect(ranksOf([5, 5, 1, 9])).toEqual([2.5, 2.5, 1, 4]);
  });

  // Exact: the numbers of ways are countable by hand, and stand in tables of U.
  it.each([
    ['three and three, apart', [1, 2, 3], [4, 5, 6], 2 / 20],
    ['four and four, apart', [1, 2, 3, 4], [5, 6, 7, 8], 2 / 70],
    ['five and five, apart, the other way', [6, 7, 8, 9, 10], [1, 2, 3, 4, 5], 2 / 252],
    ['five and five with one swap', [1, 2, 3, 4, 6], [5, 7, 8, 9, 10], 4 / 252],
    ['interleaved', [1, 3, 5, 7], [2, 4, 6, 8], 48 / 70],
    ['all equal', [1, 1, 1], [1, 1, 1], 1],
  ])('of %s', (_, a, b, probability) => {
    expect(mannWhitney(a, b)).toBeCloseTo(probability, 9);
  });

  it('approximates large samples', () => {
    const a = Array.from({ length: 30 }, (_, i) => i);
    const b = a.map((value) => value + 0.5);
    expect(mannWhitney(a, b)).toBeGreaterThan(0.7);
    expect(
      mannWhitney(
        a,
        a.map((value) => value + 100),
      ),
    ).toBeLessThan(1e-9);
    expect(mannWhitney(new Array(20).fill(1), new Array(20).fill(1))).toBe(1);
  });
});

describe('the interval of a ratio', () => {
  it('is a point where there is no spread, and the same at each call', () => {
    expect(ratioInterval([10, 10, 10], [12, 12, 12])).toEqual([1.2, 1.2]);
    const [a, b] = [
      [9, 10, 11, 12, 13],
      [19, 21, 23, 20, 22],
    ];
    expect(ratioInterval(a, b)).toEqual(ratioInterval(a, b));
    const [low, high] = ratioInterval(a, b);
    expect(low).toBeGreaterThanOrEqual(19 / 13);
    expect(low).toBeLessThan(21 / 11);
    expect(high).toBeGreaterThan(21 / 11);
    expect(high).toBeLessThanOrEqual(23 / 9);
  });
});

describe('a comparison', () => {
  const result = (...groups: [variant: string, measure: string, values: number[]][]): Pick<Result, 'samples'> => ({
    samples: groups.flatMap(([variant, measure, values]) =>
      values.map((value, i) => ({ round: i + 1, column: 'A', variant, measure, value })),
    ),
  });
  const verdicts = (old: Pick<Result, 'samples'>, now: Pick<Result, 'samples'>): string[] =>
    compareResults(old, now).map(({ variant, measure, verdict }) => `${variant} ${measure} ${verdict}`);

  it('tells better from worse by what the measure is, and only beyond the spread', () => {
    const old = result(
      ['overtap', 'frames64', [100, 101, 102, 103, 104]],
      ['overtap', 'p50', [20, 21, 22, 23, 24]],
      ['overtap', 'tcp1-there', [10, 11, 12, 13, 14]],
      ['overtap', 'imix', [1000, 1001, 1002, 1003, 1004]],
      ['overtap', 'load-rate', [1, 1, 1, 1, 1]],
    );
    const now = result(
      ['overtap', 'frames64', [90, 91, 92, 93, 94]],
      ['overtap', 'p50', [10, 11, 12, 13, 14]],
      ['overtap', 'tcp1-there', [9, 10, 12, 12.5, 15]],
      ['overtap', 'imix', [990, 991, 992, 993, 994]],
      ['overtap', 'load-rate', [9, 9, 9, 9, 9]],
      ['overtap', 'p99', [1, 2, 3, 4, 5]],
    );
    expect(verdicts(old, now)).toEqual([
      'overtap frames64 worse',
      'overtap p50 better',
      'overtap tcp1-there same',
      'overtap imix same', // certain, but one per cent
    ]);
  });

  it('is not possible with fewer than five samples', () => {
    const few = result(['overtap', 'frames64', [1, 2, 3, 4]]);
    expect(verdicts(few, result(['overtap', 'frames64', [10, 20, 30, 40, 50]]))).toEqual(['overtap frames64 too few']);
  });
});
