/** Rates as a page of text. */
import { describe, expect, it } from 'vitest';
import type { StatsAnswer } from '../../src/api/api.js';
import { rate, topText } from '../../src/sight/top.js';

const traffic = (rx: number, tx: number) => ({
  rx_packets: rx,
  rx_bytes: rx * 100,
  tx_packets: tx,
  tx_bytes: tx * 100,
});
const stats = (scale: number): StatsAnswer => ({
  links: {
    tap2: { ...traffic(10 * scale, 0), rx_dropped: scale, tx_dropped: 0, drops: { no_pvid: scale } },
    tap10: { ...traffic(0, 20 * scale), rx_dropped: 0, tx_dropped: 0, drops: {} },
  },
  drops: { no_pvid: scale, link_local: 5 },
  remotes: { '192.0.2.2': traffic(scale, scale) },
  vnis: {},
  replicated: 0,
  retired: { ...traffic(0, 0), drops: {} },
  fdb: { entries: 7, learned: scale, moved: 0, aged: 0, refused: 0 },
});
const view = { name: 'host1', seconds: 2, before: stats(1000), now: stats(3000) };

describe('a page', () => {
  it('has ports, remotes and drops, with rates of the time between', () => {
    expect(topText(view, 'rx', 120, 0).split('\n')).toEqual([
      'overtap host1: 7 entries, 1000 learned/s, 0 moved/s; sorted by rx',
      '',
      'port                           rx/s   rx bit/s       tx/s   tx bit/s    drops/s',
      'tap2                          10.0k      8.00M          0          0       1000',
      'tap10                             0          0      20.0k      16.0M          0',
      '',
      'remote                         rx/s   rx bit/s       tx/s   tx bit/s    drops/s',
      '192.0.2.2                      1000       800k       1000       800k          0',
      '',
      'drop reason                 drops/s     in all',
      'no_pvid                        1000       3000',
      'link_local                        0          5',
      '',
    ]);
  });

  it.each([
    ['tx', ['tap10', 'tap2']],
    ['drops', ['tap2', 'tap10']],
    ['name', ['tap2', 'tap10']],
  ] as const)('is sorted by %s', (sort, names) => {
    const lines = topText(view, sort, 120, 0).split('\n');
    expect(lines.slice(3, 5).map((line) => line.split(' ')[0])).toEqual(names);
  });

  it('fits the terminal, and says what is left out', () => {
    const page = topText(view, 'rx', 40, 11).split('\n');
    expect(page.length).toBeLessThanOrEqual(11);
    for (const line of page) expect(line.length).toBeLessThanOrEqual(40);
    expect(page.join('\n')).toContain('port (1 more)');
    expect(topText(view, 'rx', 120, 11).split('\n')[0]).toMatch(/sorted by rx \(keys r t d n, q quits\)$/);
  });

  it('a port that has just come, and counters that begin again, have no negative rates', () => {
    const before = { ...stats(1000), links: {} };
    expect(topText({ ...view, before }, 'rx', 120, 0)).toContain('tap2                          15.0k');
    expect(topText({ ...view, before: stats(3000), now: stats(1000) }, 'rx', 120, 0)).not.toContain('-1');
  });
});

it.each([
  [0, '0'],
  [0.04, '0.0'],
  [99.94, '99.9'],
  [100, '100'],
  [9999, '9999'],
  [10_000, '10.0k'],
  [999_499, '999k'],
  [999_500, '1.00M'],
  [12_345_678, '12.3M'],
  [1.5e12, '1500G'],
])('a rate of %d is %s', (value, text) => {
  expect(rate(value)).toBe(text);
});
