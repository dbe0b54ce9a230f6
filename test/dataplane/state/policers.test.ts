/** Policing: the exact number of frames of a port that pass in a time, in bits and in packets, in both directions. */
import { describe, expect, it } from 'vitest';
import { Policers, POLICE_IN } from '../../../src/dataplane/state/policers.js';
import { A, B, BROADCAST, frame } from '../support/frames.js';
import { type TapSpec, TestSwitch } from '../support/harness.js';

const OCTETS = 60;
const BITS = 8 * OCTETS;

function policed(police: TapSpec['police'] & object): TestSwitch {
  const sw = new TestSwitch({ br0: { ports: { t1: { type: 'tap', police }, t2: { type: 'tap' } } } });
  sw.inject('t2', frame({ source: B, destination: A }));
  sw.turn();
  sw.io.advance(10_000);
  return sw;
}

/** Sends so many frames of 60 bytes at once. @returns how many passed */
function burst(sw: TestSwitch, count: number, from = 't1', drops = from): number {
  const [source, destination] = from === 't1' ? [A, B] : [B, A];
  for (let i = 0; i < count; i++) sw.inject(from, frame({ source, destination }));
  const turn = sw.turn();
  expect(turn.drops).toEqual(Array(count - turn.out.length).fill(`${drops} policed`));
  return turn.out.length;
}

/** In each of so many steps. */
function steady(sw: TestSwitch, steps: number, ms: number, count: number): number {
  let passed = 0;
  for (let step = 0; step < steps; step++) {
    sw.io.advance(ms);
    passed += burst(sw, count);
  }
  return passed;
}

describe('a limit in packets', () => {
  it.each([1, 3, 10, 99, 1000])('of %i a second lets exactly so many pass, and a burst before', (pktsRate) => {
    const sw = policed({ input: { pktsRate, pktsBurst: 8 } });
    expect(burst(sw, 50)).toBe(8);
    const passed = steady(sw, 300, 7, 8);
    expect(passed).toBeLessThanOrEqual(2.1 * pktsRate);
    expect(passed).toBeGreaterThan(2.1 * pktsRate - 1);
  });

  it('saves no more than a burst', () => {
    const sw = policed({ input: { pktsRate: 100, pktsBurst: 7 } });
    for (let turn = 0; turn < 3; turn++) {
      expect(burst(sw, 20)).toBe(7);
      sw.wait(60);
    }
  });
});

describe('a limit in bits', () => {
  it.each([1000, BITS, 12_345, 1_000_000])('of %i a second lets exactly so many pass, and a burst before', (rate) => {
    const sw = policed({ input: { rate, burst: 4 * BITS } });
    expect(burst(sw, 50)).toBe(4);
    const passed = steady(sw, 300, 10, 6) * BITS;
    // A frame that does not pass leaves its bits; a step holds six frames.
    expect(passed).toBeLessThanOrEqual(Math.min(3 * rate, 6 * 300 * BITS));
    expect(passed).toBeGreaterThan(Math.min(3 * rate - BITS, 4 * 300 * BITS) - 1);
  });

  it('lets a frame pass that is longer than its burst, once the bucket is full', () => {
    const sw = policed({ input: { rate: 1000, burst: 100 } });
    expect(burst(sw, 3)).toBe(1);
    sw.io.advance(400); // 380 bits are owed, 400 came
    expect(burst(sw, 3)).toBe(0);
    sw.io.advance(100);
    expect(burst(sw, 3)).toBe(1);
  });

  it('holds beside one in packets', () => {
    const sw = policed({ input: { rate: 1_000_000, burst: 3 * BITS, pktsRate: 1000, pktsBurst: 2 } });
    expect(burst(sw, 9)).toBe(2);
    const other = policed({ input: { rate: 1_000_000, burst: BITS, pktsRate: 1000, pktsBurst: 2 } });
    expect(burst(other, 9)).toBe(1);
  });
});

describe('a superframe', () => {
  const offload = { vnet: 1 | (1 << 8), gso: 1400, csum: 34 | (16 << 16) };
  /** Ten segments of 1,400 bytes behind 54 of headers. */
  const large = frame({ source: A, destination: B, payload: new Uint8Array(40 + 10 * 1400) });
  const cost = 8 * 10 * (54 + 1400);

  it('pays for its packets, headers included', () => {
    const sw = policed({ input: { rate: 1000, burst: cost + BITS } });
    expect(sw.send('t1', large, offload).to).toEqual(['t2']);
    expect(burst(sw, 5)).toBe(1);
    const packets = policed({ input: { pktsRate: 1, pktsBurst: 12 } });
    expect(packets.send('t1', large, offload).to).toEqual(['t2']);
    expect(burst(packets, 5)).toBe(2);
  });

  it('passes where its first packet does, and owes the rest', () => {
    const sw = policed({ input: { pktsRate: 10, pktsBurst: 1 } });
    expect(sw.send('t1', large, offload).to).toEqual(['t2']);
    sw.io.advance(900);
    expect(sw.send('t1', large, offload).drops).toEqual(['t1 policed']);
    sw.io.advance(100);
    expect(burst(sw, 4)).toBe(1);
  });
});

describe('what is limited', () => {
  it('is one direction of one port', () => {
    const sw = policed({ input: { pktsRate: 1, pktsBurst: 1 } });
    expect(burst(sw, 9)).toBe(1);
    expect(burst(sw, 9, 't2')).toBe(9);
    const out = policed({ output: { pktsRate: 1, pktsBurst: 1 } });
    expect(burst(out, 9)).toBe(9);
    expect(burst(out, 9, 't2', 't1')).toBe(1);
    expect(out.dropsOf('t1', 'policed')).toEqual([0, 8]);
  });

  it('is a flood too, and behind a tunnel port each copy', () => {
    const ports = {
      t1: { type: 'tap' as const, police: { output: { pktsRate: 1, pktsBurst: 2 } } },
      t2: { type: 'tap' as const },
      v1: {
        ...{ type: 'vxlan' as const, vni: 7, remotes: ['192.0.2.1', '192.0.2.2', '192.0.2.3'] },
        police: { output: { pktsRate: 1, pktsBurst: 4 } },
      },
    };
    const sw = new TestSwitch({ br0: { ports } });
    for (let count = 0; count < 3; count++) sw.inject('t2', frame({ source: B, destination: BROADCAST }));
    const { to, drops } = sw.turn();
    expect(to).toEqual(['t1', 't1', 'v1>192.0.2.1', 'v1>192.0.2.1', 'v1>192.0.2.2', 'v1>192.0.2.3']);
    expect(drops).toEqual(['t1 policed', ...Array(5).fill('v1 policed')]);
    sw.io.advance(5000);
    sw.tunnel('v1', '192.0.2.1', 7, frame({ source: A, destination: B }));
    for (let count = 0; count < 6; count++) sw.inject('t2', frame({ source: B, destination: A }));
    expect(sw.turn()).toMatchObject({ to: Array(4).fill('v1>192.0.2.1'), drops: Array(2).fill('v1 policed') });
  });

  it('is nothing that a frame teaches: one that does not pass is not learned', () => {
    const sw = policed({ input: { pktsRate: 1, pktsBurst: 1 } });
    burst(sw, 1);
    expect(sw.send('t1', frame({ source: '02:00:00:00:00:77', destination: B })).drops).toEqual(['t1 policed']);
    expect(sw.send('t2', frame({ source: B, destination: '02:00:00:00:00:77' })).to).toEqual(['t1']);
  });

  it('ends with the limit, and with the port', () => {
    const sw = policed({ input: { pktsRate: 1, pktsBurst: 1 } });
    expect(burst(sw, 5)).toBe(1);
    sw.apply(sw.topology.setPort('t1', 'br0', { type: 'tap' }));
    expect(burst(sw, 5)).toBe(5);
    sw.apply(sw.topology.setPort('t1', 'br0', { type: 'tap', police: { input: { pktsRate: 1, pktsBurst: 3 } } }));
    expect(burst(sw, 5)).toBe(3);
    sw.apply(sw.topology.removePort('t1'));
    sw.apply(sw.topology.addPort('br0', 't1', { type: 'tap' }));
    expect(burst(sw, 5)).toBe(5);
  });

  it('is shared by engines, and the clock of one that lags behind adds nothing', () => {
    const one = new Policers();
    const other = new Policers(one.memory);
    const limits = { rate: 0, burst: 0, pktsRate: 10, pktsBurst: 2 };
    other.setLimits(3, POLICE_IN, limits, false, 1000);
    one.setLimits(3, POLICE_IN, limits, true, 1000);
    const take = (policers: Policers, now: number): boolean => policers.take(3, POLICE_IN, 60, 1, now);
    expect([take(one, 1000), take(other, 1000), take(one, 1000), take(other, 1099)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect([take(other, 1100), take(one, 1050), take(one, 1100)]).toEqual([true, false, false]);
    // The clock wraps.
    one.setLimits(3, POLICE_IN, { ...limits, pktsBurst: 1 }, true, 0x7fffffff);
    expect([take(one, 0x7fffffff), take(one, 98), take(one, 99)]).toEqual([true, false, true]);
  });
});
