import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify, conditionalThroughput, type Goal, type Trial } from '../../src/bench/path/search/classify.js';
import { type MakeTrial, searchLosses } from '../../src/bench/path/search/mlr.js';

const NDR: Goal = {
  name: 'ndr',
  lossRatio: 0,
  initialTrial: 0.2,
  finalTrial: 1,
  durationSum: 3,
  exceedRatio: 0.5,
  width: 0.02,
};
const PDR: Goal = { ...NDR, name: 'pdr', lossRatio: 0.005 };

/** Trials by their losses. */
const trials = (seconds: number, ...losses: number[]): Trial[] => losses.map((lossRatio) => ({ seconds, lossRatio }));

describe('the class of a load', () => {
  it.each([
    ['nothing is known', [], 'undecided'],
    ['one good trial of three seconds that are to be', trials(1, 0), 'undecided'],
    ['two good ones: the third cannot change it', trials(1, 0, 0), 'lower'],
    ['two bad ones', trials(1, 0.1, 0.1), 'upper'],
    ['one of each', trials(1, 0, 0.1), 'undecided'],
    ['good ones in the majority', trials(1, 0, 0.1, 0), 'lower'],
    ['good short trials never count for it', trials(0.2, ...Array.from({ length: 50 }, () => 0)), 'undecided'],
    ['bad short ones count against it', trials(0.2, ...Array.from({ length: 8 }, () => 0.1)), 'upper'],
    ['unless good short ones balance them', trials(0.2, ...Array.from({ length: 16 }, (_, i) => i & 1)), 'undecided'],
    ['an exact tie at the full sum', [...trials(1.5, 0), ...trials(1.5, 1)], 'lower'],
  ] as const)('%s', (_, made, bound) => {
    expect(classify(made, NDR)).toBe(bound);
  });

  it('allows what the goal allows to be lost', () => {
    expect(classify(trials(1, 0.005, 0.005), PDR)).toBe('lower');
    expect(classify(trials(1, 0.0051, 0.0051), PDR)).toBe('upper');
  });

  it('knows no mercy without an exceed ratio', () => {
    const strict = { ...NDR, exceedRatio: 0 };
    expect(classify(trials(1, 0, 0), strict)).toBe('undecided');
    expect(classify(trials(1, 0, 0, 0), strict)).toBe('lower');
    expect(classify(trials(1, 0, 0, 0.001), strict)).toBe('upper');
  });
});

describe('the conditional throughput', () => {
  it.each([
    [[0, 0, 0.1], 100],
    [[0.5, 0.001, 0.004], 99.6],
    [[0.25], 75],
  ])('of losses %j at 100 frames a second is %d', (losses, throughput) => {
    expect(conditionalThroughput(100, trials(1, ...losses), NDR)).toBeCloseTo(throughput, 9);
  });

  it('does not count short trials', () => {
    expect(conditionalThroughput(100, [...trials(0.2, 0.9, 0.9), ...trials(1, 0, 0)], NDR)).toBe(100);
  });
});

/** A device that forwards up to a rate, and drops the rest. */
const device = (capacity: number): MakeTrial => {
  return (load) => Promise.resolve(load <= capacity ? 0 : 1 - capacity / load);
};
const LIMITS = { least: 1000, most: 1_000_000 };

describe('the search', () => {
  it('finds the rate of any device, for both goals, in few trials', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1100, max: 990_000 }), async (capacity) => {
        let made = 0;
        const count: MakeTrial = (load, seconds) => {
          made++;
          expect(load).toBeGreaterThanOrEqual(LIMITS.least);
          expect(load).toBeLessThanOrEqual(LIMITS.most);
          return device(capacity)(load, seconds);
        };
        const { ndr, pdr } = await searchLosses(count, [NDR, PDR], LIMITS);
        expect(ndr.lower).toBeLessThanOrEqual(capacity);
        expect(ndr.throughput).toBeGreaterThan(capacity * (1 - 0.021));
        expect(ndr.upper).toBeGreaterThan(capacity);
        expect(pdr.lower).toBeLessThanOrEqual(capacity / 0.995);
        expect(pdr.lower).toBeGreaterThan((capacity / 0.995) * (1 - 0.021));
        expect(made).toBeLessThan(90);
      }),
    );
  });

  it('says so when the largest load passes, and when the smallest fails', async () => {
    const fast = await searchLosses(device(2_000_000), [NDR], LIMITS);
    expect(fast.ndr).toEqual({ lower: 1_000_000, upper: null, throughput: 1_000_000 });
    const slow = await searchLosses(device(10), [NDR], LIMITS);
    expect(slow.ndr).toEqual({ lower: null, upper: 1000, throughput: 0 });
  });

  it('bears a device that loses frames by accident in a third of its trials', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 20_000, max: 900_000 }),
        fc.integer({ min: 0, max: 2 }),
        async (capacity, at) => {
          let made = at;
          const noisy: MakeTrial = async (load, seconds) =>
            Math.max(made++ % 3 === 0 ? 0.001 : 0, await device(capacity)(load, seconds));
          const { ndr } = await searchLosses(noisy, [NDR], LIMITS);
          expect(ndr.lower).toBeLessThanOrEqual(capacity);
          expect(ndr.throughput).toBeGreaterThan(capacity * 0.9);
        },
      ),
    );
  });

  it('bears a device that becomes slower in long trials', async () => {
    const tiring: MakeTrial = (load, seconds) => device(seconds < 1 ? 500_000 : 100_000)(load, seconds);
    const { ndr } = await searchLosses(tiring, [NDR], LIMITS);
    expect(ndr.lower).toBeLessThanOrEqual(100_000);
    expect(ndr.throughput).toBeGreaterThan(97_000);
  });

  it('ends, whatever a device does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.constantFrom(0, 0.001, 0.5, 1)), async (losses) => {
        const wild: MakeTrial = () => Promise.resolve(losses.next().value as number);
        const outcome = await searchLosses(wild, [NDR, PDR], { ...LIMITS, mostTrials: 300 }).then(
          ({ ndr }) => ndr.lower === null || ndr.upper === null || ndr.lower < ndr.upper,
          (error: Error) => /no end after 300 trials/.test(error.message),
        );
        expect(outcome).toBe(true);
      }),
    );
  });
});
