import { describe, expect, it, test } from 'vitest';
import type { Totals } from '../../../src/page/model/messages.js';
import { niceTop, POINTS, Rates, shortNumber } from '../../../src/page/model/rates.js';

const totals = (at: number, rx: number, drops = 0): Totals => ({
  at,
  links: { tap1: [rx, rx * 100, 0, 0, drops] },
  remotes: { 'vxlan0 192.0.2.2': [0, 0, rx, rx * 100, 0] },
  drops: {},
});

describe('rates', () => {
  it('are differences of counters over the time between them', () => {
    const rates = new Rates();
    expect(rates.add(totals(1000, 10))).toBeUndefined();
    const growth = rates.add(totals(3000, 30, 4));
    expect(growth?.links.get('tap1')).toEqual([20, 2000, 0, 0, 4]);
    expect(growth?.remotes.get('vxlan0 192.0.2.2')).toEqual([0, 0, 20, 2000, 0]);
    expect(rates.series.get('tap1')?.rates).toEqual([[10, 0, 8000, 0, 2]]);
  });

  it('of a link that was made anew are not negative; time that stands still counts nothing', () => {
    const rates = new Rates();
    rates.add(totals(1000, 1000));
    expect(rates.add(totals(2000, 3))?.links.get('tap1')).toEqual([0, 0, 0, 0, 0]);
    expect(rates.add(totals(2000, 9))).toBeUndefined();
  });

  it('are kept for two minutes, of links that are there', () => {
    const rates = new Rates();
    for (let at = 0; at < 1000; at++) rates.add(totals(at * 1000, at));
    expect(rates.series.get('tap1')?.rates).toHaveLength(POINTS);
    rates.add({ ...totals(1_000_000, 0), links: {} });
    expect(rates.series.size).toBe(0);
  });
});

test.each([
  [0, 1],
  [1, 1],
  [1.5, 2],
  [3, 5],
  [7, 10],
  [10, 10],
  [120_000, 200_000],
  [Number.NaN, 1],
])('the top of a plot for %d is %d', (value, top) => expect(niceTop(value)).toBe(top));

test.each([
  [0, '0'],
  [0.25, '0.3'],
  [7, '7'],
  [999, '999'],
  [1000, '1 k'],
  [1234, '1.2 k'],
  [123_456, '123 k'],
  [2_500_000_000, '2.5 G'],
])('%d is short as %s', (value, text) => expect(shortNumber(value)).toBe(text));
