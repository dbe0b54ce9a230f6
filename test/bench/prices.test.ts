import { describe, expect, it } from 'vitest';
import {
  busySigns,
  type Prices,
  parseCpuTimes,
  priceLine,
  stolenDuring,
  unstablePrices,
} from '../../src/bench/path/machine/prices.js';

const price = (ns: number): Prices[string] => ({ ns, low: ns, high: ns });

describe('the prices of the machine', () => {
  it('stand in one line, in a fixed order, without those that were not measured', () => {
    expect(priceLine({ tap_read_64: price(1860.4), null_call: price(1090) })).toBe(
      'prices, ns: null system call 1090, TAP read, 64 B 1860',
    );
  });

  it('warn when one differs by more than 15 %, and a wakeup by more than a half', () => {
    const before = { null_call: price(100), tap_read_64: price(1000), wake_same_cpu: price(1000) };
    expect(unstablePrices(before, { ...before })).toEqual([]);
    expect(
      unstablePrices(before, { null_call: price(114), tap_read_64: price(860), wake_same_cpu: price(1500) }),
    ).toEqual([]);
    expect(
      unstablePrices(before, { null_call: price(116), tap_read_64: price(800), wake_same_cpu: price(1510) }),
    ).toEqual([
      'unstable: null system call cost 100 ns before the run and 116 ns after it (+16 %)',
      'unstable: TAP read, 64 B cost 1000 ns before the run and 800 ns after it (-20 %)',
      'unstable: wakeup, same CPU cost 1000 ns before the run and 1510 ns after it (+51 %)',
    ]);
  });

  it('compare only what both have', () => {
    expect(unstablePrices({ null_call: price(100) }, {})).toEqual([]);
  });
});

describe('a busy machine', () => {
  // user nice system idle iowait irq softirq steal guest guest_nice
  const before = parseCpuTimes('cpu  100 0 50 1000 10 0 5 20 0 0\ncpu0 1 2 3\n');

  it('is read from /proc/stat', () => {
    expect(before).toEqual({ busy: 155, stolen: 20, all: 1185 });
  });

  it('shows by load, by processor time of others, and by stolen time', () => {
    const idle = parseCpuTimes('cpu  102 0 51 1197 10 0 5 20 0 0\n'); // 3 of 200 ticks busy
    expect(busySigns(0.5, before, idle)).toEqual([]);
    const busy = parseCpuTimes('cpu  120 0 60 1166 10 0 5 24 0 0\n'); // 30 of 200 busy, 4 stolen
    expect(busySigns(1.234, before, busy)).toEqual([
      'busy: the load of the last minute was 1.23',
      'busy: other programs used 15 % of all processors just before',
      "busy: 2 % of the processors' time went to other machines (steal)",
    ]);
    expect(stolenDuring(before, idle)).toEqual([]);
    expect(stolenDuring(before, busy)).toEqual([
      "unstable: 2 % of the processors' time went to other machines (steal) during the run",
    ]);
  });
});
